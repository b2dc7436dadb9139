// SPDX-License-Identifier: Apache-2.0
#include "house.h"
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/time.h"
#include "flow/config.h"

#define BEFORE_S (28 * 86400) // it has been open for
#define DAY_S 86400
#define BORN_RING 4096   // patients of an entrance whose arrival is remembered; it has 200 a day
#define SLOW_S 60        // between two looks at means
#define AGAIN_S 20       // a value is told again after, so that silence is silence
#define BUSY_DAYS 0.06   // standard deviation of a day's arrivals beside chance
#define SCANNER_DAYS 3.0 // between breakdowns of a scanner
#define SCANNER_HOURS 3.0

enum { ROTAS = 3 };
static const char *const rotas[ROTAS] = {"early", "late", "night"};
static const char *const state_words[FLOW_STATES] = {"idle", "busy", "setup", "blocked", "waiting", "down", "off"};

typedef enum Part { PART_OTHER, PART_ENTRANCE, PART_STEP, PART_WARD, PART_EXIT, PART_TEAM, PART_AREA, PART_BED } Part;

enum { VALUES_MAX = 10 }; // of one twin

typedef struct Value {
    const char *path;
    PlantKind kind;
    bool slow; // looked at every SLOW_S
    double number, told;
    const char *text, *text_told;
    double told_at;
} Value;

typedef struct Twin {
    Str name;
    Part part;
    const FlowKindOf *kind;
    uint32_t at; // of the model's nodes or resources
    double places, stay_days;
    uint32_t present;
    double people[ROTAS], bank, beds; // of a team; open beds of a ward or area
    uint32_t of;                      // a bed: its ward or area
    bool open;
    double ages;           // sum of births of who is inside
    uint64_t left0, late0; // at midnight
    Value value[VALUES_MAX];
    int values;
} Twin;

typedef struct Link {
    uint32_t from, to;
    double share;
    const FlowWayOf *way;
    bool seizes;
    FlowUseOf use;
} Link;

struct House {
    Arena keep;
    FlowConfig *config;
    Twin *twin;
    uint32_t twins;
    Link *link;
    uint32_t links;
    FlowDef def;
    uint32_t *twin_of; // by node
    FlowModel *model;
    Flow *flow;
    double *born; // by node and number of a patient
    Rng rng;
    int64_t start_ns;
    double now;     // since it opened, as Flow has it
    double slow_at; // the next look at means
    double shift_at, day_at, broken_at, mended_at;
    uint32_t broken;  // scanner; UINT32_MAX: none
    uint32_t twin_at; // house_next
    int value_at;
    bool first;
};

// ---- reading the graph ---------------------------------------------------------------------------------------------

static Str text_of(const Json *v, const char *key) {
    const Json *x = json_get(v, str_of(key));
    return x && x->type == JSON_STRING ? x->s : (Str){0};
}

static double number_of(const Json *v, const char *key) {
    const Json *x = json_get(v, str_of(key));
    return x && json_is_number(x) ? json_f64(x) : (double)NAN;
}

static Part part_of(Str model) {
    static const char *const names[] = {"", "Entrance", "Step", "Ward", "Exit", "Team", "Area", "Bed"};
    while (str_find(model, ':', 0) >= 0) (void)str_cut(&model, ':');
    Str name = str_cut(&model, ';');
    for (int i = 1; i <= PART_BED; i++) {
        if (str_eq(name, str_of(names[i]))) return (Part)i;
    }
    return PART_OTHER;
}

static const FlowKindOf *kind_of(const House *h, Str name) {
    for (uint32_t i = 0; i < h->config->kind_count; i++) {
        if (str_eq(h->config->kinds[i].name, name)) return &h->config->kinds[i];
    }
    return NULL;
}

static const FlowWayOf *way_of(const House *h, Str name) {
    for (uint32_t i = 0; i < h->config->way_count; i++) {
        if (str_eq(h->config->ways[i].name, name)) return &h->config->ways[i];
    }
    return NULL;
}

static uint32_t find(const House *h, Str name) {
    uint32_t i = 0;
    while (i < h->twins && !str_eq(h->twin[i].name, name)) i++;
    return i;
}

static void put_twin(House *h, const Json *line) {
    Twin *t = &h->twin[h->twins++];
    double present = number_of(line, "present");
    *t = (Twin){.name = arena_str(&h->keep, text_of(line, "$dtId")),
                .part = part_of(text_of(json_get(line, STR("$metadata")), "$model")),
                .places = number_of(line, "places"),
                .stay_days = number_of(line, "meanStay"),
                .present = present > 0 ? (uint32_t)present : 0,
                .of = UINT32_MAX};
    t->kind = kind_of(h, text_of(line, "kind"));
    if (t->part == PART_BED) t->open = true;
}

static void put_link(House *h, const Json *line, const Json *twins) {
    Str name = text_of(line, "$relationshipName"), who = text_of(line, "who");
    uint32_t from = find(h, text_of(line, "$dtId")), to = find(h, text_of(line, "$targetId"));
    CHECK(from < h->twins && to < h->twins);
    Twin *t = &h->twin[to];
    double share = number_of(line, "share");
    Link l = {.from = from, .to = to, .share = isnan(share) ? 1 : share, .way = way_of(h, who)};
    if (str_eq(name, STR("bedOf"))) {
        h->twin[from].of = to;
        t->beds++;
        return;
    }
    if (str_eq(name, STR("memberOf"))) {
        for (int i = 0; i < ROTAS; i++) t->people[i] += str_eq(text_of(&twins[from], "rota"), str_of(rotas[i]));
        return;
    }
    l.seizes = str_eq(name, STR("staffedBy")) || str_eq(name, STR("occupies"));
    if (str_eq(name, STR("within"))) l.use = FLOW_USE_HELD;
    else if (str_eq(name, STR("vacates"))) l.use = FLOW_USE_RELEASE;
    else if (!l.seizes && !str_eq(name, STR("leadsTo"))) return;
    h->link[h->links++] = l;
}

static void read_graph(House *h, Str graph, Arena *scratch) {
    int64_t n = 1;
    for (int64_t i = 0; i < graph.n; i++) n += graph.p[i] == '\n';
    Json *lines = NEW(scratch, Json, n);
    h->twin = NEW(&h->keep, Twin, n);
    h->link = NEW(&h->keep, Link, n);
    uint32_t count = 0;
    while (graph.n) {
        Str text = str_cut(&graph, '\n');
        Json *line = &lines[h->twins];
        if (text.n == 0) continue;
        CHECK(json_parse(text, NULL, scratch, line, NULL) == ERR_OK);
        if (json_get(line, STR("$metadata"))) put_twin(h, line);
        else if (json_get(line, STR("$targetId"))) put_link(h, line, lines);
        count++;
    }
    CHECK(count > 0);
}

// The mapping's config.
static void read_config(House *h, Str definitions, Arena *scratch) {
    Json all;
    Diag d = {0};
    CHECK(json_parse(definitions, NULL, scratch, &all, NULL) == ERR_OK);
    for (int32_t i = 0; i < all.count && !h->config; i++) {
        if (!str_starts(text_of(&all.items[i], "path"), STR("/mappings/"))) continue;
        const Json *config = json_get(json_get(&all.items[i], STR("body")), STR("config"));
        CHECK(config);
        CHECK(flow_config_read(config->raw, &h->config, &d) == ERR_OK);
    }
    CHECK(h->config);
    diag_free(&d);
}

// ---- the model: as the engine binds twins (flow/engine.c) -----------------------------------------------------------

typedef struct Build {
    FlowNode *nodes;
    FlowEdge *edges;
    FlowResource *resources;
    FlowUse *uses;
    FlowDist *dists;
} Build;

// A stay of its own mean.
static FlowRef stay_of(House *h, Build *b, const Twin *t) {
    FlowDist d = h->config->def.dists[t->kind->node.service - 1];
    if (isnan(t->stay_days)) return t->kind->node.service;
    d.a *= t->stay_days;
    d.b *= t->stay_days;
    b->dists[h->def.dist_count] = d;
    return FLOW_REF(h->def.dist_count++);
}

static void put_part(House *h, Build *b, uint32_t i) {
    Twin *t = &h->twin[i];
    if (!t->kind) return;
    uint64_t key = str_hash(t->name) >> 1;
    if (t->kind->resource) {
        t->at = h->def.resource_count++;
        b->resources[t->at] = (FlowResource){.name = t->name, .twin = key, .number = t->beds};
        return;
    }
    t->at = h->def.node_count++;
    h->twin_of[t->at] = i;
    FlowNode *n = &b->nodes[t->at];
    *n = t->kind->node;
    n->name = t->name;
    n->twin = key;
    n->initial = n->kind == FLOW_STATION ? t->present : 0;
    if (t->part == PART_WARD) {
        n->servers = t->beds;
        n->service = stay_of(h, b, t);
    } else if (t->places > 0) n->servers = t->places;
}

static void put_use(House *h, Build *b, uint32_t node, const Link *l) {
    FlowNode *n = &b->nodes[node];
    FlowUse use = {FLOW_REF(h->twin[l->to].at), 1};
    uint32_t at = h->def.use_count;
    if (l->seizes) {
        if (n->seize.count++ == 0) n->seize.first = at;
        b->uses[h->def.use_count++] = use;
        return;
    }
    n->held = (FlowRange){at, 1};
    b->uses[h->def.use_count++] = use;
    if (l->use != FLOW_USE_RELEASE) return;
    n->keep = true;
    n->release = (FlowRange){at + 1, 1};
    b->uses[h->def.use_count++] = (FlowUse){use.resource, 0};
}

static void put_ways(House *h, Build *b, uint32_t i) {
    const Twin *t = &h->twin[i];
    FlowNode *n = &b->nodes[t->at];
    uint32_t out = 0;
    for (int seize = 1; seize >= 0; seize--) { // what it seizes in a row
        for (uint32_t k = 0; k < h->links; k++) {
            const Link *l = &h->link[k];
            const Twin *to = &h->twin[l->to];
            if (l->from != i || l->seizes != seize || !to->kind) continue;
            if (to->kind->resource) {
                put_use(h, b, t->at, l);
                continue;
            }
            FlowEdge e = l->way ? l->way->edge : (FlowEdge){.weight = 1};
            e.from = t->at;
            e.to = to->at;
            if (!l->way) e.weight = l->share;
            b->edges[h->def.edge_count++] = e;
            out++;
            if (t->kind->instead.n && l->way && str_eq(l->way->name, t->kind->instead)) n->instead = out;
        }
    }
}

static void make_model(House *h, Arena *scratch) {
    const FlowDef *c = &h->config->def;
    Diag d = {0};
    Build b = {.nodes = NEW(scratch, FlowNode, h->twins),
               .edges = NEW(scratch, FlowEdge, h->links + 1),
               .resources = NEW(scratch, FlowResource, h->twins),
               .uses = NEW(scratch, FlowUse, 2 * (size_t)h->links + 1),
               .dists = NEW(scratch, FlowDist, c->dist_count + h->twins)};
    h->def = *c;
    h->twin_of = NEW(&h->keep, uint32_t, h->twins);
    h->def.node_count = h->def.edge_count = h->def.resource_count = h->def.use_count = 0;
    memcpy(b.dists, c->dists, c->dist_count * sizeof *b.dists);
    for (uint32_t i = 0; i < h->twins; i++) put_part(h, &b, i);
    for (uint32_t i = 0; i < h->twins; i++) {
        if (h->twin[i].kind && !h->twin[i].kind->resource) put_ways(h, &b, i);
    }
    h->def.nodes = b.nodes;
    h->def.edges = b.edges;
    h->def.resources = b.resources;
    h->def.uses = b.uses;
    h->def.dists = b.dists;
    CHECK(flow_make(&h->def, &h->model, &d) == ERR_OK);
    diag_free(&d);
}

// ---- patients ------------------------------------------------------------------------------------------------------

// Who was there before the house opened counts as having come then.
static double *birth(House *h, const FlowTrace *t) {
    return &h->born[(size_t)t->source * BORN_RING + t->item % BORN_RING];
}

static void on_trace(void *ctx, const FlowTrace *t, uint32_t n) {
    House *h = ctx;
    for (uint32_t k = 0; k < n; k++) {
        Twin *at = &h->twin[h->twin_of[t[k].node]];
        if (t[k].source == UINT32_MAX) continue;
        if (t[k].what == FLOW_T_MADE) *birth(h, &t[k]) = t[k].t;
        else if (t[k].what == FLOW_T_ENTER) at->ages += *birth(h, &t[k]);
        else if (t[k].what == FLOW_T_LEAVE && at->part != PART_ENTRANCE) at->ages -= *birth(h, &t[k]);
    }
}

static void until(House *h, double t) {
    Diag d = {0};
    CHECK(flow_until(h->flow, t, &d) == ERR_OK);
    diag_free(&d);
    h->now = t;
}

static void input(House *h, FlowInput what, uint32_t which, double v) {
    Diag d = {0};
    CHECK(flow_input(h->flow, what, which, v, &d) == ERR_OK);
    diag_free(&d);
}

// Seconds since Monday 00:00 UTC; 1970 began on a Thursday.
static double week_of(int64_t ns) {
    const int64_t week = 7 * DAY_S;
    return (double)((ns / NS_PER_S + 3 * DAY_S) % week);
}

static double opened_week(const House *h) { return week_of(h->start_ns - (int64_t)BEFORE_S * NS_PER_S); }

static double hour_of(const House *h) { return fmod(opened_week(h) + h->now, DAY_S) / 3600; }

static int rota_of(double hour) { return hour < 7 || hour >= 22 ? 2 : hour < 14 ? 0 : 1; }

// ---- what happens besides ------------------------------------------------------------------------------------------

static double on_duty(const House *h, const Twin *t) { return t->people[rota_of(hour_of(h))] + t->bank; }

static void change_shift(House *h) {
    static const double begins[] = {7, 14, 22, 31};
    double hour = hour_of(h);
    int k = 0;
    for (uint32_t i = 0; i < h->twins; i++) {
        if (h->twin[i].part == PART_TEAM) input(h, FLOW_NUMBER, h->twin[i].at, on_duty(h, &h->twin[i]));
    }
    while (begins[k] <= hour) k++;
    h->shift_at = round(h->now + (begins[k] - hour) * 3600); // whole seconds: hours come out as they are
}

// Counters begin anew, and the day is as busy as it is.
static void begin_day(House *h) {
    double busy = fmax(0.5, 1 + BUSY_DAYS * rng_normal(&h->rng));
    for (uint32_t i = 0; i < h->twins; i++) {
        Twin *t = &h->twin[i];
        FlowFigures x;
        if (!t->kind || t->kind->resource) continue;
        flow_figures(h->flow, t->at, &x);
        t->left0 = x.left;
        t->late0 = x.late;
        if (t->part == PART_EXIT) t->left0 = x.entered;
        if (t->part == PART_ENTRANCE && !str_eq(t->name, STR("electives"))) input(h, FLOW_SPEED, t->at, busy);
    }
    h->day_at = round(h->now + (24 - hour_of(h)) * 3600);
}

static void set_open(House *h, uint32_t bed, bool open) {
    Twin *t = &h->twin[bed], *of = &h->twin[t->of];
    if (t->open == open) return;
    t->open = open;
    of->beds += open ? 1 : -1;
    input(h, of->kind->resource ? FLOW_NUMBER : FLOW_SERVERS, of->at, of->beds);
}

static double after(House *h, double mean_s) { return h->now - mean_s * log(1 - rng_f64(&h->rng)); }

static void scanner(House *h) {
    uint32_t area = find(h, STR("scanners")), i = 0;
    if (h->broken != UINT32_MAX) {
        set_open(h, h->broken, true);
        h->broken = UINT32_MAX;
        h->mended_at = (double)INFINITY;
        h->broken_at = after(h, SCANNER_DAYS * DAY_S);
        return;
    }
    while (i < h->twins && (h->twin[i].part != PART_BED || h->twin[i].of != area || !h->twin[i].open)) i++;
    h->broken_at = (double)INFINITY;
    if (i == h->twins) return;
    h->broken = i;
    set_open(h, i, false);
    h->mended_at = after(h, SCANNER_HOURS * 3600);
}

static void advance(House *h, double to) {
    for (;;) {
        double t = fmin(fmin(h->shift_at, h->day_at), fmin(h->broken_at, h->mended_at));
        if (t > to) break;
        until(h, t);
        if (t == h->shift_at) change_shift(h);
        if (t == h->day_at) begin_day(h);
        if (t == h->broken_at || t == h->mended_at) scanner(h);
    }
    until(h, to);
}

// ---- values --------------------------------------------------------------------------------------------------------

static void add(Twin *t, const char *path, PlantKind kind, bool slow) {
    CHECK(t->values < VALUES_MAX);
    t->value[t->values++] =
        (Value){.path = path, .kind = kind, .slow = slow, .number = (double)NAN, .told = (double)NAN};
}

static void list_values(Twin *t) {
    bool place = t->part == PART_STEP || t->part == PART_WARD;
    if (t->part == PART_TEAM) {
        add(t, "shift", PLANT_TEXT, false);
        add(t, "onDuty", PLANT_COUNT, false);
        add(t, "atWork", PLANT_COUNT, false);
        add(t, "bank", PLANT_COUNT, false);
    } else if (t->part == PART_AREA) add(t, "inUse", PLANT_COUNT, false);
    else if (t->part == PART_BED) add(t, "open", PLANT_FLAG, false);
    else if (t->part != PART_OTHER) add(t, "left", PLANT_COUNT, false);
    if (t->part == PART_EXIT || place) {
        add(t, "late", PLANT_COUNT, false);
        add(t, "stayTime", PLANT_NUMBER, true);
    }
    if (!place) return;
    add(t, "state", PLANT_TEXT, false);
    add(t, "present", PLANT_COUNT, false);
    add(t, "waiting", PLANT_COUNT, false);
    add(t, "boarding", PLANT_COUNT, false);
    add(t, "waitTime", PLANT_NUMBER, true);
    if (t->part == PART_STEP) add(t, "age", PLANT_NUMBER, true);
}

static double of_node(const House *h, const Twin *t, Str path) {
    FlowFigures x;
    flow_figures(h->flow, t->at, &x);
    uint64_t left = t->part == PART_EXIT ? x.entered : x.left;
    if (str_eq(path, STR("left"))) return (double)(left - t->left0);
    if (str_eq(path, STR("late"))) return (double)(x.late - t->late0);
    if (str_eq(path, STR("present"))) return x.inside;
    if (str_eq(path, STR("waiting"))) return x.queue;
    if (str_eq(path, STR("boarding"))) return x.blocked;
    if (str_eq(path, STR("waitTime"))) return x.wait.n ? x.wait.mean / 60 : (double)NAN;
    if (str_eq(path, STR("stayTime"))) return x.stay.n ? x.stay.mean / 60 : (double)NAN;
    if (str_eq(path, STR("age"))) return x.inside ? fmax(0, h->now - t->ages / x.inside) / 60 : 0;
    return (double)NAN;
}

static double of_twin(const House *h, const Twin *t, Str path) {
    FlowUsage u;
    if (t->part == PART_BED) return t->open;
    if (!t->kind) return (double)NAN;
    if (!t->kind->resource) return of_node(h, t, path);
    if (str_eq(path, STR("onDuty"))) return on_duty(h, t);
    if (str_eq(path, STR("bank"))) return t->bank;
    flow_usage(h->flow, t->at, &u);
    return str_eq(path, STR("atWork")) || str_eq(path, STR("inUse")) ? u.used : (double)NAN;
}

static const char *text_now(const House *h, const Twin *t) {
    FlowFigures x;
    if (t->part == PART_TEAM) return rotas[rota_of(hour_of(h))];
    flow_figures(h->flow, t->at, &x);
    return state_words[x.state];
}

static void look(House *h) {
    bool slow = h->now >= h->slow_at;
    if (slow) h->slow_at = h->now + SLOW_S;
    for (uint32_t i = 0; i < h->twins; i++) {
        Twin *t = &h->twin[i];
        for (int k = 0; k < t->values; k++) {
            Value *v = &t->value[k];
            if (v->slow && !slow) continue;
            if (v->kind == PLANT_TEXT) v->text = text_now(h, t);
            else v->number = of_twin(h, t, str_of(v->path));
            if (v->slow) v->number = round(v->number * 10) / 10;
        }
    }
    h->twin_at = 0;
    h->value_at = 0;
}

static bool is_due(const House *h, Value *v) {
    bool known = v->kind == PLANT_TEXT || !isnan(v->number);
    bool same = v->kind == PLANT_TEXT ? v->text == v->text_told : v->number == v->told;
    if (!known || (same && h->now < v->told_at + AGAIN_S)) return false;
    v->text_told = v->text;
    v->told = v->number;
    v->told_at = h->now;
    return true;
}

// ---- the house -----------------------------------------------------------------------------------------------------

House *house_new(Str graph, Str definitions, uint64_t seed, int64_t start_ns) {
    House *h = mem_alloc(sizeof *h);
    Arena scratch;
    Diag d = {0};
    *h = (House){.rng = rng_make(seed, 1), .start_ns = start_ns, .broken = UINT32_MAX, .mended_at = (double)INFINITY};
    arena_init(&h->keep, 0);
    arena_init(&scratch, 0);
    read_config(h, definitions, &scratch);
    read_graph(h, graph, &scratch);
    make_model(h, &scratch);
    h->born = NEW(&h->keep, double, (size_t)flow_node_count(h->model) * BORN_RING);
    h->flow = flow_open(h->model);
    FlowStart start = {.seed = seed, .scenario = 1, .week_s = opened_week(h), .trace = on_trace, .ctx = h};
    CHECK(flow_start(h->flow, &start, &d) == ERR_OK);
    change_shift(h);
    begin_day(h);
    h->broken_at = after(h, SCANNER_DAYS * DAY_S);
    advance(h, BEFORE_S);
    for (uint32_t i = 0; i < h->twins; i++) list_values(&h->twin[i]);
    h->slow_at = h->now;
    look(h);
    arena_free(&scratch);
    diag_free(&d);
    return h;
}

void house_free(House *h) {
    if (!h) return;
    flow_close(h->flow);
    flow_model_free(h->model);
    flow_config_free(h->config);
    arena_free(&h->keep);
    mem_free(h);
}

void house_step(House *h, double seconds) {
    advance(h, h->now + seconds);
    look(h);
}

int64_t house_time(const House *h) { return h->start_ns + (int64_t)llrint((h->now - BEFORE_S) * 1e3) * NS_PER_MS; }

bool house_next(House *h, PlantValue *out) {
    for (; h->twin_at < h->twins; h->twin_at++, h->value_at = 0) {
        Twin *t = &h->twin[h->twin_at];
        while (h->value_at < t->values) {
            Value *v = &t->value[h->value_at++];
            if (!is_due(h, v)) continue;
            *out = (PlantValue){.twin = t->name.p,
                                .path = v->path,
                                .kind = v->kind,
                                .number = v->number,
                                .digits = 1,
                                .count = v->kind == PLANT_COUNT ? (int64_t)v->number : 0,
                                .flag = v->kind == PLANT_FLAG && v->number != 0,
                                .text = v->text,
                                .time_ns = house_time(h)};
            return true;
        }
    }
    return false;
}

double house_value(const House *h, const char *twin, const char *path) {
    uint32_t i = find(h, str_of(twin));
    return i < h->twins ? of_twin(h, &h->twin[i], str_of(path)) : (double)NAN;
}

// ---- commands ------------------------------------------------------------------------------------------------------

static int refuse(Buf *answer, int status, const char *why) {
    buf_printf(answer, "{\"why\":\"%s\"}", why);
    return status;
}

int house_command(House *h, Str twin, Str name, Str payload, Buf *answer) {
    uint32_t i = find(h, twin);
    int64_t people = 0;
    if (i == h->twins) return refuse(answer, 404, "there is no such twin");
    Twin *t = &h->twin[i];
    Str value = str_trim(payload);
    if (t->part == PART_BED && str_eq(name, STR("setOpen"))) {
        bool open = str_eq(value, STR("true"));
        if (!open && !str_eq(value, STR("false"))) return refuse(answer, 400, "it must be true or false");
        set_open(h, i, open);
    } else if (t->part == PART_TEAM && str_eq(name, STR("setBank"))) {
        if (!str_to_i64(value, &people) || people < 0 || people > 20)
            return refuse(answer, 400, "it must be a number of people, from 0 to 20");
        t->bank = (double)people;
        input(h, FLOW_NUMBER, t->at, on_duty(h, t));
        buf_printf(answer, "%g", on_duty(h, t));
    } else return refuse(answer, 404, "it has no such command");
    look(h);
    return 200;
}

// SPDX-License-Identifier: Apache-2.0
#include "sim/test_sim.h"
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/mem.h"

// ---- the world -----------------------------------------------------------------------------------------------------

static const char MODELS[] =
    "[{'@context':['dtmi:dtdl:context;3','dtmi:dtdl:extension:quantitativeTypes;1'],'@id':'dtmi:test:Unit;1',"
    "'@type':'Interface','contents':["
    "{'@type':['Property','TimeSpan'],'name':'period','schema':'double','unit':'second'},"
    "{'@type':'Property','name':'count','schema':'integer'},"
    "{'@type':['Property','Length'],'name':'height','schema':'double','unit':'metre'},"
    "{'@type':['Property','Velocity'],'name':'velocity','schema':'double','unit':'metrePerSecond'},"
    "{'@type':'Property','name':'bounces','schema':'integer'},"
    "{'@type':'Property','name':'level','schema':'double'},{'@type':'Property','name':'rate','schema':'double'},"
    "{'@type':'Property','name':'sum','schema':'double'},{'@type':'Property','name':'total','schema':'double'},"
    "{'@type':'Property','name':'queue','schema':'integer'},{'@type':'Property','name':'on','schema':'boolean'},"
    "{'@type':'Property','name':'mode','schema':{'@type':'Enum','valueSchema':'string','enumValues':["
    "{'name':'off','enumValue':'OFF'},{'name':'run','enumValue':'RUN'}]}},"
    "{'@type':['Property','Temperature'],'name':'temp','schema':'double','unit':'degreeCelsius'},"
    "{'@type':'Property','name':'tag','schema':'string'},"
    "{'@type':['Property','Length'],'name':'size','schema':'integer','unit':'centimetre'},"
    "{'@type':'Relationship','name':'feeds','properties':[{'@type':'Property','name':'weight','schema':'double'},"
    "{'@type':'Property','name':'open','schema':'boolean'}]},"
    "{'@type':'Relationship','name':'startsAt','maxMultiplicity':1},"
    "{'@type':'Relationship','name':'endsAt','maxMultiplicity':1}]},"
    "{'@context':'dtmi:dtdl:context;3','@id':'dtmi:test:Other;1','@type':'Interface','contents':["
    "{'@type':'Property','name':'level','schema':'double'}]}]";

static void must(Err e) { CHECK(e == ERR_OK); }
static void begin(World *w) { world_begin(w, world_seq(w) + 1, world_next_time(w, TEST_SIM_EPOCH)); }
static void finish(World *w) {
    world_end(w);
    world_settle(w, world_seq(w));
}

static void put(TestSim *t, uint32_t unit, UnitField f, double value) {
    View v = view_writer(t->w);
    const Field *field = &v.catalog->tables[0].model->fields[f];
    Change c = {.kind = isnan(value) ? CHANGE_UNSET : CHANGE_SET, .id = t->ids[unit], .col = t->first + f};
    c.cell = (uint8_t)field->cell;
    if (field->cell == CELL_F64) c.bits = bits_of(value);
    else if (field->cell == CELL_STR) c.text = f == UNIT_MODE ? (value != 0 ? STR("RUN") : STR("OFF")) : STR("plain");
    else c.bits = (uint64_t)(int64_t)value;
    must(world_do(t->w, &c));
}

static void add_twin(TestSim *t, uint32_t i, Rng *rng) {
    char name[32];
    snprintf(name, sizeof name, "unit-%u", i);
    t->ids[i] = world_take_twin_id(t->w).v;
    must(world_do(t->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = t->ids[i], .col = 0, .text = str_of(name)}));
    put(t, i, UNIT_PERIOD, (double)(1 + rng_below(rng, 40)) / 8);
    put(t, i, UNIT_COUNT, 0);
    put(t, i, UNIT_HEIGHT, 1 + rng_f64(rng));
    put(t, i, UNIT_VELOCITY, 0);
    put(t, i, UNIT_BOUNCES, 0);
    put(t, i, UNIT_LEVEL, rng_f64(rng));
    put(t, i, UNIT_RATE, rng_f64(rng) - 0.5);
    put(t, i, UNIT_SUM, 0);
    put(t, i, UNIT_TOTAL, 0);
    put(t, i, UNIT_QUEUE, 0);
    put(t, i, UNIT_ON, 1);
    put(t, i, UNIT_MODE, i % 2);
    put(t, i, UNIT_TEMP, 21.5);
    put(t, i, UNIT_TAG, 0);
    put(t, i, UNIT_SIZE, 250);
    snprintf(name, sizeof name, "other-%u", i);
    uint64_t other = world_take_twin_id(t->w).v;
    must(world_do(t->w, &(Change){.kind = CHANGE_TWIN_NEW, .id = other, .col = 1, .text = str_of(name)}));
}

static void add_link(TestSim *t, uint32_t i) {
    View v = view_writer(t->w);
    uint64_t id = world_take_link_id(t->w).v;
    must(world_do(t->w, &(Change){.kind = CHANGE_LINK_NEW,
                                  .id = id,
                                  .other = t->ids[i],
                                  .target = t->ids[(i + 1) % t->units],
                                  .col = 0,
                                  .text = STR("next")}));
    must(world_do(t->w, &(Change){.kind = CHANGE_LINK_SET,
                                  .id = id,
                                  .col = v.catalog->kinds[0].first,
                                  .cell = CELL_F64,
                                  .bits = bits_of(i + 0.25)}));
}

static void graph(TestSim *t) {
    View v;
    sim_graph_unref(t->g);
    view_begin(&v, t->w);
    must(sim_graph(&v, &t->g));
    view_end(&v);
}

void test_sim_open(TestSim *t, uint32_t n, uint64_t seed) {
    Buf models = {0};
    Rng rng = rng_make(seed, 77);
    for (const char *p = MODELS; *p; p++) buf_byte(&models, *p == '\'' ? '"' : *p);
    *t = (TestSim){.units = n, .d = domain_new(), .ids = mem_alloc((n ? n : 1) * sizeof(uint64_t))};
    t->w = world_new(t->d, 1 << 18);
    begin(t->w);
    must(world_do(t->w, &(Change){.kind = CHANGE_MODELS_ADD, .text = buf_str(&models)}));
    finish(t->w);
    View v = view_writer(t->w);
    t->first = v.catalog->tables[0].first;
    for (uint32_t i = 0; i < n; i += 500) {
        begin(t->w);
        for (uint32_t k = i; k < n && k < i + 500; k++) add_twin(t, k, &rng);
        finish(t->w);
    }
    for (uint32_t i = 0; n > 1 && i < n; i += 500) {
        begin(t->w);
        for (uint32_t k = i; k < n && k < i + 500; k++) add_link(t, k);
        finish(t->w);
    }
    buf_free(&models);
    graph(t);
}

void test_sim_close(TestSim *t) {
    sim_graph_unref(t->g);
    world_free(t->w);
    domain_free(t->d);
    mem_free(t->ids);
}

void test_sim_set(TestSim *t, uint32_t unit, UnitField f, double value) {
    begin(t->w);
    put(t, unit, f, value);
    finish(t->w);
    graph(t);
}

void test_sim_link(TestSim *t, uint32_t kind, uint64_t from, uint64_t to) {
    static const char *const ids[] = {"f", "s", "e"};
    begin(t->w);
    must(world_do(t->w, &(Change){.kind = CHANGE_LINK_NEW,
                                  .id = world_take_link_id(t->w).v,
                                  .other = from,
                                  .target = to,
                                  .col = kind,
                                  .text = str_of(ids[kind])}));
    finish(t->w);
    graph(t);
}

uint64_t test_sim_twin(TestSim *t, const char *name) {
    View v;
    view_begin(&v, t->w);
    TwinId id = view_find_twin(&v, str_of(name));
    view_end(&v);
    return id.v;
}

uint32_t test_column(const TestSim *t, Sim *s, UnitField f) { return sim_column(s, t->first + f); }

void test_gather(const TestSim *t, Sim *s, uint16_t lanes) {
    View v;
    view_begin(&v, t->w);
    must(sim_gather(s, &v, lanes));
    view_end(&v);
}

// ---- sum -----------------------------------------------------------------------------------------------------------

static double at(const sim_ctx *c, uint32_t col, uint32_t row, uint32_t lane) {
    if (c->col[col].n == 0) return 0; // not bound
    return c->col[col].v[(size_t)row * c->lanes + lane];
}

static void set(sim_ctx *c, uint32_t col, uint32_t row, uint32_t lane, double v) {
    double *cell = &c->col[col].v[(size_t)row * c->lanes + lane];
    if (*cell == v) return;
    *cell = v;
    c->touch(c, col, row, (uint16_t)lane);
}

static int sum_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    const ToySum *k = c->config;
    (void)t;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t r = 0; r < moved[i].n; r++) {
            uint32_t row = moved[i].rows[r];
            for (uint32_t l = 0; l < c->lanes; l++) {
                if (!(moved[i].lane_mask >> l & 1)) continue;
                set(c, 2, row, l, k->gain * at(c, 0, row, l) + k->share * at(c, 1, row, l) + k->plus);
            }
        }
    }
    return 0;
}

static const sim_role sum_roles[] = {{"a", "", SIM_NUMBER, SIM_IN, 0, 1, NAN, "first"},
                                     {"b", "", SIM_NUMBER, SIM_IN, 0, 0, 0, "second"},
                                     {"out", "", SIM_NUMBER, SIM_OUT, 0, 1, NAN, "sum"}};
const sim_engine toy_sum = {.abi = SOSIA_ENGINE_ABI,
                            .name = "toy-sum",
                            .caps = SIM_CAN_LANES | SIM_MEMORYLESS,
                            .roles = sum_roles,
                            .role_count = 3,
                            .react = sum_react};

// ---- tick ----------------------------------------------------------------------------------------------------------

// State: per lane and row how many ticks; the time of the next is (ticks + 1) * period, whatever was stopped at.
static size_t per_cell(const sim_ctx *c) { return sizeof(double) * c->col[0].n * c->lanes; }

static int tick_init(sim_ctx *c, sim_time t) {
    (void)c, (void)t;
    return 0;
}

static double tick_time(const sim_ctx *c, uint32_t row, uint32_t lane) {
    const double *ticks = c->state;
    return (ticks[(size_t)row * c->lanes + lane] + 1) * at(c, 0, row, lane);
}

static sim_time tick_next(const sim_ctx *c) {
    double t = INFINITY;
    for (uint32_t row = 0; row < c->col[0].n; row++) {
        for (uint32_t l = 0; l < c->lanes; l++) {
            if (c->lane_mask >> l & 1 && tick_time(c, row, l) < t) t = tick_time(c, row, l);
        }
    }
    return t;
}

static int tick_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    double *ticks = c->state;
    (void)moved, (void)n;
    for (uint32_t row = 0; row < c->col[0].n; row++) {
        for (uint32_t l = 0; l < c->lanes; l++) {
            if (!(c->lane_mask >> l & 1) || tick_time(c, row, l) > t) continue;
            ticks[(size_t)row * c->lanes + l]++;
            set(c, 1, row, l, at(c, 1, row, l) + 1);
        }
    }
    return 0;
}

static const sim_role tick_roles[] = {{"period", "s", SIM_NUMBER, SIM_PARAM, 0, 1, NAN, "time between ticks"},
                                      {"count", "", SIM_COUNT, SIM_STATE, 0, 1, NAN, "ticks so far"}};
const sim_engine toy_tick = {.abi = SOSIA_ENGINE_ABI,
                             .name = "toy-tick",
                             .caps = SIM_CAN_LANES,
                             .roles = tick_roles,
                             .role_count = 2,
                             .state_size = per_cell,
                             .init = tick_init,
                             .next = tick_next,
                             .react = tick_react};

// ---- ball ----------------------------------------------------------------------------------------------------------

enum { HEIGHT, VELOCITY, BOUNCES };
#define GRAVITY 9.81

// The flight since the last bounce; hit: when the next one is.
typedef struct Flight {
    double t0, h0, v0, hit;
} Flight;

typedef struct Balls {
    double now; // moved on to
    Flight f[]; // by row and lane
} Balls;

static size_t ball_size(const sim_ctx *c) { return sizeof(Balls) + sizeof(Flight) * c->col[0].n * c->lanes; }

static void take_off(Flight *f, double t, double h, double v) {
    double dt = (v + sqrt(v * v + 2 * GRAVITY * h)) / GRAVITY;
    *f = (Flight){t, h, v, h <= 0 && v <= 0 ? INFINITY : t + dt}; // at rest
}

static int ball_init(sim_ctx *c, sim_time t) {
    Balls *b = c->state;
    b->now = t;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) take_off(&b->f[i], t, c->col[0].v[i], c->col[1].v[i]);
    return 0;
}

static double first_hit(const sim_ctx *c) {
    const Balls *b = c->state;
    double t = INFINITY;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) {
        if (c->lane_mask >> (i % c->lanes) & 1 && b->f[i].hit < t) t = b->f[i].hit;
    }
    return t;
}

// Says nothing of hits to come, as if they had to be searched for; only of one that it stands at.
static sim_time ball_next(const sim_ctx *c) {
    const Balls *b = c->state;
    double hit = first_hit(c);
    return hit <= b->now ? hit : INFINITY;
}

static void fly(sim_ctx *c, double t) {
    const Balls *b = c->state;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) {
        const Flight *f = &b->f[i];
        double dt = t - f->t0;
        double h = f->h0 + f->v0 * dt - GRAVITY / 2 * dt * dt;
        bool rest = isinf(f->hit);
        set(c, HEIGHT, i / c->lanes, i % c->lanes, rest || f->hit <= t ? 0 : h);
        set(c, VELOCITY, i / c->lanes, i % c->lanes, rest ? 0 : f->v0 - GRAVITY * dt);
    }
}

static int ball_advance(sim_ctx *c, sim_time to, sim_time *reached) {
    Balls *b = c->state;
    double hit = first_hit(c);
    if (hit < to) *reached = hit;
    b->now = *reached;
    fly(c, *reached);
    return 0;
}

static int ball_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    Balls *b = c->state;
    (void)moved, (void)n;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) {
        Flight *f = &b->f[i];
        if (!(c->lane_mask >> (i % c->lanes) & 1) || f->hit > t) continue;
        double v = -0.8 * (f->v0 - GRAVITY * (t - f->t0));
        take_off(f, t, 0, v < 1e-3 ? 0 : v);
        set(c, VELOCITY, i / c->lanes, i % c->lanes, f->v0);
        set(c, BOUNCES, i / c->lanes, i % c->lanes, at(c, BOUNCES, i / c->lanes, i % c->lanes) + 1);
    }
    return 0;
}

static const sim_role ball_roles[] = {{"height", "m", SIM_NUMBER, SIM_STATE, 0, 1, NAN, "above ground"},
                                      {"velocity", "m/s", SIM_NUMBER, SIM_STATE, 0, 1, NAN, "upwards"},
                                      {"bounces", "", SIM_COUNT, SIM_OUT, 0, 1, NAN, "so far"}};
#define BALL(balls_name, balls_caps)                                                                                   \
    {                                                                                                                  \
        .abi = SOSIA_ENGINE_ABI, .name = balls_name, .caps = balls_caps, .roles = ball_roles, .role_count = 3,         \
        .state_size = ball_size, .init = ball_init, .next = ball_next, .advance = ball_advance, .react = ball_react    \
    }
const sim_engine toy_ball = BALL("toy-ball", SIM_CAN_LANES | SIM_ROOTS);
const sim_engine toy_ball_lone = BALL("toy-ball-lone", SIM_ROOTS);

// ---- tank ----------------------------------------------------------------------------------------------------------

typedef struct Fill {
    double t0, x0, rate;
} Fill;

static size_t tank_size(const sim_ctx *c) { return sizeof(Fill) * c->col[0].n * c->lanes; }

static int tank_init(sim_ctx *c, sim_time t) {
    Fill *f = c->state;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) f[i] = (Fill){t, c->col[1].v[i], c->col[0].v[i]};
    return 0;
}

static double level(const Fill *f, double t) { return f->x0 + f->rate * (t - f->t0); }

static int tank_advance(sim_ctx *c, sim_time to, sim_time *reached) {
    const Fill *f = c->state;
    (void)reached;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) set(c, 1, i / c->lanes, i % c->lanes, level(&f[i], to));
    return 0;
}

static int tank_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    Fill *f = c->state;
    (void)moved, (void)n;
    for (uint32_t i = 0; i < c->col[0].n * c->lanes; i++) {
        if (!(c->lane_mask >> (i % c->lanes) & 1)) continue;
        bool same = f[i].rate == c->col[0].v[i] && level(&f[i], t) == c->col[1].v[i];
        if (!same) f[i] = (Fill){t, c->col[1].v[i], c->col[0].v[i]};
    }
    return 0;
}

static const sim_role tank_roles[] = {{"rate", "", SIM_NUMBER, SIM_IN, 0, 1, 0, "of change"},
                                      {"level", "", SIM_NUMBER, SIM_STATE, 0, 1, NAN, "its integral"}};
const sim_engine toy_tank = {.abi = SOSIA_ENGINE_ABI,
                             .name = "toy-tank",
                             .caps = SIM_CAN_LANES,
                             .roles = tank_roles,
                             .role_count = 2,
                             .state_size = tank_size,
                             .init = tank_init,
                             .advance = tank_advance,
                             .react = tank_react};

// ---- queue ---------------------------------------------------------------------------------------------------------

enum { ARRIVES, LEAVES };

typedef struct Desk {
    uint64_t drawn;
    double waiting;
} Desk;

static size_t desk_size(const sim_ctx *c) { return sizeof(Desk) * c->col[0].n; }

static void draw(sim_ctx *c, uint32_t row, sim_time t, uint32_t kind) {
    uint32_t x[4];
    Desk *k = c->state;
    c->random(c, 0, c->twin[row], 1, k[row].drawn++, x);
    double u = (x[0] + 1.0) / 4294967296.0;
    c->post(c, t - log(u) * (kind == ARRIVES ? 1.0 : 0.8), kind, row, 0);
}

static int desk_init(sim_ctx *c, sim_time t) {
    for (uint32_t row = 0; row < c->col[0].n; row++) draw(c, row, t, ARRIVES);
    return 0;
}

static int desk_react(sim_ctx *c, sim_time t, const sim_delta *moved, uint32_t n) {
    Desk *k = c->state;
    (void)moved, (void)n;
    for (uint32_t i = 0; i < c->due_count; i++) {
        uint32_t row = (uint32_t)c->due[i].arg;
        if (c->due[i].kind == ARRIVES) {
            draw(c, row, t, ARRIVES);
            if (at(c, 1, row, 0) == 0) continue;
            if (k[row].waiting++ == 0) draw(c, row, t, LEAVES);
        } else if (--k[row].waiting > 0) {
            draw(c, row, t, LEAVES);
        }
        set(c, 0, row, 0, k[row].waiting);
    }
    return 0;
}

static const sim_role desk_roles[] = {{"queue", "", SIM_COUNT, SIM_OUT, 0, 1, NAN, "how many are there"},
                                      {"on", "", SIM_BOOL, SIM_IN, 0, 0, 1, "do any come"}};
const sim_engine toy_queue = {.abi = SOSIA_ENGINE_ABI,
                              .name = "toy-queue",
                              .roles = desk_roles,
                              .role_count = 2,
                              .state_size = desk_size,
                              .init = desk_init,
                              .react = desk_react};

// SPDX-License-Identifier: Apache-2.0
#include "site_past.h"
#include <inttypes.h>
#include <string.h>
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define NUMBERS_NS (30 * NS_PER_S) // between two values of a number
#define STATES_NS (600 * NS_PER_S) // between two of a state that does not change
#define LATE_NS (150 * NS_PER_MS)  // from a value's time until it is known

// The newest of one sensor. Its names are the pack's own, one pointer each, so they are compared as such.
typedef struct Newest {
    PlantValue v;
    int64_t told_ns; // its time when it was told last
    bool told;
} Newest;

typedef struct Past {
    FILE *out;
    Newest *slots; // open addressing; v.twin NULL: free
    size_t cap, count;
    Buf lines;
} Past;

void site_put_value(const PlantValue *v, Buf *out) {
    buf_printf(out, "{\"id\":\"%s\",\"property\":\"%s\",\"value\":", v->twin, v->path);
    switch (v->kind) {
    case PLANT_NUMBER: json_put_f64(out, v->number); break;
    case PLANT_COUNT: json_put_i64(out, v->count); break;
    case PLANT_FLAG: buf_printf(out, "%s", v->flag ? "true" : "false"); break;
    case PLANT_TEXT: json_put_str(out, str_of(v->text)); break;
    }
    buf_printf(out, ",\"time\":\"");
    time_print(v->time_ns, 3, out);
    buf_printf(out, "\"}\n");
}

// ---- frames -------------------------------------------------------------------------------------------------------

static bool frame(FILE *out, const char *what, Str name, Str body, int64_t time_ns) {
    fprintf(out, "%s%s%.*s %" PRId64 " %" PRId64 "\n", what, name.n ? "/" : "", STR_ARG(name), body.n, time_ns);
    if (body.n) fwrite(body.p, 1, (size_t)body.n, out);
    return fputc('\n', out) != EOF && !ferror(out);
}

static bool tell_text(FILE *out, const char *what, const char *p, const char *end, int64_t time_ns) {
    return !p || frame(out, what, (Str){0}, (Str){p, end - p}, time_ns);
}

static bool tell_derived(const SitePack *p, int64_t time_ns, FILE *out) {
    Arena keep;
    Json all;
    arena_init(&keep, 4096);
    Str text = {p->derived, p->derived ? p->derived_end - p->derived : 0};
    bool ok = !text.n || json_parse(text, NULL, &keep, &all, NULL) == ERR_OK;
    for (int32_t i = 0; ok && text.n && i < all.count; i++)
        ok = frame(out, "derived", all.members[i].key, all.members[i].value.raw, time_ns);
    arena_free(&keep);
    return ok;
}

// All but rules: those act, and nobody was there.
static bool tell_definitions(const SitePack *p, int64_t time_ns, FILE *out) {
    Arena keep;
    Json all;
    arena_init(&keep, 4096);
    bool ok = json_parse((Str){p->definitions, p->definitions_end - p->definitions}, NULL, &keep, &all, NULL) == ERR_OK;
    for (int32_t i = 0; ok && i < all.count; i++) {
        Str path = json_get(&all.items[i], STR("path"))->s;
        if (str_starts(path, STR("/rules/"))) continue;
        ok = frame(out, arena_str(&keep, str_sub(path, 1, path.n)).p, (Str){0},
                   json_get(&all.items[i], STR("body"))->raw, time_ns);
    }
    arena_free(&keep);
    return ok;
}

static bool tell_pack(const SitePack *p, int64_t time_ns, FILE *out) {
    return tell_text(out, "models", p->models, p->models_end, time_ns) &&
           tell_text(out, "import", p->graph, p->graph_end, time_ns) && tell_derived(p, time_ns, out) &&
           tell_text(out, "import", p->simulation, p->simulation_end, time_ns) && tell_definitions(p, time_ns, out);
}

// ---- values -------------------------------------------------------------------------------------------------------

static Newest *slot_of(Newest *slots, size_t cap, const char *twin, const char *path) {
    uint64_t h = (uint64_t)(uintptr_t)twin * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)(uintptr_t)path;
    size_t i = (size_t)((h * UINT64_C(0xD6E8FEB86659FD93)) >> 32) & (cap - 1);
    while (slots[i].v.twin && (slots[i].v.twin != twin || slots[i].v.path != path)) i = (i + 1) & (cap - 1);
    return &slots[i];
}

static void grow(Past *p) {
    size_t cap = p->cap ? p->cap * 2 : 2048;
    Newest *slots = mem_alloc(cap * sizeof *slots);
    for (size_t i = 0; i < p->cap; i++)
        if (p->slots[i].v.twin) *slot_of(slots, cap, p->slots[i].v.twin, p->slots[i].v.path) = p->slots[i];
    mem_free(p->slots);
    p->slots = slots;
    p->cap = cap;
}

static void tell(Past *p, Newest *n) {
    site_put_value(&n->v, &p->lines);
    n->told = true;
    n->told_ns = n->v.time_ns;
}

static bool is_state(const PlantValue *v) { return v->kind == PLANT_FLAG || v->kind == PLANT_TEXT; }

static bool same_state(const PlantValue *a, const PlantValue *b) {
    return a->kind == PLANT_FLAG ? a->flag == b->flag : strcmp(a->text, b->text) == 0;
}

static void see(Past *p, const PlantValue *v) {
    if (p->count * 2 >= p->cap) grow(p);
    Newest *n = slot_of(p->slots, p->cap, v->twin, v->path);
    bool first = !n->v.twin;
    p->count += first;
    bool now = first || (is_state(v) && (!same_state(&n->v, v) || v->time_ns - n->told_ns >= STATES_NS));
    n->v = *v;
    if (now) tell(p, n);
}

// The newest of every number, or of everything, that was not told yet.
static void tell_newest(Past *p, bool states) {
    for (size_t i = 0; i < p->cap; i++) {
        Newest *n = &p->slots[i];
        if (n->v.twin && n->told_ns < n->v.time_ns && (states || !is_state(&n->v))) tell(p, n);
    }
}

static bool send(Past *p, int64_t time_ns) {
    bool ok = !p->lines.n || frame(p->out, "values", (Str){0}, buf_str(&p->lines), time_ns + LATE_NS);
    buf_reset(&p->lines);
    return ok;
}

static void see_all(Past *p, const SitePack *pack, void *site) {
    PlantValue v;
    while (pack->next(site, &v)) see(p, &v);
}

static bool tell_values(Past *p, const SitePack *pack, void *site, double step_s, const volatile sig_atomic_t *ended) {
    int64_t due = pack->time(site) + NUMBERS_NS;
    see_all(p, pack, site);
    while (send(p, pack->time(site)) && !*ended) {
        if (pack->time(site) >= time_now_ns()) return true;
        pack->step(site, step_s);
        see_all(p, pack, site);
        if (pack->time(site) < due) continue;
        tell_newest(p, false);
        due += NUMBERS_NS;
    }
    return false;
}

bool site_past_tell(const SitePack *pack, void *site, int64_t start_ns, double step_s,
                    const volatile sig_atomic_t *ended, FILE *out) {
    Past p = {.out = out};
    bool ok = tell_pack(pack, start_ns, out) && tell_values(&p, pack, site, step_s, ended);
    tell_newest(&p, true);
    ok = ok && send(&p, pack->time(site)) && frame(out, "end", (Str){0}, (Str){0}, pack->time(site)) && !fflush(out);
    mem_free(p.slots);
    buf_free(&p.lines);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/watch.h"

// ---- a change, in few bytes ----------------------------------------------------------------------------------------

static void put_names(Buf *out, const Str *names, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        if (i) buf_byte(out, ',');
        json_put_str(out, names[i]);
    }
}

static void put_value(Buf *out, const SosiaValue *v) {
    switch (v->kind) {
    case SOSIA_BOOL: buf_str_put(out, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: json_put_i64(out, v->i); break;
    case SOSIA_F64: json_put_f64(out, v->d); break;
    case SOSIA_TEXT: json_put_str(out, v->s); break;
    case SOSIA_JSON: buf_str_put(out, v->s); break;
    default: buf_str_put(out, STR("null")); break;
    }
}

// NAMES..., value, time in ms]: the source's time where it has one.
static void put_told(Buf *out, const SosiaChange *ch, const Str *names, int32_t n, int64_t time_ns) {
    int64_t at = ch->source_time_ns ? ch->source_time_ns : time_ns;
    buf_byte(out, '[');
    put_names(out, names, n);
    buf_byte(out, ',');
    put_value(out, &ch->value);
    buf_byte(out, ',');
    json_put_i64(out, at >= 0 ? at / NS_PER_MS : -(-at / NS_PER_MS));
    buf_byte(out, ']');
}

static void put_named(Buf *out, const char *key, const Str *names, int32_t n) {
    buf_printf(out, "{\"%s\":[", key);
    put_names(out, names, n);
    buf_str_put(out, STR("]}"));
}

static void put_twin(Buf *out, Str twin, Str model) {
    buf_str_put(out, STR("{\"twin\":"));
    json_put_str(out, twin);
    buf_str_put(out, STR(",\"model\":"));
    json_put_str(out, model);
    buf_byte(out, '}');
}

static void put_one(Buf *out, const char *key, Str name) {
    buf_printf(out, "{\"%s\":", key);
    json_put_str(out, name);
    buf_byte(out, '}');
}

static bool retyped(const SosiaChange *ch) { return ch->what == SOSIA_EV_SET && !ch->column; }

static void put_change(Buf *out, const SosiaChange *ch, int64_t time_ns) {
    const Str value[] = {ch->twin, ch->path}, of_link[] = {ch->twin, ch->link, ch->path};
    const Str link[] = {ch->twin, ch->link, ch->path, ch->other};
    switch (ch->what) {
    case SOSIA_EV_TWIN_PUT: put_twin(out, ch->twin, ch->other.n ? ch->other : ch->model); break;
    case SOSIA_EV_TWIN_DELETE: put_one(out, "gone", ch->twin); break;
    case SOSIA_EV_SET:
    case SOSIA_EV_UNSET:
        if (retyped(ch)) put_twin(out, ch->twin, ch->value.kind == SOSIA_TEXT ? ch->value.s : ch->model);
        else put_told(out, ch, value, 2, time_ns);
        break;
    case SOSIA_EV_LINK_PUT: put_named(out, "link", link, 4); break;
    case SOSIA_EV_LINK_DELETE: put_named(out, "unlinked", link, 4); break;
    case SOSIA_EV_LINK_SET:
    case SOSIA_EV_LINK_UNSET:
        buf_str_put(out, STR("{\"linkValue\":"));
        put_told(out, ch, of_link, 3, time_ns);
        buf_byte(out, '}');
        break;
    default: put_one(out, "model", ch->twin); break;
    }
}

void watch_batch_begin(WatchBatch *x, const SosiaBatch *b) {
    x->batch = b;
    buf_reset(&x->pieces);
    if (x->cap < b->count) {
        x->cap = b->count * 2;
        x->starts = mem_grow(x->starts, (size_t)x->cap * sizeof *x->starts);
        x->ends = mem_grow(x->ends, (size_t)x->cap * sizeof *x->ends);
        x->picked = mem_grow(x->picked, (size_t)x->cap * sizeof *x->picked);
    }
    for (int64_t i = 0; i < b->count; i++) x->starts[i] = -1;
}

void watch_batch_free(WatchBatch *x) {
    buf_free(&x->pieces);
    mem_free(x->starts);
    mem_free(x->ends);
    mem_free(x->picked);
}

static Str piece_of(WatchBatch *x, int32_t i) {
    if (x->starts[i] < 0) {
        x->starts[i] = x->pieces.n;
        put_change(&x->pieces, &x->batch->changes[i], x->batch->time_ns);
        x->ends[i] = x->pieces.n;
    }
    return (Str){x->pieces.p + x->starts[i], x->ends[i] - x->starts[i]};
}

// ---- who wants what ------------------------------------------------------------------------------------------------

static uint32_t kind_of(const SosiaChange *ch) {
    switch (ch->what) {
    case SOSIA_EV_SET:
        if (retyped(ch)) return WATCH_TWINS;
        return ch->late || ch->value.kind == SOSIA_NONE ? 0 : WATCH_VALUES;
    case SOSIA_EV_UNSET: return WATCH_VALUES;
    case SOSIA_EV_TWIN_PUT:
    case SOSIA_EV_TWIN_DELETE:
    case SOSIA_EV_MODEL: return WATCH_TWINS;
    case SOSIA_EV_LINK_PUT:
    case SOSIA_EV_LINK_DELETE: return WATCH_LINKS;
    case SOSIA_EV_LINK_SET: return ch->late || ch->value.kind == SOSIA_NONE ? 0 : WATCH_LINK_VALUES;
    case SOSIA_EV_LINK_UNSET: return WATCH_LINK_VALUES;
    default: return 0;
    }
}

static bool twin_listed(const Interest *it, Str twin) {
    int64_t at;
    return map_get(&it->twins, twin, &at);
}

// The property itself, or one that lies inside of it.
static bool property_wanted(const WatchAsk *a, Str path) {
    for (int32_t i = 0; i < a->property_count; i++) {
        Str p = a->properties[i];
        if (str_starts(path, p) && (path.n == p.n || path.p[p.n] == '.')) return true;
    }
    return a->property_count == 0;
}

static bool model_wanted(const WatchAsk *a, const Kin *kin) {
    for (int32_t i = 0; kin && i < kin->count; i++) {
        for (int32_t k = 0; k < a->model_count; k++) {
            if (str_eq(kin->ids[i], a->models[k])) return true;
        }
    }
    return false;
}

// Everything but `where`. kin: of the change's model, where models were named.
static bool wants(const Interest *it, const SosiaChange *ch, uint32_t kind) {
    const WatchAsk *a = &it->ask;
    if (!(a->what & kind)) return false;
    if (ch->what == SOSIA_EV_MODEL) return a->twin_count + a->model_count == 0 && !it->test;
    if ((kind & (WATCH_VALUES | WATCH_LINK_VALUES)) && !property_wanted(a, ch->path)) return false;
    if (a->twin_count == 0 || twin_listed(it, ch->twin)) return true;
    return kind == WATCH_LINKS && twin_listed(it, ch->other);
}

// The condition is asked of what is there: what goes is told in any case.
static bool goes(const SosiaChange *ch) { return ch->what == SOSIA_EV_TWIN_DELETE || ch->what == SOSIA_EV_LINK_DELETE; }

// Keep of `picked` what fulfils the condition. -1: the world is gone.
static int64_t test_picked(Interest *it, const SosiaBatch *b, int32_t *picked, int64_t n) {
    if (!it->test || n == 0) return n;
    uint64_t *twins = mem_alloc((size_t)n * sizeof *twins);
    bool *pass = mem_alloc((size_t)n);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) twins[i] = b->changes[picked[i]].twin_no;
    if (sosia_test_twins(it->test, twins, n, pass) != SOSIA_OK) kept = -1;
    for (int64_t i = 0; i < n && kept >= 0; i++) {
        if (pass[i] || goes(&b->changes[picked[i]])) picked[kept++] = picked[i];
    }
    mem_free(twins);
    mem_free(pass);
    return kept;
}

bool interest_take(Interest *it, WatchBatch *x, Kins *kins, Sosia *engine, Str world, uint64_t pos) {
    const SosiaBatch *b = x->batch;
    int64_t n = 0;
    if (it->lost) return true; // what comes before that is told is read again anyway
    for (int64_t i = 0; i < b->count; i++) {
        const SosiaChange *ch = &b->changes[i];
        uint32_t kind = kind_of(ch);
        if (!kind || !wants(it, ch, kind)) continue;
        if (it->ask.model_count && !model_wanted(&it->ask, kins_of(kins, engine, world, ch->model))) continue;
        x->picked[n++] = (int32_t)i;
    }
    n = test_picked(it, b, x->picked, n);
    if (n < 0) return false;
    if (n > 0 && it->latest.count == 0) it->clean = pos;
    for (int64_t i = 0; i < n && !it->lost; i++) {
        if (!latest_put(&it->latest, &b->changes[x->picked[i]], piece_of(x, x->picked[i]))) interest_lose(it);
    }
    return true;
}

// ---- life ----------------------------------------------------------------------------------------------------------

void interest_lose(Interest *it) {
    latest_free(&it->latest);
    it->flush_left = 0;
    it->lost = true;
}

void interest_free(Interest *it) {
    if (!it) return;
    sosia_test_free(it->test);
    latest_free(&it->latest);
    map_free(&it->twins);
    arena_free(&it->keep);
    mem_free(it);
}

Err interest_new(Sosia *engine, Str world, const WatchAsk *ask, Interest **out, Buf *why) {
    Interest *it = mem_alloc(sizeof *it);
    arena_init(&it->keep, 512);
    it->ask = watch_ask_copy(ask, &it->keep);
    latest_init(&it->latest, WATCH_LATEST_MAX, WATCH_LATEST_BYTES_MAX);
    for (int32_t i = 0; i < ask->twin_count; i++) map_put(&it->twins, it->ask.twins[i], i);
    SosiaErr err = ask->where.n ? sosia_test_new(engine, world, ask->where, &it->test, why) : SOSIA_OK;
    if (err == SOSIA_OK) *out = it;
    else interest_free(it);
    return (Err)err;
}

// SPDX-License-Identifier: Apache-2.0
#include "engine/whatif.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"
#include "engine/scenarios.h"
#include "engine/told.h"

// ---- does it fit a world -------------------------------------------------------------------------------------------

static Err value_fits(const Field *f, const PlannedChange *p, Diag *d) {
    Diag found;
    Buf text = {0};
    if (p->value->type == JSON_NULL) return ERR_OK; // takes it away
    diag_init(&found);
    Err err = type_check(f->type, p->value, p->property, &found);
    if (err && found.count) task_message_put(&text, &found.messages[0]);
    if (err) (void)diag_add(d, err, -1, -1, (Str){0}, "changes[%d].value: %.*s", p->index, STR_ARG(buf_str(&text)));
    buf_free(&text);
    diag_free(&found);
    return err;
}

static Err change_fits(View *v, const PlannedChange *p, Diag *d) {
    TwinId id = view_find_twin(v, p->twin);
    if (!id.v)
        return diag_add(d, ERR_TWIN_NOT_FOUND, -1, -1, (Str){0},
                        "changes[%d].twin: there is no twin with the id \"%.*s\"", p->index, STR_ARG(p->twin));
    const Field *f = model_field(v->catalog->tables[view_twin_place(v, id).table].model, p->property);
    if (!f)
        return diag_add(d, ERR_VALIDATION, -1, -1, (Str){0},
                        "changes[%d].property: the model of \"%.*s\" has no property \"%.*s\"", p->index,
                        STR_ARG(p->twin), STR_ARG(p->property));
    if (f->cell >= CELL_DOC)
        return diag_add(d, ERR_VALIDATION, -1, -1, (Str){0},
                        "changes[%d].property: \"%.*s\" holds a document: only single values can be planned", p->index,
                        STR_ARG(p->property));
    return value_fits(f, p, d);
}

Err whatif_fits(View *v, const Whatif *w, Diag *d) {
    for (int32_t i = 0; i < w->change_count; i++) TRY(change_fits(v, &w->changes[i], d));
    for (int32_t i = 0; i < w->kpi_count; i++) {
        if (catalog_doc(v->catalog, KPIS_COLLECTION, w->kpis[i])) continue;
        return diag_add(d, ERR_DEFINITION_NOT_FOUND, -1, -1, (Str){0}, "kpis[%d]: there is no KPI \"%.*s\"", i,
                        STR_ARG(w->kpis[i]));
    }
    return ERR_OK;
}

// ---- trying it -----------------------------------------------------------------------------------------------------

// One call.
typedef struct Trying {
    Sosia *engine;
    const SosiaCaller *who;
    const SosiaWhatif *asked;
    Arena keep;
    Str json; // the definition
    Whatif what;
    Str changes; // JSON
    Str kpis;    // names, separated by commas
    Str from, changed, base;
    SosiaOut *out;
} Trying;

static Err say(Trying *x, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&x->out->message);
    buf_vprintf(&x->out->message, fmt, ap);
    va_end(ap);
    return err;
}

// ---- the definition -----------------------------------------------------------------------------------------------

static Err copy_definition(View *v, void *ctx) {
    Trying *x = ctx;
    const Doc *doc = catalog_doc(v->catalog, WHATIFS_COLLECTION, x->asked->name);
    if (!doc) return ERR_DEFINITION_NOT_FOUND;
    x->json = arena_str(&x->keep, doc->json);
    return ERR_OK;
}

static void take_texts(Trying *x, const Json *changes) {
    Buf text = {0};
    if (changes) json_put(&text, changes);
    x->changes = arena_str(&x->keep, buf_str(&text));
    buf_reset(&text);
    for (int32_t i = 0; i < x->what.kpi_count; i++) {
        if (i) buf_byte(&text, ',');
        buf_str_put(&text, x->what.kpis[i]);
    }
    x->kpis = arena_str(&x->keep, buf_str(&text));
    buf_free(&text);
}

static Err read_definition(Trying *x) {
    Json v;
    Diag d;
    Err err = engine_read(x->engine, x->who, x->asked->world, copy_definition, x, NULL);
    if (err == ERR_DEFINITION_NOT_FOUND) return say(x, err, "there is no what-if \"%.*s\"", STR_ARG(x->asked->name));
    if (err == ERR_WORLD_NOT_FOUND) return say(x, err, "there is no world \"%.*s\"", STR_ARG(x->asked->world));
    TRY(err);
    diag_init(&d);
    err = json_parse(x->json, NULL, &x->keep, &v, &d);
    if (!err) err = whatif_of(&x->keep, &v, x->asked->name, &x->what, &d);
    if (err && d.count) (void)say(x, err, "%.*s", STR_ARG(d.messages[0].text));
    diag_free(&d);
    if (!err) take_texts(x, json_get(&v, STR("changes")));
    return err;
}

// "live@-1d" is an instant before now.
static void take_from(Trying *x) {
    Str from = x->what.from.n ? x->what.from : x->asked->world.n ? x->asked->world : STR("live");
    Str when = from, world = str_cut(&when, '@');
    int64_t at;
    x->from = from;
    if (world.n == from.n || !when.n || (when.p[0] != '-' && !str_eq(when, STR("now")))) return;
    if (!time_parse_when(when, x->engine->now(x->engine->now_ctx), &at)) return;
    Buf text = {0};
    buf_printf(&text, "%.*s@", STR_ARG(world));
    time_print(at, 9, &text);
    x->from = arena_str(&x->keep, buf_str(&text));
    buf_free(&text);
}

// ---- names --------------------------------------------------------------------------------------------------------

static bool taken(Trying *x, Str name) {
    Realm *r;
    Err err = realm_open(x->engine, name, &r);
    if (!err) realm_unref(r);
    return err != ERR_WORLD_NOT_FOUND;
}

static Str purpose(Trying *x, bool base) {
    return arena_printf(&x->keep, WHATIF_PURPOSE "%.*s%s", STR_ARG(x->asked->name), base ? WHATIF_WITHOUT : "");
}

// Is there a world of that name, and this what-if's? Errors: WORLD_EXISTS: it is somebody else's.
static Err ours(Trying *x, Str name, bool base, bool *there) {
    Realm *r;
    Err err = realm_open(x->engine, name, &r);
    *there = !err;
    if (err) return err == ERR_WORLD_NOT_FOUND ? ERR_OK : err;
    bool mine = r->scenario && str_eq(r->scenario->purpose, purpose(x, base));
    realm_unref(r);
    return mine ? ERR_OK : ERR_WORLD_EXISTS;
}

static void name_them(Trying *x, Str name, int number) {
    x->changed = number > 1 ? arena_printf(&x->keep, "%.*s-%d", STR_ARG(name), number) : arena_str(&x->keep, name);
    x->base = arena_printf(&x->keep, "%.*s" WHATIF_BASE, STR_ARG(x->changed));
}

// ---- worlds -------------------------------------------------------------------------------------------------------

static Err fork_of(Trying *x, Str from, Str name, bool base) {
    Buf why = {0};
    SosiaFork f = {
        .from = from, .name = name, .purpose = purpose(x, base), .seed = x->what.seed, .seeded = true, .why = &why};
    Err err = (Err)sosia_world_fork(x->engine, x->who, &f);
    if (err) (void)say(x, err, "%.*s cannot be forked: %.*s", STR_ARG(from), STR_ARG(buf_str(&why)));
    buf_free(&why);
    return err;
}

static Err look_at(View *v, void *ctx) {
    Trying *x = ctx;
    Diag d;
    diag_init(&d);
    Err err = whatif_fits(v, &x->what, &d);
    if (err)
        (void)say(x, err, "what-if \"%.*s\" does not fit %.*s: %.*s", STR_ARG(x->asked->name), STR_ARG(x->from),
                  STR_ARG(d.messages[0].text));
    diag_free(&d);
    return err;
}

// The worlds that this what-if made before go, when both are its own and it fits what it is tried on.
static Err clear(Trying *x) {
    bool changed, base;
    TRY(ours(x, x->changed, false, &changed));
    Err theirs = ours(x, x->base, true, &base);
    if (theirs == ERR_WORLD_EXISTS && x->asked->alone) base = false; // it is not needed
    else TRY(theirs);
    if (!changed && !base) return ERR_OK;
    Err err = engine_read(x->engine, x->who, x->from, look_at, x, NULL);
    if (err && err != ERR_WORLD_NOT_FOUND) return err; // the fork has a sentence for that
    if (!err && changed) err = (Err)sosia_drop(x->engine, x->who, x->changed);
    if (!err && base) err = (Err)sosia_drop(x->engine, x->who, x->base);
    return err == ERR_WORLD_NOT_FOUND ? ERR_OK : err;
}

static Err choose_names(Trying *x) {
    const SosiaWhatif *a = x->asked;
    name_them(x, a->as.n ? a->as : a->name, 1);
    if (a->again) {
        Err err = clear(x);
        if (err != ERR_WORLD_EXISTS) return err;
    }
    if (a->as.n) return ERR_OK; // taken: the fork says so
    for (int i = 2; taken(x, x->changed) || (!a->alone && taken(x, x->base)); i++) {
        if (i > WORLDS_MAX + 2) return say(x, ERR_LIMIT, "%d worlds are the limit", WORLDS_MAX);
        name_them(x, a->name, i);
    }
    return ERR_OK;
}

static Err set_off(Trying *x, Str world, Str changes) {
    SosiaOut out = {0};
    SosiaRun run = {
        .world = world, .for_ns = x->what.for_ns, .output_ns = x->what.output_ns, .changes = changes, .kpis = x->kpis};
    Err err = (Err)sosia_run(x->engine, x->who, &run, &out);
    if (err) (void)say(x, err, "%.*s does not run: %.*s", STR_ARG(world), STR_ARG(buf_str(&out.message)));
    sosia_out_free(&out);
    return err;
}

// The changed world is forked of `from`, a world that was made for it, or not.
static Err make_changed(Trying *x, Str from, Str base) {
    TRY(fork_of(x, from, x->changed, false));
    Err err = base.n ? ERR_OK : engine_read(x->engine, x->who, x->changed, look_at, x, NULL);
    if (!err) err = set_off(x, x->changed, x->changes);
    if (!err && base.n) err = set_off(x, base, (Str){0});
    if (err) (void)sosia_drop(x->engine, x->who, x->changed);
    return err;
}

// Nothing is left of what did not begin.
static Err make_worlds(Trying *x) {
    if (x->asked->alone) return make_changed(x, x->from, (Str){0});
    TRY(fork_of(x, x->from, x->base, true));
    Err err = engine_read(x->engine, x->who, x->base, look_at, x, NULL);
    if (!err) err = make_changed(x, x->base, x->base);
    if (err) (void)sosia_drop(x->engine, x->who, x->base);
    return err;
}

static void put_member(Buf *out, const char *name, Str s) {
    if (!s.n) return;
    buf_printf(out, ",\"%s\":", name);
    json_put_str(out, s);
}

static void tell_head(const Trying *x, Buf *out) {
    buf_printf(out, "{\"whatif\":");
    json_put_str(out, x->asked->name);
    put_member(out, "title", x->what.title);
}

static void tell(const Trying *x, Buf *out) {
    tell_head(x, out);
    buf_printf(out, ",\"world\":");
    json_put_str(out, x->changed);
    buf_printf(out, ",\"from\":");
    json_put_str(out, x->from);
    if (!x->asked->alone) {
        buf_printf(out, ",\"baseline\":");
        json_put_str(out, x->base);
        buf_printf(out, ",\"compare\":\"/compare?worlds=%.*s,%.*s", STR_ARG(x->base), STR_ARG(x->changed));
        if (x->kpis.n) buf_printf(out, "&kpis=%.*s", STR_ARG(x->kpis));
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
}

// ---- many times over ----------------------------------------------------------------------------------------------

static void put_period(Buf *out, const char *name, int64_t ns) {
    if (!ns) return;
    buf_printf(out, ",\"%s\":\"", name);
    told_period(ns, out);
    buf_byte(out, '"');
}

// The what-if as an ensemble of two cases.
static void put_ensemble(const Trying *x, Buf *out) {
    Str names = x->kpis;
    buf_printf(out, "{\"whatif\":");
    json_put_str(out, x->asked->name);
    put_member(out, "title", x->what.title);
    put_member(out, "about", x->what.about);
    put_period(out, "for", x->what.for_ns);
    put_period(out, "output", x->what.output_ns);
    buf_printf(out, ",\"replications\":%d,\"seed\":%lld", x->asked->replications, (long long)x->what.seed);
    if (x->asked->level > 0) buf_printf(out, ",\"level\":%.17g", x->asked->level);
    for (bool first = true; names.n; first = false) {
        buf_str_put(out, first ? STR(",\"kpis\":[") : STR(","));
        json_put_str(out, str_cut(&names, ','));
        if (!names.n) buf_byte(out, ']');
    }
    buf_printf(out, ",\"cases\":[{\"name\":\"as is\"},{\"name\":\"with the change\",\"changes\":%.*s}]}",
               x->changes.n ? (int)x->changes.n : 2, x->changes.n ? x->changes.p : "[]");
}

static Err try_many(Trying *x) {
    Buf json = {0};
    SosiaOut begun = {0};
    Arena a;
    Json answer;
    Err err = engine_read(x->engine, x->who, x->from, look_at, x, NULL);
    if (err == ERR_WORLD_NOT_FOUND) return say(x, err, "there is no world \"%.*s\"", STR_ARG(x->from));
    TRY(err);
    put_ensemble(x, &json);
    err = (Err)sosia_ensemble(x->engine, x->who, x->from, buf_str(&json), &begun);
    if (err) (void)say(x, err, "%.*s", STR_ARG(buf_str(&begun.message)));
    arena_init(&a, 4096);
    if (!err && !json_parse(buf_str(&begun.body), NULL, &a, &answer, NULL)) {
        long long id = (long long)json_get(&answer, STR("id"))->i;
        tell_head(x, &x->out->body);
        put_member(&x->out->body, "from", x->from);
        buf_printf(&x->out->body, ",\"ensemble\":%lld,\"report\":\"/ensembles/%lld\"}", id, id);
    }
    arena_free(&a);
    buf_free(&json);
    sosia_out_free(&begun);
    return err;
}

SosiaErr sosia_whatif(Sosia *s, const SosiaCaller *who, const SosiaWhatif *a, SosiaOut *out) {
    Trying x = {.engine = s, .who = who, .asked = a, .out = out};
    buf_reset(&out->body);
    buf_reset(&out->message);
    arena_init(&x.keep, 4096);
    Err err = read_definition(&x);
    if (!err) take_from(&x);
    if (!err && a->replications > 0) err = try_many(&x);
    else if (!err) {
        err = choose_names(&x);
        if (!err) err = make_worlds(&x);
        if (!err) tell(&x, &out->body);
    }
    if (err && !out->message.n) (void)say(&x, err, "%s", err_text(err));
    arena_free(&x.keep);
    return (SosiaErr)err;
}

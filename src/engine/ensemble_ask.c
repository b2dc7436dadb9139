// SPDX-License-Identifier: Apache-2.0
// What is asked of an ensemble, from JSON.
#include <math.h>
#include "base/time.h"
#include "codec/json.h"
#include "engine/ensemble.h"

static Err wrong(Diag *d, const Json *at, Str where, const char *text) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, where, "%s", text);
}

static bool duration(const Json *v, int64_t *out) {
    return v->type == JSON_STRING && (time_parse_period(v->s, out) || time_parse_duration(v->s, out)) && *out > 0;
}

static bool count(const Json *v, int32_t most, int32_t *out) {
    if (v->type != JSON_INT || v->i < 1 || v->i > most) return false;
    *out = (int32_t)v->i;
    return true;
}

static bool part(const Json *v, double *out) {
    *out = json_is_number(v) ? json_f64(v) : (double)NAN;
    return *out > 0;
}

static Err names_of(Arena *a, const Json *v, Str *out, Diag *d) {
    Buf b = {0};
    Err err = v->type == JSON_ARRAY && v->count ? ERR_OK : wrong(d, v, STR("kpis"), "\"kpis\" is a list of names");
    for (int32_t i = 0; !err && i < v->count; i++) {
        if (v->items[i].type != JSON_STRING) err = wrong(d, v, STR("kpis"), "\"kpis\" is a list of names");
        else {
            if (i) buf_byte(&b, ',');
            buf_str_put(&b, v->items[i].s);
        }
    }
    *out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return err;
}

static Err tracks_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d) {
    const char *text = "\"track\" is a list of {\"twin\",\"property\"}";
    if (v->type != JSON_ARRAY) return wrong(d, v, STR("track"), text);
    if (v->count > ENSEMBLE_TRACKS_MAX)
        return diag_add(d, ERR_LIMIT, v->at, -1, STR("track"), "at most %d values can be tracked", ENSEMBLE_TRACKS_MAX);
    out->tracks = NEW(a, EnsembleTrack, v->count + 1);
    for (int32_t i = 0; i < v->count; i++) {
        const Json *twin = json_get(&v->items[i], STR("twin")), *property = json_get(&v->items[i], STR("property"));
        if (!twin || !property || twin->type != JSON_STRING || property->type != JSON_STRING || v->items[i].count != 2)
            return wrong(d, &v->items[i], STR("track"), text);
        out->tracks[i] = (EnsembleTrack){arena_str(a, twin->s), arena_str(a, property->s)};
    }
    out->track_count = v->count;
    return ERR_OK;
}

// What was done in it, for people.
static Err told_of(Arena *a, const Json *v, EnsembleCase *out, Diag *d) {
    bool ok = v->type == JSON_ARRAY;
    if (ok) out->told = NEW(a, Str, v->count + 1);
    for (int32_t i = 0; ok && i < v->count; i++) {
        ok = v->items[i].type == JSON_STRING;
        if (ok) out->told[out->told_count++] = arena_str(a, v->items[i].s);
    }
    return ok ? ERR_OK : wrong(d, v, STR("cases"), "\"told\" is a list of texts");
}

static Err case_of(Arena *a, const Json *v, int32_t number, EnsembleCase *out, Diag *d) {
    if (v->type != JSON_OBJECT) return wrong(d, v, STR("cases"), "a case is {\"name\",\"changes\"}");
    for (int32_t i = 0; i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        Whatif w;
        if (str_eq(m->key, STR("name")) && m->value.type == JSON_STRING) {
            out->name = arena_str(a, m->value.s);
        } else if (str_eq(m->key, STR("world")) && m->value.type == JSON_STRING) {
            out->world = arena_str(a, m->value.s);
        } else if (str_eq(m->key, STR("told"))) {
            TRY(told_of(a, &m->value, out, d));
        } else if (str_eq(m->key, STR("changes"))) {
            TRY(whatif_changes(a, &m->value, &w, d));
            out->changes = w.changes;
            out->change_count = w.change_count;
        } else {
            return wrong(d, &m->value, STR("cases"), "a case is {\"name\",\"changes\",\"world\"}");
        }
    }
    if (out->name.n) return ERR_OK;
    Buf b = {0};
    buf_printf(&b, "case %d", number + 1);
    out->name = arena_str(a, buf_str(&b));
    buf_free(&b);
    return ERR_OK;
}

static Err cases_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d) {
    if (v->type != JSON_ARRAY || !v->count)
        return wrong(d, v, STR("cases"), "\"cases\" is a list of {\"name\",\"changes\"}");
    if (v->count > ENSEMBLE_CASES_MAX)
        return diag_add(d, ERR_LIMIT, v->at, -1, STR("cases"), "at most %d cases can be tried at once",
                        ENSEMBLE_CASES_MAX);
    out->cases = NEW(a, EnsembleCase, v->count);
    out->case_count = v->count;
    for (int32_t i = 0; i < v->count; i++) TRY(case_of(a, &v->items[i], i, &out->cases[i], d));
    return ERR_OK;
}

static Err names_differ(const EnsembleAsk *out, const Json *v, Diag *d) {
    for (int32_t i = 0; i < out->case_count; i++)
        for (int32_t k = 0; k < i; k++)
            if (str_eq(out->cases[k].name, out->cases[i].name))
                return diag_add(d, ERR_ARGUMENT, v->at, -1, STR("cases"), "two cases have one name: \"%.*s\"",
                                STR_ARG(out->cases[i].name));
    return ERR_OK;
}

static Err precision_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d) {
    static const char text[] = "\"precision\" is {\"kpi\", \"half\" or \"relative\", \"most\"}";
    bool ok = v->type == JSON_OBJECT;
    for (int32_t i = 0; ok && i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        if (str_eq(m->key, STR("kpi")) && m->value.type == JSON_STRING) out->precision = arena_str(a, m->value.s);
        else if (str_eq(m->key, STR("half"))) ok = part(&m->value, &out->half);
        else if (str_eq(m->key, STR("relative"))) ok = part(&m->value, &out->half_relative);
        else if (str_eq(m->key, STR("most"))) ok = count(&m->value, ENSEMBLE_REPLICATIONS_MAX, &out->most);
        else ok = false;
    }
    ok = ok && out->precision.n && (out->half > 0) != (out->half_relative > 0);
    return ok ? ERR_OK : wrong(d, v, STR("precision"), text);
}

static Err text_of(Arena *a, const Json *v, Str key, Str *out, Diag *d) {
    if (v->type != JSON_STRING || v->s.n > ENSEMBLE_TITLE_MAX)
        return diag_add(d, ERR_ARGUMENT, v->at, -1, key, "a text of at most %d bytes", ENSEMBLE_TITLE_MAX);
    *out = arena_str(a, v->s);
    return ERR_OK;
}

static Err member(Arena *a, const JsonMember *m, EnsembleAsk *out, Diag *d) {
    const Json *v = &m->value;
    Str key = m->key;
    if (str_eq(key, STR("title"))) return text_of(a, v, key, &out->title, d);
    if (str_eq(key, STR("about"))) return text_of(a, v, key, &out->about, d);
    if (str_eq(key, STR("whatif"))) return text_of(a, v, key, &out->whatif, d);
    if (str_eq(key, STR("sweep"))) return ERR_OK; // behind the cases
    if (str_eq(key, STR("lanes")))
        return count(v, 8, &out->lanes) && (out->lanes == 1 || out->lanes == 8) ? ERR_OK
                                                                                : wrong(d, v, key, "1 or 8 lanes");
    if (str_eq(key, STR("kpis"))) return names_of(a, v, &out->kpis, d);
    if (str_eq(key, STR("track"))) return tracks_of(a, v, out, d);
    if (str_eq(key, STR("cases"))) return cases_of(a, v, out, d);
    if (str_eq(key, STR("precision"))) return precision_of(a, v, out, d);
    if (str_eq(key, STR("for")) || str_eq(key, STR("output")))
        return duration(v, str_eq(key, STR("for")) ? &out->for_ns : &out->output_ns)
                   ? ERR_OK
                   : wrong(d, v, key, "a length of time is said as \"P7D\", \"PT2H\" or \"15m\"");
    if (str_eq(key, STR("replications")))
        return count(v, ENSEMBLE_REPLICATIONS_MAX, &out->replications) ? ERR_OK
                                                                       : wrong(d, v, key, "1 to 1,000,000 of them");
    if (str_eq(key, STR("threads")))
        return count(v, ENSEMBLE_THREADS_MAX, &out->threads) ? ERR_OK : wrong(d, v, key, "1 to 64 threads");
    if (str_eq(key, STR("seed")) && v->type == JSON_INT) {
        out->seed = (uint64_t)v->i;
        out->seeded = true;
        return ERR_OK;
    }
    if (str_eq(key, STR("level")))
        return part(v, &out->level) && out->level < 1 ? ERR_OK : wrong(d, v, key, "a probability, as 0.95");
    return diag_add(
        d, ERR_ARGUMENT, v->at, -1, key,
        "\"%.*s\" is not a member of an ensemble, or not what it should be: for, output, replications, seed, "
        "threads, level, kpis, track, cases, sweep, precision, title, about",
        STR_ARG(key));
}

Err ensemble_ask_of(Arena *a, const Json *v, EnsembleAsk *out, Diag *d) {
    *out = (EnsembleAsk){0};
    if (v->type != JSON_OBJECT) return wrong(d, v, (Str){0}, "an ensemble is asked for by an object");
    for (int32_t i = 0; i < v->count; i++) TRY(member(a, &v->members[i], out, d));
    if (!out->for_ns) return wrong(d, v, STR("for"), "say how long each is to run: \"for\"");
    int64_t step = out->output_ns ? out->output_ns : out->for_ns;
    if (out->for_ns / step > ENSEMBLE_INSTANTS_MAX)
        return diag_add(d, ERR_LIMIT, v->at, -1, STR("output"), "a course has at most %d instants",
                        ENSEMBLE_INSTANTS_MAX);
    if (!out->cases) {
        out->cases = NEW(a, EnsembleCase, 1);
        out->cases[0].name = STR("as is");
        out->case_count = 1;
    }
    out->grid_from = out->case_count;
    if (json_get(v, STR("sweep"))) TRY(ensemble_sweep_of(a, json_get(v, STR("sweep")), out, d));
    return names_differ(out, v, d);
}

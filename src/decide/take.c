// SPDX-License-Identifier: Apache-2.0
#include "decide/take.h"
#include <math.h>
#include "base/time.h"

static Err not_so(Diag *d, const Json *at, const Take *m, const char *what) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "\"%s\" is %s", m->name, what);
}

static Err out_of(Diag *d, const Json *at, const Take *m, const char *unit) {
    return diag_add(d, ERR_ARGUMENT, at->at, -1, (Str){0}, "\"%s\" is %.13g to %.13g%s", m->name, m->least, m->most,
                    unit);
}

static Err take_span(const Json *v, const Take *m, Diag *d) {
    int64_t ns;
    if (v->type != JSON_STRING || !(time_parse_period(v->s, &ns) || time_parse_duration(v->s, &ns)))
        return not_so(d, v, m, "a length of time, as \"PT30S\", \"PT1H\" or \"15m\"");
    if ((double)ns < m->least * 1e9 || (double)ns > m->most * 1e9) return out_of(d, v, m, " s");
    *(int64_t *)m->to = ns;
    return ERR_OK;
}

static Err take_number(const Json *v, const Take *m, Diag *d) {
    bool whole = m->kind == TAKE_WHOLE;
    if (m->kind == TAKE_VALUE && v->type == JSON_NULL) {
        *(double *)m->to = NAN;
        return ERR_OK;
    }
    if (!json_is_number(v) || (whole && v->type != JSON_INT))
        return not_so(d, v, m, whole ? "a whole number" : "a number");
    double x = json_f64(v);
    if ((m->least < 0 || m->most > 0) && !(x >= m->least && x <= m->most)) return out_of(d, v, m, "");
    if (whole) *(int64_t *)m->to = v->i;
    else *(double *)m->to = x;
    return ERR_OK;
}

static Err take_one(const Json *v, const Take *m, Diag *d) {
    switch (m->kind) {
    case TAKE_TEXT:
        if (v->type != JSON_STRING) return not_so(d, v, m, "a text");
        *(Str *)m->to = v->s;
        return ERR_OK;
    case TAKE_SPAN: return take_span(v, m, d);
    case TAKE_INSTANT:
        if (v->type != JSON_STRING || !time_parse(v->s, m->to)) return not_so(d, v, m, "an instant (RFC 3339)");
        return ERR_OK;
    case TAKE_NUMBER:
    case TAKE_VALUE:
    case TAKE_WHOLE: return take_number(v, m, d);
    case TAKE_FLAG:
        if (!json_is_bool(v)) return not_so(d, v, m, "true or false");
        *(bool *)m->to = v->type == JSON_TRUE;
        return ERR_OK;
    case TAKE_ANY: *(const Json **)m->to = v; return ERR_OK;
    }
    return ERR_OK;
}

Err take_object(const Json *v, const char *what, const Take *members, int n, Diag *d) {
    if (v->type != JSON_OBJECT) return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "%s is an object", what);
    if (v->dup) return diag_add(d, ERR_ARGUMENT, v->at, -1, (Str){0}, "a member of %s comes twice", what);
    for (int32_t i = 0; i < v->count; i++) {
        const JsonMember *m = &v->members[i];
        int k = 0;
        while (k < n && !str_eq(str_of(members[k].name), m->key)) k++;
        if (k == n)
            return diag_add(d, ERR_ARGUMENT, m->value.at, -1, (Str){0}, "%s has no member \"%.*s\"", what,
                            STR_ARG(m->key));
        TRY(take_one(&m->value, &members[k], d));
    }
    return ERR_OK;
}

Err take_list(const Json *v, const Json *of, const char *name, int least, int most, Diag *d) {
    int n = v && v->type == JSON_ARRAY ? v->count : 0;
    if ((!v || v->type == JSON_ARRAY) && n >= least && n <= most) return ERR_OK;
    return diag_add(d, n > most ? ERR_LIMIT : ERR_ARGUMENT, v ? v->at : of->at, -1, (Str){0},
                    "\"%s\" is a list of %d to %d", name, least, most);
}

Err take_numbers(Arena *a, const Json *v, const Json *of, const char *name, int n, double **out, Diag *d) {
    if ((v && v->type != JSON_ARRAY) || (v ? v->count : 0) != n)
        return diag_add(d, ERR_ARGUMENT, v ? v->at : of->at, -1, (Str){0}, "\"%s\" is a list of %d numbers", name, n);
    *out = NEW(a, double, n + 1);
    const Take one = {name, TAKE_VALUE, NULL, 0, 0};
    for (int i = 0; i < n; i++) {
        Take m = one;
        m.to = &(*out)[i];
        TRY(take_number(&v->items[i], &m, d));
    }
    return ERR_OK;
}

Str take_compact(Arena *a, const Json *v) {
    Buf text = {0};
    json_put(&text, v);
    Str s = arena_str(a, buf_str(&text));
    buf_free(&text);
    return s;
}

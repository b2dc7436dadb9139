// SPDX-License-Identifier: Apache-2.0
// Statements stand on the lexer and the parser of expressions: a keyword, a target, then an expression that ends at the
// first token that cannot go on with it.
#include "sim/say.h"
#include <stdarg.h>
#include <stdio.h>
#include "expr/lex.h"

#define WEEK_NS (INT64_C(7) * 86400 * 1000000000)
#define ZONE_MAX_NS (INT64_C(14) * 3600 * 1000000000)

static Err take_target(Lex *l, SayTarget *t) {
    Buf path = {0};
    Str name;
    *t = (SayTarget){.at = l->token.at};
    if ((lex_is(l, "in") || lex_is(l, "out"))) {
        Lex ahead = *l;
        lex_next(&ahead);
        if (lex_is(&ahead, ".")) {
            t->in = lex_is(l, "in");
            t->out = !t->in;
            lex_next(l);
            lex_next(l);
            TRY(lex_name(l, "a relationship", &t->rel));
            TRY(lex_want(l, "."));
        }
    }
    t->end = l->token.end;
    TRY(lex_name(l, "a property", &name));
    buf_str_put(&path, name);
    while (lex_is(l, ".")) {
        lex_next(l);
        t->end = l->token.end;
        if (l->token.kind != TOKEN_NAME && l->token.kind != TOKEN_QUOTED) {
            buf_free(&path);
            return lex_fail(l, "expected a name after the point");
        }
        buf_byte(&path, '.');
        buf_str_put(&path, l->token.text);
        lex_next(l);
    }
    t->path = arena_str(l->arena, buf_str(&path));
    buf_free(&path);
    return ERR_OK;
}

static Err take_acts(Lex *l, SayActs *out) {
    SayAct items[SAY_ACTS_MAX];
    do {
        if (out->count == SAY_ACTS_MAX) {
            return diag_add(l->diag, ERR_LIMIT, l->token.at, l->token.end, STR(""), "more than %d assignments",
                            SAY_ACTS_MAX);
        }
        SayAct *a = &items[out->count];
        *a = (SayAct){0};
        TRY(take_target(l, &a->target));
        TRY(lex_want(l, "="));
        TRY(lex_expr(l, &a->value));
        out->count++;
    } while (lex_take(l, ","));
    out->items = NEW(l->arena, SayAct, out->count);
    memcpy(out->items, items, (size_t)out->count * sizeof *items);
    return ERR_OK;
}

static Err take_span(Lex *l, int64_t *ns) {
    if (l->token.kind != TOKEN_SPAN) return lex_fail(l, "expected a span of time, as 90s, 5m, 1h");
    *ns = l->token.value.i;
    lex_next(l);
    return ERR_OK;
}

static Err take_when(Lex *l, Say *s) {
    s->kind = SAY_WHEN;
    TRY(lex_expr(l, &s->expr));
    TRY(lex_want(l, "then"));
    TRY(take_acts(l, &s->acts));
    return lex_take(l, "else") ? take_acts(l, &s->other) : ERR_OK;
}

static Err take_every(Lex *l, Say *s) {
    s->kind = SAY_EVERY;
    int32_t at = l->token.at;
    TRY(take_span(l, &s->span_ns));
    if (s->span_ns < 1000)
        return diag_add(l->diag, ERR_SYNTAX, at, l->token.at, STR(""), "every is for spans from 1us on");
    if (lex_take(l, "from")) TRY(take_span(l, &s->from_ns));
    else if (lex_take(l, "at")) {
        s->aligned = true;
        if (WEEK_NS % s->span_ns)
            return diag_add(l->diag, ERR_SYNTAX, at, l->token.at, STR(""),
                            "a week must be a whole number of spans, where \"at\" says when");
        TRY(take_span(l, &s->from_ns));
    }
    TRY(lex_want(l, "do"));
    return take_acts(l, &s->acts);
}

static Err take_rate(Lex *l, Say *s) {
    s->kind = SAY_AT_RATE;
    TRY(lex_want(l, "rate"));
    TRY(lex_expr(l, &s->expr));
    TRY(lex_want(l, "do"));
    return take_acts(l, &s->acts);
}

static Err take_rest(Lex *l, Say *s) {
    TRY(lex_want(l, "="));
    return lex_expr(l, &s->expr);
}

static Err take_der(Lex *l, Say *s) {
    s->kind = SAY_RATE;
    TRY(lex_want(l, "("));
    TRY(take_target(l, &s->target));
    TRY(lex_want(l, ")"));
    return take_rest(l, s);
}

// Is the word a statement's first, and not the name of a property that is set?
static bool opens(const Lex *l, const char *word) {
    if (!lex_is(l, word) || l->token.kind != TOKEN_NAME) return false;
    Lex ahead = *l;
    lex_next(&ahead);
    return !lex_is(&ahead, "=") && !lex_is(&ahead, ".");
}

static Err take_say(Lex *l, Say *s) {
    if (opens(l, "der")) return lex_next(l), take_der(l, s);
    if (opens(l, "when")) return lex_next(l), take_when(l, s);
    if (opens(l, "every")) return lex_next(l), take_every(l, s);
    if (opens(l, "at")) return lex_next(l), take_rate(l, s);
    if (opens(l, "initially")) {
        lex_next(l);
        s->kind = SAY_INITIALLY;
        return take_acts(l, &s->acts);
    }
    s->kind = SAY_ALWAYS;
    TRY(take_target(l, &s->target));
    return take_rest(l, s);
}

Err say_parse(Arena *a, Str text, Say *out, Diag *d) {
    Lex l;
    Say s = {.from_ns = -1};
    TRY(lex_begin(&l, a, text, d));
    s.text = text;
    TRY(take_say(&l, &s));
    if (l.token.kind != TOKEN_END) return lex_fail(&l, "expected the end of the statement");
    if ((s.kind == SAY_RATE || s.kind == SAY_ALWAYS) && (s.target.in || s.target.out))
        return diag_add(d, ERR_SYNTAX, s.target.at, s.target.end, STR(""),
                        "a rate or a definition is of the twin's own property");
    *out = s;
    return ERR_OK;
}

// ---- documents ------------------------------------------------------------------------------------------------------

Err say_fault(Diag *d, Err code, const SayDoc *doc, int32_t number, int32_t at, const char *fmt, ...) {
    char text[1000], where[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int n = snprintf(where, sizeof where, "%s %.*s", doc->noun ? doc->noun : "behaviour",
                     (int)(doc->name.n < 128 ? doc->name.n : 128), doc->name.p ? doc->name.p : "");
    if (number >= 0 && !doc->noun) n += snprintf(where + n, sizeof where - (size_t)n, ", statement %d", number + 1);
    if (number >= 0 && at >= 0) {
        int32_t line = 1, column = 1;
        if (doc->says) expr_place(doc->says[number].text, at, &line, &column);
        if (line > 1) n += snprintf(where + n, sizeof where - (size_t)n, ", line %d", line);
        n += snprintf(where + n, sizeof where - (size_t)n, ", column %d", column);
    }
    return diag_add(d, code, at, -1, (Str){where, n}, "%s", text);
}

static Err read_parameter(Arena *a, const SayDoc *doc, const JsonMember *m, SayParameter *p, Diag *d) {
    *p = (SayParameter){.name = m->key, .type = m->value.type};
    if (json_is_number(&m->value)) {
        p->type = JSON_DOUBLE;
        p->value = json_f64(&m->value);
    } else if (m->value.type == JSON_STRING) {
        Expr *e;
        p->text = m->value.s;
        bool quantity = p->text.n && (strchr("-+.0123456789", p->text.p[0]) != NULL);
        if (!quantity || expr_parse(a, p->text, &e, NULL) != ERR_OK) return ERR_OK;
        double sign = 1;
        while (e->op == EX_NEG) e = e->args[0], sign = -sign;
        if (e->op != EX_LITERAL || (e->value.type != EXPR_I64 && e->value.type != EXPR_F64)) {
            if (e->op != EX_LITERAL || e->value.type != EXPR_DURATION) return ERR_OK;
            p->value = sign * (double)e->value.i / 1e9;
            dims_unit(STR("second"), &p->unit);
        } else {
            if (e->unit.n == 0) return ERR_OK;
            if (!dims_unit(e->unit, &p->unit)) {
                return say_fault(d, ERR_VALIDATION, doc, -1, -1, "parameter %.*s: no unit is called '%.*s'",
                                 STR_ARG(m->key), STR_ARG(e->unit));
            }
            double v = e->value.type == EXPR_I64 ? (double)e->value.i : e->value.d;
            p->value = sign * v * p->unit.factor + p->unit.offset;
        }
        p->type = JSON_DOUBLE;
        p->has_unit = true;
    } else if (!json_is_bool(&m->value)) {
        return say_fault(d, ERR_VALIDATION, doc, -1, -1, "parameter %.*s is a number, a text, true or false",
                         STR_ARG(m->key));
    }
    return ERR_OK;
}

static int two_digits(Str s, int64_t at) {
    bool both = s.p[at] >= '0' && s.p[at] <= '9' && s.p[at + 1] >= '0' && s.p[at + 1] <= '9';
    return both ? (s.p[at] - '0') * 10 + s.p[at + 1] - '0' : 99;
}

// "+01:00", "-03:30", "Z".
static Err read_zone(const Json *v, SayDoc *doc, Diag *d) {
    if (!v) return ERR_OK;
    Str s = v->type == JSON_STRING ? v->s : (Str){0};
    if (str_eq(s, STR("Z"))) return ERR_OK;
    bool shape = s.n == 6 && (s.p[0] == '+' || s.p[0] == '-') && s.p[3] == ':';
    int hours = shape ? two_digits(s, 1) : 99, minutes = shape ? two_digits(s, 4) : 99;
    int64_t ns = (hours * INT64_C(60) + minutes) * 60 * 1000000000;
    if (minutes > 59 || ns > ZONE_MAX_NS)
        return say_fault(d, ERR_VALIDATION, doc, -1, -1, "\"zone\" is what its clock is ahead of UTC, as \"+01:00\"");
    doc->zone_ns = s.p[0] == '-' ? -ns : ns;
    return ERR_OK;
}

static Err read_parameters(Arena *a, const Json *v, SayDoc *doc, Diag *d) {
    if (!v) return ERR_OK;
    if (v->type != JSON_OBJECT) return say_fault(d, ERR_VALIDATION, doc, -1, -1, "\"parameters\" is an object");
    if (v->count > SAY_PARAMETERS_MAX)
        return say_fault(d, ERR_LIMIT, doc, -1, -1, "more than %d parameters", SAY_PARAMETERS_MAX);
    doc->parameters = NEW(a, SayParameter, v->count);
    for (int32_t i = 0; i < v->count; i++) {
        TRY(read_parameter(a, doc, &v->members[i], &doc->parameters[doc->parameter_count++], d));
    }
    return ERR_OK;
}

// The first message of a parser, as ours.
static Err retell(Diag *d, const Diag *inner, const SayDoc *doc, int32_t number, Err e) {
    if (inner->count == 0) return say_fault(d, e, doc, number, -1, "cannot be read");
    return say_fault(d, e, doc, number, (int32_t)inner->messages[0].at, "%.*s", STR_ARG(inner->messages[0].text));
}

#define BEHAVIOUR_SAYS 1000 // BEHAVIOUR_STATEMENTS_MAX

static Err read_says(Arena *a, const Json *v, SayDoc *doc, Diag *d) {
    if (!v || v->type != JSON_ARRAY || v->count == 0)
        return say_fault(d, ERR_VALIDATION, doc, -1, -1, "\"say\" is a list of at least one statement");
    if (v->count > BEHAVIOUR_SAYS)
        return say_fault(d, ERR_LIMIT, doc, -1, -1, "more than %d statements", BEHAVIOUR_SAYS);
    doc->says = NEW(a, Say, v->count);
    doc->say_count = v->count;
    for (int32_t i = 0; i < v->count; i++) {
        Diag inner;
        if (v->items[i].type != JSON_STRING)
            return say_fault(d, ERR_VALIDATION, doc, i, -1, "a statement is a text, not %s",
                             json_type_name(v->items[i].type));
        doc->says[i].text = arena_str(a, v->items[i].s);
        diag_init(&inner);
        Err e = say_parse(a, doc->says[i].text, &doc->says[i], &inner);
        if (e != ERR_OK) e = retell(d, &inner, doc, i, e);
        diag_free(&inner);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static Err known_members(const Json *v, const SayDoc *doc, Diag *d) {
    static const char *const NAMES[] = {"model", "twin", "title", "description", "zone", "parameters", "say"};
    for (int32_t i = 0; i < v->count; i++) {
        bool known = v->members[i].key.n > 0 && v->members[i].key.p[0] == '$';
        for (size_t k = 0; k < sizeof NAMES / sizeof *NAMES; k++) {
            known = known || str_eq(v->members[i].key, str_of(NAMES[k]));
        }
        if (!known)
            return say_fault(d, ERR_VALIDATION, doc, -1, -1, "a behaviour has no \"%.*s\"", STR_ARG(v->members[i].key));
    }
    return ERR_OK;
}

Err say_document(Arena *a, Str name, Str json, SayDoc *out, Diag *d) {
    Json v;
    SayDoc doc = {.name = arena_str(a, name)};
    TRY(json_parse(arena_str(a, json), NULL, a, &v, d));
    if (v.type != JSON_OBJECT) return say_fault(d, ERR_VALIDATION, &doc, -1, -1, "a behaviour is an object");
    TRY(known_members(&v, &doc, d));
    const Json *model = json_get(&v, STR("model")), *twin = json_get(&v, STR("twin"));
    if (!model == !twin || (model ? model : twin)->type != JSON_STRING)
        return say_fault(d, ERR_VALIDATION, &doc, -1, -1, "a behaviour has a \"model\" or a \"twin\", a text");
    if (model) doc.model = model->s;
    else doc.twin = twin->s;
    TRY(read_zone(json_get(&v, STR("zone")), &doc, d));
    TRY(read_parameters(a, json_get(&v, STR("parameters")), &doc, d));
    TRY(read_says(a, json_get(&v, STR("say")), &doc, d));
    *out = doc;
    return ERR_OK;
}

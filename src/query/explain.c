// SPDX-License-Identifier: Apache-2.0
// What a plan does, for people and programs: one step a line, with what was expected and what came.
#include <stdio.h>
#include "codec/json.h"
#include "query/cursor.h"

typedef struct Line {
    Str step;
    Buf detail;
    double estimated;
    int64_t rows;    // -1: not told
    int64_t time_ns; // -1: counted with the step behind it
} Line;

typedef struct Lines {
    Line *p;
    int32_t n;
} Lines;

static Line *add_line(Lines *l, Str step, double estimated, int64_t rows) {
    Line *line = &l->p[l->n++];
    *line = (Line){.step = step, .estimated = estimated, .rows = rows, .time_ns = -1};
    return line;
}

// ---- names --------------------------------------------------------------------------------------------------------

static void put_alias(const Query *q, int32_t k, Buf *out) {
    Str name = q->aliases[k].name;
    if (name.n) buf_str_put(out, name);
    else if (q->aliases[k].kind == EXPR_TWIN) buf_printf(out, "twin %d", k);
    else buf_printf(out, "relationship %d", k);
}

static void put_rels(const QueryEdge *e, Buf *out) {
    for (int32_t i = 0; i < e->rel_count; i++) {
        buf_byte(out, i ? '|' : ':');
        buf_str_put(out, e->rels[i]);
    }
    if (e->link < 0) buf_printf(out, "*%d..%d", e->min, e->max);
}

static void put_terms(const Plan *p, const int32_t *terms, int32_t n, Buf *out) {
    for (int32_t i = 0; i < n; i++) {
        buf_str_put(out, i ? STR(" AND ") : STR("; keep "));
        expr_print(p->exprs[terms[i]].e, out);
    }
}

static Str column_name(const Catalog *c, uint32_t col) {
    if (col < VECNO_COLUMNS || col >= c->next_vec) return STR("?");
    int32_t owner = c->owner[col - VECNO_COLUMNS];
    if (owner >= 0) return c->tables[owner].model->fields[col - c->tables[owner].first].path;
    const LinkKind *k = &c->kinds[-1 - owner];
    return k->rel->fields[col - k->first].path;
}

// ---- steps --------------------------------------------------------------------------------------------------------

static void put_how(const QueryCursor *c, Buf *out) {
    const Parts *parts = &c->parts;
    const Catalog *catalog = c->team.execs[0]->view->catalog;
    int64_t pages = atomic_load(&c->meter.pages);
    if (!c->begun) return;
    buf_printf(out, "; %lld pages read, %lld skipped", (long long)pages, (long long)parts->skipped);
    if (parts->how == QUERY_HOW_ALL) return;
    buf_str_put(out, parts->how == QUERY_HOW_INDEX ? STR(" by the index on ") : STR(" by what is known of "));
    buf_str_put(out, parts->col ? column_name(catalog, parts->col) : STR("them"));
}

static void put_tables(const QueryCursor *c, int32_t k, Buf *out) {
    const Plan *p = c->plan;
    const Catalog *catalog = c->team.execs[0]->view->catalog;
    bool twin = p->aliases[k].kind == EXPR_TWIN;
    int32_t n = twin ? p->table_count : p->kind_count, shown = 0, taken = 0;
    const Tab *tabs = c->team.execs[0]->tabs[k];
    for (int32_t of = 0; of < n && p->aliases[k].term_count; of++) {
        if (!tabs || !tabs[of].ready || tabs[of].none) continue;
        taken++;
        if (taken > 3) continue;
        buf_str_put(out, shown++ ? STR(", ") : twin ? STR(" in ") : STR(" of "));
        buf_str_put(out, twin ? catalog->tables[of].model->id : catalog->kinds[of].rel->name);
    }
    if (taken > 3) buf_printf(out, " and %d more", taken - 3);
}

static void start_line(const QueryCursor *c, Lines *l) {
    const Plan *p = c->plan;
    const Query *q = c->q;
    const PlanAlias *al = &p->aliases[p->start];
    int64_t rows = c->begun ? c->team.execs[0]->step_rows[q->edge_count] : -1;
    if (p->producer == PRODUCE_SHORTEST && p->aliases[0].fixed) rows = -1;
    static const Str names[] = {{"scan", 4}, {"find", 4}, {"list", 4}, {"scan", 4}};
    Line *line = add_line(l, p->count_only ? STR("count") : p->nothing ? STR("find") : names[p->how], al->passes, rows);
    Buf *out = &line->detail;
    if (p->nothing) {
        buf_str_put(out, STR("no such twin"));
        return;
    }
    if (p->count_only) buf_str_put(out, STR("live rows by page"));
    else if (p->how == START_IDS) buf_printf(out, "%lld twins by $dtId for ", (long long)al->id_count);
    else if (p->how == START_ENDS)
        buf_printf(out, "relationships %s %lld twins", p->ends_out ? "leaving" : "entering", (long long)p->end_count);
    else if (p->first_edge >= 0) {
        buf_str_put(out, STR("relationships "));
        put_rels(&q->edges[p->first_edge], out);
        buf_str_put(out, STR(" for "));
    } else buf_str_put(out, al->kind == EXPR_TWIN ? STR("twins for ") : STR("relationships for "));
    if (!p->count_only && p->how != START_ENDS) put_alias(q, p->start, out);
    put_tables(c, p->start, out);
    put_terms(p, al->terms, al->term_count, out);
    if (p->how == START_SCAN || p->how == START_LINKS) put_how(c, out);
}

static void step_line(const QueryCursor *c, Lines *l, int32_t i) {
    const Plan *p = c->plan;
    const PlanStep *s = &p->steps[i];
    const PlanAlias *to = &p->aliases[s->to];
    bool both = p->producer == PRODUCE_SHORTEST && p->aliases[s->from].fixed && to->fixed;
    Str name = p->producer == PRODUCE_REACH      ? STR("reach")
               : p->producer == PRODUCE_SHORTEST ? STR("shortest")
               : s->closed                       ? STR("close")
                                                 : STR("expand");
    Line *line = add_line(l, name, s->estimate, c->begun ? c->team.execs[0]->step_rows[i] : -1);
    Buf *out = &line->detail;
    put_alias(c->q, s->from, out);
    buf_str_put(out, s->out ? STR(" -[") : STR(" <-["));
    put_rels(&c->q->edges[s->edge], out);
    buf_str_put(out, s->in && !s->out ? STR("]- ") : s->in ? STR("]- ") : STR("]-> "));
    put_alias(c->q, s->to, out);
    if (both) buf_str_put(out, STR(", from both ends"));
    else if (p->producer == PRODUCE_REACH) buf_str_put(out, STR(", breadth first"));
    if (to->fixed && !both) buf_printf(out, "; one of %lld twins", (long long)to->id_count);
    put_terms(p, to->terms, to->term_count, out);
    if (s->link >= 0) put_terms(p, p->aliases[s->link].terms, p->aliases[s->link].term_count, out);
    put_terms(p, s->terms, s->term_count, out);
}

// Finding starts and walking on from them go hand in hand: the last of these steps has the time of all.
static void set_times(const QueryCursor *c, Lines *l) {
    int64_t run = c->plan->sink == SINK_STREAM ? c->time_ns - c->plan_ns - c->list_ns : c->run_ns;
    l->p[l->n - 1].time_ns = c->list_ns + run;
}

static void sink_lines(const QueryCursor *c, Lines *l) {
    const Plan *p = c->plan;
    const Query *q = c->q;
    if (p->sink == SINK_GROUP) {
        Line *line = add_line(l, STR("group"), 0, c->has_groups ? c->groups.n : -1);
        buf_printf(&line->detail, q->group_count ? "by %d expressions" : "all rows", q->group_count);
    }
    if (p->sink == SINK_SORT || q->order_count) {
        Line *line = add_line(l, q->distinct ? STR("distinct") : STR("sort"), 0, c->has_sorter ? c->sorter.n : -1);
        if (q->order_count) buf_printf(&line->detail, "by %d expressions", q->order_count);
        else buf_str_put(&line->detail, q->distinct ? STR("by the columns") : STR("into the order of the text"));
    }
    if (c->begun && p->sink != SINK_STREAM) l->p[l->n - 1].time_ns = c->sort_ns;
    if (c->tale) tale_explain(c->tale, &add_line(l, STR("history"), 0, -1)->detail);
    Line *line = add_line(l, STR("rows"), p->rows, c->rows_out);
    line->time_ns = c->time_ns;
    if (q->top >= 0) buf_printf(&line->detail, "TOP(%lld); ", (long long)q->top);
    buf_printf(&line->detail, "%lld looked at, %d threads at most", (long long)atomic_load(&c->meter.rows),
               team_size(&c->team));
}

// ---- output -------------------------------------------------------------------------------------------------------

static void put_json(const Lines *l, Buf *out) {
    for (int32_t i = 0; i < l->n; i++) {
        const Line *line = &l->p[i];
        buf_str_put(out, i ? STR(",{\"step\":") : STR("{\"step\":"));
        json_put_str(out, line->step);
        buf_str_put(out, STR(",\"detail\":"));
        json_put_str(out, buf_str(&line->detail));
        buf_str_put(out, STR(",\"estimated_rows\":"));
        json_put_i64(out, (int64_t)line->estimated);
        if (line->rows >= 0) buf_printf(out, ",\"rows\":%lld", (long long)line->rows);
        if (line->time_ns >= 0) buf_printf(out, ",\"time_us\":%lld", (long long)(line->time_ns / 1000));
        buf_byte(out, '}');
    }
}

static void put_table(const Lines *l, Buf *out) {
    buf_printf(out, "%-9s %11s %11s %10s  %s\n", "step", "estimated", "rows", "ms", "detail");
    for (int32_t i = 0; i < l->n; i++) {
        const Line *line = &l->p[i];
        char rows[24] = "", ms[24] = "";
        if (line->rows >= 0) snprintf(rows, sizeof rows, "%lld", (long long)line->rows);
        if (line->time_ns >= 0) snprintf(ms, sizeof ms, "%.3f", (double)line->time_ns / 1e6);
        buf_printf(out, "%-9.*s %11.0f %11s %10s  %.*s\n", STR_ARG(line->step), line->estimated, rows, ms,
                   STR_ARG(buf_str(&line->detail)));
    }
}

void query_explain(const QueryCursor *c, Buf *out) {
    Arena a;
    arena_init(&a, 4096);
    Lines l = {.p = NEW(&a, Line, c->plan->step_count + 8)};
    Buf table = {0};
    if (c->o.naive) {
        buf_str_put(&add_line(&l, STR("naive"), 0, c->rows_out)->detail, STR("nested loops over everything"));
    } else {
        start_line(c, &l);
        for (int32_t i = 0; i < c->plan->step_count; i++) step_line(c, &l, i);
        if (c->begun) set_times(c, &l);
        sink_lines(c, &l);
    }
    buf_str_put(out, STR("{\"plan\":["));
    put_json(&l, out);
    put_table(&l, &table);
    buf_str_put(out, STR("],\"text\":"));
    json_put_str(out, buf_str(&table));
    buf_byte(out, '}');
    for (int32_t i = 0; i < l.n; i++) buf_free(&l.p[i].detail);
    buf_free(&table);
    arena_free(&a);
}

// ---- notes --------------------------------------------------------------------------------------------------------

typedef struct Notes {
    const QueryCursor *c;
    ExprScope scope;
    Buf *out;
    int32_t n;
} Notes;

enum { NOTES_MAX = 16 };

static void note_begin(Notes *n) {
    if (n->n++) buf_byte(n->out, ',');
}

static void note_path(void *ctx, const Expr *e, bool inside) {
    Notes *n = ctx;
    Str near = {0};
    if (e->op != EX_PATH || inside || n->n >= NOTES_MAX) return;
    if (e->seg_count == 1 && str_eq_nocase(e->segs[0].name, STR("exact"))) return; // of IS_OF_MODEL
    if (expr_known(&n->scope, e, &near)) return;
    Buf text = {0};
    buf_str_put(&text, STR("no model has a property \""));
    for (int32_t i = plan_alias_of(n->c->q, e) >= 0 && e->seg_count > 1 ? 1 : 0; i < e->seg_count; i++) {
        if (e->segs[i].index >= 0) buf_printf(&text, "[%lld]", (long long)e->segs[i].index);
        else buf_printf(&text, "%s%.*s", text.p[text.n - 1] == '"' ? "" : ".", STR_ARG(e->segs[i].name));
    }
    buf_byte(&text, '"');
    if (near.n) buf_printf(&text, "; did you mean \"%.*s\"?", STR_ARG(near));
    note_begin(n);
    json_put_str(n->out, buf_str(&text));
    buf_free(&text);
}

// A name that is not among those there are.
static void note_name(Notes *n, const char *none, Str name, const Str *names, int32_t count) {
    bool known = n->n >= NOTES_MAX;
    for (int32_t i = 0; i < count && !known; i++) known = str_eq(names[i], name);
    if (known) return;
    Str near = expr_nearest(name, names, count);
    Buf text = {0};
    buf_printf(&text, "%s \"%.*s\"", none, STR_ARG(name));
    if (near.n) buf_printf(&text, "; did you mean \"%.*s\"?", STR_ARG(near));
    note_begin(n);
    json_put_str(n->out, buf_str(&text));
    buf_free(&text);
}

// Names of relationships and models that nothing has.
typedef struct Known {
    Str *rels, *models;
    int32_t rel_count, model_count;
} Known;

static void note_calls(Notes *n, const Known *k, const Expr *e) {
    if (!e) return;
    for (int32_t i = 0; e->op == EX_GRAPH && i < e->graph.rel_count; i++)
        note_name(n, "no model has a relationship", e->graph.rels[i], k->rels, k->rel_count);
    bool model = e->op == EX_CALL && str_eq_nocase(e->name, STR("IS_OF_MODEL"));
    for (int32_t i = 0; i < e->arg_count; i++) {
        const Expr *arg = e->args[i];
        bool id = model && arg->op == EX_LITERAL && arg->value.type == EXPR_STR;
        if (id) note_name(n, "there is no model", arg->value.s, k->models, k->model_count);
        else note_calls(n, k, arg);
    }
}

static void note_names(Notes *n, const Catalog *c) {
    const Query *q = n->c->q;
    const Plan *p = n->c->plan;
    Arena a;
    arena_init(&a, 4096);
    Known k = {.rel_count = c->kind_count, .model_count = c->table_count};
    k.rels = NEW(&a, Str, k.rel_count);
    k.models = NEW(&a, Str, k.model_count);
    for (int32_t i = 0; i < k.rel_count; i++) k.rels[i] = c->kinds[i].rel->name;
    for (int32_t i = 0; i < k.model_count; i++) k.models[i] = c->tables[i].model->id;
    for (int32_t e = 0; e < q->edge_count; e++)
        for (int32_t i = 0; i < q->edges[e].rel_count; i++)
            note_name(n, "no model has a relationship", q->edges[e].rels[i], k.rels, k.rel_count);
    for (int32_t i = 0; i < p->expr_count; i++) note_calls(n, &k, p->exprs[i].e);
    arena_free(&a);
}

void query_notes(const QueryCursor *c, Buf *out) {
    const Query *q = c->q;
    const Catalog *catalog = c->team.execs[0]->view->catalog;
    ExprSource sources[QUERY_ALIASES_MAX];
    for (int32_t k = 0; k < q->alias_count; k++)
        sources[k] = (ExprSource){.alias = q->aliases[k].name, .kind = q->aliases[k].kind};
    Notes n = {.c = c, .out = out};
    n.scope = (ExprScope){.catalog = catalog, .sources = sources, .count = q->alias_count, .bare_first = true};
    buf_byte(out, '[');
    for (int32_t i = 0; i < c->plan->expr_count; i++) expr_walk(c->plan->exprs[i].e, note_path, &n);
    note_names(&n, catalog);
    buf_byte(out, ']');
}

// SPDX-License-Identifier: Apache-2.0
#include "query/match.h"
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "query/match_ball.h"
#include "world/past.h"

void walk_init(Walk *w, Exec *x) {
    memset(w, 0, sizeof *w);
    w->x = x;
}

void walk_free(Walk *w) {
    for (int32_t i = 0; w->guides && i < w->x->plan->step_count; i++) {
        if (!w->guides[i]) continue;
        ball_free(w->guides[i]);
        mem_free(w->guides[i]);
    }
    mem_free(w->guides);
    meter_bytes(w->x->meter, -w->hop_cap * (int64_t)sizeof(Hop));
    mem_free(w->hops);
    mem_free(w->frames);
    mem_free(w->used);
}

// ---- links of a twin ----------------------------------------------------------------------------------------------

static bool grow_hops(Exec *x, Hop **hops, int64_t count, int64_t *cap) {
    if (count < *cap) return true;
    int64_t more = *cap ? *cap : 64;
    if (!meter_bytes(x->meter, more * (int64_t)sizeof(Hop))) {
        meter_bytes(x->meter, -more * (int64_t)sizeof(Hop));
        return false;
    }
    *cap += more;
    *hops = mem_grow(*hops, (size_t)*cap * sizeof(Hop));
    return true;
}

// The next of two descending lists, whichever has the larger id; a link at the head of both comes once.
static LinkView next_link(View *v, LinkId *out, LinkId *in, LinkId *id) {
    *id = out->v >= in->v ? *out : *in;
    LinkView l = view_link(v, *id);
    if (out->v == id->v) *out = l.next_out;
    if (in->v == id->v) *in = l.next_in;
    return l;
}

static void reverse(Hop *p, int64_t n) {
    for (int64_t i = 0, k = n - 1; i < k; i++, k--) {
        Hop h = p[i];
        p[i] = p[k];
        p[k] = h;
    }
}

bool walk_links(Exec *x, int32_t edge, uint64_t twin, bool out, bool in, Hop **hops, int64_t *count, int64_t *cap) {
    LinkId outs, ins, id;
    const bool *rels = x->plan->rels[edge];
    int64_t first = *count;
    view_twin_links(x->view, (TwinId){twin}, &outs, &ins);
    if (!out) outs.v = 0;
    if (!in) ins.v = 0;
    while (outs.v || ins.v) {
        LinkView l = next_link(x->view, &outs, &ins, &id);
        if (!l.alive || !exec_tick(x, 1)) return false;
        if (l.kind >= (uint32_t)x->plan->kind_count || (rels && !rels[l.kind])) continue;
        if (!grow_hops(x, hops, *count, cap)) return false;
        (*hops)[(*count)++] = (Hop){id.v, l.source.v == twin ? l.target.v : l.source.v, l.kind};
    }
    if (*count > first) reverse(*hops + first, *count - first);
    return true;
}

// ---- links between two twins --------------------------------------------------------------------------------------

// Which list is shorter: what leaves `source`, or what enters `target`? Walks both side by side.
static bool fewer_leave(Exec *x, uint64_t source, uint64_t target) {
    LinkId out, in, none;
    view_twin_links(x->view, (TwinId){source}, &out, &none);
    view_twin_links(x->view, (TwinId){target}, &none, &in);
    while (out.v && in.v && exec_tick(x, 2)) {
        out = view_link(x->view, out).next_out;
        in = view_link(x->view, in).next_in;
    }
    return out.v == 0;
}

static bool links_between(Walk *w, int32_t edge, uint64_t source, uint64_t target, bool seen_from_source) {
    Exec *x = w->x;
    bool leaving = fewer_leave(x, source, target);
    int64_t first = w->hop_count, kept = first;
    uint64_t other = leaving ? target : source, far = seen_from_source ? target : source;
    if (!walk_links(x, edge, leaving ? source : target, leaving, !leaving, &w->hops, &w->hop_count, &w->hop_cap))
        return false;
    for (int64_t i = first; i < w->hop_count; i++) {
        if (w->hops[i].other != other) continue;
        w->hops[kept] = w->hops[i];
        w->hops[kept++].other = far;
    }
    w->hop_count = kept;
    return true;
}

static int by_link(const void *a, const void *b) {
    uint64_t x = ((const Hop *)a)->link, y = ((const Hop *)b)->link;
    return (x > y) - (x < y);
}

enum { FEW = 4 }; // fixed twins at the far end that are asked for one by one

// A single hop to a twin that is known, or one of few: a hub at one end must not be walked through.
static bool few_targets(const Walk *w, const PlanStep *s, const uint64_t **ids, int64_t *n) {
    const PlanAlias *to = &w->x->plan->aliases[s->to];
    if (s->link < 0 || (!s->closed && !(to->fixed && to->id_count <= FEW))) return false;
    *ids = s->closed ? &w->rows[s->to].id : to->ids;
    *n = s->closed ? 1 : to->id_count;
    return true;
}

static bool collect(Walk *w, const PlanStep *s, uint64_t twin) {
    const uint64_t *ids;
    int64_t n, first = w->hop_count;
    if (!few_targets(w, s, &ids, &n))
        return walk_links(w->x, s->edge, twin, s->out, s->in, &w->hops, &w->hop_count, &w->hop_cap);
    for (int64_t i = 0; i < n; i++) {
        if (s->out && !links_between(w, s->edge, twin, ids[i], true)) return false;
        if (s->in && !(s->out && ids[i] == twin) && !links_between(w, s->edge, ids[i], twin, false)) return false;
    }
    if (w->hop_count > first) qsort(w->hops + first, (size_t)(w->hop_count - first), sizeof(Hop), by_link);
    return true;
}

// ---- guides -------------------------------------------------------------------------------------------------------

enum {
    GUIDE_HOPS = 3,      // shorter ranges do without
    GUIDE_TARGETS = 64,  // more fixed twins than this as well
    GUIDE_MAX = 1 << 14, // twins
};

static Ball *make_guide(Walk *w, const PlanStep *s) {
    const PlanAlias *to = &w->x->plan->aliases[s->to];
    Ball *b = mem_alloc(sizeof *b);
    ball_init(b, w->x, s->edge, s->in, s->out);
    for (int64_t i = 0; i < to->id_count; i++) ball_add(b, to->ids[i], 0, -1, 0);
    while (b->hops + 1 < s->max && b->n < GUIDE_MAX && ball_grow(b)) {}
    return b;
}

static void guide(Walk *w, int32_t step) {
    const PlanStep *s = &w->x->plan->steps[step];
    const PlanAlias *to = &w->x->plan->aliases[s->to];
    if (s->link >= 0 || s->max < GUIDE_HOPS || !to->fixed || to->id_count > GUIDE_TARGETS) return;
    if (!w->guides) w->guides = mem_alloc((size_t)w->x->plan->step_count * sizeof *w->guides);
    if (!w->guides[step]) w->guides[step] = make_guide(w, s);
}

// Is every target more than `left` hops from the twin? A twin the guide does not know is farther than it looked.
static bool too_far(const Walk *w, int32_t step, uint64_t twin, int32_t left) {
    const Ball *b = w->guides ? w->guides[step] : NULL;
    if (!b) return false;
    const Near *n = ball_find(b, twin);
    if (n) return n->hops > left;
    return b->level == b->n || b->hops >= left;
}

// ---- frames -------------------------------------------------------------------------------------------------------

// The twins behind the links just collected will be walked on from, one after the other.
static void prefetch_heads(const Walk *w, int64_t first) {
    enum { AHEAD = 16 };
    for (int64_t i = first; i < w->hop_count && i < first + AHEAD; i++) {
        uint64_t id = w->hops[i].other;
        const Page *p = view_page_ahead(w->x->view, VECNO_COLD, id);
        uint32_t row = (uint32_t)(id & (PAGE_ROWS - 1));
        if (p && row < p->cap) __builtin_prefetch((const void *)&p->words[page_cell_word(p, row)]);
    }
}

static void push(Walk *w, int32_t step, int32_t depth, uint64_t twin) {
    if (w->frame_count == w->frame_cap) {
        w->frame_cap = w->frame_cap ? 2 * w->frame_cap : 8;
        w->frames = mem_grow(w->frames, (size_t)w->frame_cap * sizeof(Frame));
        w->used = mem_grow(w->used, (size_t)(w->frame_cap + 1) * sizeof(uint64_t));
    }
    int64_t first = w->hop_count;
    const PlanStep *s = &w->x->plan->steps[step];
    if (!collect(w, s, twin)) w->hop_count = first;
    if (depth == 1) guide(w, step);
    if (depth < s->max || step + 1 < w->x->plan->step_count) prefetch_heads(w, first);
    w->frames[w->frame_count++] =
        (Frame){.first = first, .at = first, .end = w->hop_count, .step = step, .depth = depth};
}

static bool is_used(const Walk *w, int32_t frame, uint64_t link) {
    if (!w->x->q->matched) return false;
    for (int32_t i = 0; i <= frame; i++)
        if (w->used[i] == link) return true;
    return false;
}

// Take a link: bind the relationship's alias where the step has one.
static bool take(Walk *w, const PlanStep *s, const Hop *h) {
    int32_t frame = w->frame_count - 1;
    if (is_used(w, frame, h->link)) return false;
    if (s->link >= 0) {
        Spot spot = {{h->link, h->link}, h->kind};
        if (w->x->plan->aliases[s->link].term_count && !exec_passes(w->x, s->link, &spot)) return false;
        w->rows[s->link] = spot.at;
        w->of[s->link] = h->kind;
    }
    w->used[frame + 1] = h->link;
    return true;
}

bool walk_stand(Walk *w, int32_t k, uint64_t twin) {
    const PlanAlias *al = &w->x->plan->aliases[k];
    Spot spot = {{twin, 0}, 0};
    if (al->fixed && !id_among(al->ids, al->id_count, twin)) return false;
    if (al->placed && !exec_place(w->x, twin, &spot)) return false;
    if (al->term_count && !exec_passes(w->x, k, &spot)) return false;
    w->rows[k] = spot.at;
    w->of[k] = spot.of;
    return true;
}

static bool terms_hold(Walk *w, const int32_t *terms, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        bool yes = exec_true(w->x, terms[i], w->rows, w->of);
        if (w->x->scratch.used > 1 << 16) arena_reset(&w->x->scratch);
        if (!yes) return false;
    }
    return true;
}

// The far end of a step.
static bool arrive(Walk *w, const PlanStep *s, uint64_t twin) {
    if (s->closed ? w->rows[s->to].id != twin : !walk_stand(w, s->to, twin)) return false;
    if (!terms_hold(w, s->terms, s->term_count)) return false;
    w->x->step_rows[s - w->x->plan->steps]++;
    return true;
}

// ---- the walk -----------------------------------------------------------------------------------------------------

// Both ends of a link that is the start itself.
static bool stand_on_ends(Walk *w) {
    const QueryEdge *e = &w->x->q->edges[w->x->plan->first_edge];
    LinkView l = view_link(w->x->view, (LinkId){w->start.at.id});
    if (!l.alive) return false;
    bool back = e->out ? w->turned : !w->turned; // the link points from right to left
    uint64_t left = back ? l.target.v : l.source.v, right = back ? l.source.v : l.target.v;
    w->turn = !w->turned && e->in && e->out && left != right;
    w->rows[e->link] = w->start.at;
    w->of[e->link] = w->start.of;
    if (e->from == e->to && left != right) return false;
    return walk_stand(w, e->from, left) && walk_stand(w, e->to, right);
}

static bool begin(Walk *w) {
    const Plan *p = w->x->plan;
    w->frame_count = 0;
    w->hop_count = 0;
    if (p->how == START_LINKS && p->first_edge >= 0) {
        if (!stand_on_ends(w)) return false;
    } else {
        w->rows[p->start] = w->start.at;
        w->of[p->start] = w->start.of;
    }
    if (!terms_hold(w, p->first_terms, p->first_count)) return false;
    w->whole = p->step_count == 0;
    if (p->step_count) push(w, 0, 1, w->rows[p->steps[0].from].id);
    w->used[0] = p->first_edge >= 0 ? w->start.at.id : 0;
    return true;
}

bool walk_start(Walk *w, const Spot *start) {
    w->start = *start;
    w->turned = w->turn = w->whole = false;
    if (!w->used) {
        w->frame_cap = 8;
        w->frames = mem_grow(NULL, (size_t)w->frame_cap * sizeof(Frame));
        w->used = mem_grow(NULL, (size_t)(w->frame_cap + 1) * sizeof(uint64_t));
    }
    if (begin(w)) return true;
    w->frame_count = 0;
    return w->turn;
}

// The other direction of a link that is the start.
static bool turn_round(Walk *w) {
    if (!w->turn) return false;
    w->turned = true;
    w->turn = false;
    if (begin(w)) return true;
    w->frame_count = 0;
    w->whole = false;
    return false;
}

// One frame's next move. True: a combination is complete.
static bool move(Walk *w) {
    Frame *f = &w->frames[w->frame_count - 1];
    const PlanStep *s = &w->x->plan->steps[f->step];
    if (f->deeper) {
        f->deeper = false;
        push(w, f->step, f->depth + 1, w->hops[f->at - 1].other);
        return false;
    }
    if (f->at == f->end) {
        w->hop_count = f->first;
        w->frame_count--;
        return false;
    }
    Hop h = w->hops[f->at++];
    if (!take(w, s, &h)) return false;
    if (too_far(w, f->step, h.other, s->max - f->depth)) return false;
    f->deeper = f->depth < s->max;
    if (f->depth < s->min || !arrive(w, s, h.other)) return false;
    if (f->step + 1 == w->x->plan->step_count) return true;
    push(w, f->step + 1, 1, w->rows[s[1].from].id);
    return false;
}

bool walk_next(Walk *w) {
    do {
        if (w->whole) {
            w->whole = false;
            return true;
        }
        while (w->frame_count && exec_goes(w->x))
            if (move(w)) return true;
    } while (exec_goes(w->x) && turn_round(w));
    return false;
}

int32_t walk_path(const Walk *w, int32_t edge, uint64_t *out, int32_t max) {
    int32_t n = 0;
    bool forward = true;
    for (int32_t i = 0; i < w->frame_count && n < max; i++) {
        const PlanStep *s = &w->x->plan->steps[w->frames[i].step];
        if (s->edge != edge) continue;
        forward = s->forward;
        out[n++] = w->used[i + 1];
    }
    for (int32_t i = 0, k = n - 1; !forward && i < k; i++, k--) {
        uint64_t t = out[i];
        out[i] = out[k];
        out[k] = t;
    }
    return n;
}

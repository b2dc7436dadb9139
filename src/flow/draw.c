// SPDX-License-Identifier: Apache-2.0
// Random numbers by name: Philox4x32-10 of (seed, scenario; twin, stream; number), as sim_ctx.random gives them, and
// the distributions over them.
#include "base/rng.h"
#include "flow/inner.h"
#include "num/dist.h"

typedef struct Words {
    uint64_t twin, counter;
    uint32_t key[2], stream, block, word[4];
    int32_t left;
} Words;

static inline uint64_t mix(uint64_t h) {
    h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 31;
}

// Stream: 8 bits of what, 12 of which, 12 of the block, for draws that take more than four words.
static void fill(Words *w) {
    uint64_t who = mix(mix(w->twin + UINT64_C(0x9E3779B97F4A7C15)) + (w->stream | (w->block++ & 0xfff) << 20));
    const uint32_t counter[4] = {(uint32_t)w->counter, (uint32_t)(w->counter >> 32), (uint32_t)who,
                                 (uint32_t)(who >> 32)};
    philox4x32(counter, w->key, w->word);
    w->left = 4;
}

static double unit(Words *w) {
    if (w->left < 2) fill(w);
    uint64_t hi = w->word[4 - w->left], lo = w->word[5 - w->left];
    w->left -= 2;
    return ((double)((hi << 32 | lo) >> 11) + 0.5) * 0x1p-53;
}

static double normal(Words *w) { return dist_normal_quantile(unit(w)); }

// Marsaglia and Tsang 2000, "A simple method for generating gamma variables", shape >= 1; whole small shapes as a sum.
static double gamma_of(Words *w, double shape) {
    if (shape < 1) return gamma_of(w, shape + 1) * pow(unit(w), 1 / shape);
    if (shape == floor(shape) && shape <= 16) {
        double p = 1;
        for (int i = 0; i < (int)shape; i++) p *= unit(w);
        return -log(p);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (int i = 0; i < 1000; i++) {
        double x = normal(w), v = 1 + c * x, u = unit(w);
        v = v * v * v;
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
    return d;
}

static double triangular(Words *w, const FlowDist *d) {
    double u = unit(w), span = d->c - d->a, cut = span > 0 ? (d->b - d->a) / span : 0;
    if (u < cut) return d->a + sqrt(u * span * (d->b - d->a));
    return d->c - sqrt((1 - u) * span * (d->c - d->b));
}

static double empirical(Words *w, const FlowDist *d, const double *t) {
    double sum = 0;
    for (uint32_t i = 0; i < d->table.count; i += 2) sum += t[i + 1];
    double at = unit(w) * sum;
    uint32_t last = 0;
    for (uint32_t i = 0; i < d->table.count; i += 2) {
        if (t[i + 1] == 0) continue;
        last = i;
        if (at < t[i + 1]) break;
        at -= t[i + 1];
    }
    return t[last];
}

static double nonnegative_normal(Words *w, const FlowDist *d) {
    for (int i = 0; i < 1000; i++) {
        double v = d->a + d->b * normal(w);
        if (v >= 0) return v;
    }
    return d->a;
}

static void dist_four(void *ctx, uint64_t counter, uint32_t out[4]) {
    Words *w = ctx;
    (void)counter;
    fill(w);
    memcpy(out, w->word, sizeof w->word);
    w->left = 0;
}

static double poisson(Words *w, double mean) {
    DistWords d = {.four = dist_four, .ctx = w};
    return dist_poisson(&d, mean);
}

static double geometric(Words *w, const FlowDist *d) {
    double slots = d->a >= 1 ? 1 : ceil(log(unit(w)) / log1p(-d->a));
    return fmax(1, slots) * (d->b == 0 ? 1 : d->b);
}

static const PDist *picked(const Flow *f, const FlowDist *d, uint32_t item) {
    double v = 0;
    if (item != NONE) v = d->a < 0 ? f->it[item].type : f->attr[(size_t)item * f->m->attributes + (uint32_t)d->a];
    uint32_t last = d->table.count - 1, at = v > 0 ? v < last ? (uint32_t)v : last : 0;
    return &f->dist[(uint32_t)f->num[d->table.first + at] - 1];
}

static double draw(const Flow *f, const PDist *x, Words *w, uint32_t item) {
    const FlowDist *d = &x->d;
    switch (d->kind) {
    case FLOW_CONST: return d->a;
    case FLOW_UNIFORM: return d->a + (d->b - d->a) * unit(w);
    case FLOW_EXPONENTIAL: return -d->a * log(unit(w));
    case FLOW_NORMAL: return nonnegative_normal(w, d);
    case FLOW_LOGNORMAL: return exp(x->mu + x->sigma * normal(w));
    case FLOW_GAMMA: return d->a / d->b * gamma_of(w, d->b);
    case FLOW_WEIBULL: return d->a * pow(-log(unit(w)), 1 / d->b);
    case FLOW_TRIANGULAR: return triangular(w, d);
    case FLOW_POISSON: return poisson(w, d->a);
    case FLOW_GEOMETRIC: return geometric(w, d);
    case FLOW_EMPIRICAL: return empirical(w, d, f->num + d->table.first);
    case FLOW_ATTRIBUTE:
        if (item == NONE) return d->c;
        return f->attr[(size_t)item * f->m->attributes + (uint32_t)d->a] * (d->b == 0 ? 1 : d->b) + d->c;
    case FLOW_PICK: return draw(f, picked(f, d, item), w, item);
    }
    return 0;
}

static Words words(const Flow *f, Draw w) {
    return (Words){.twin = w.twin, .counter = w.counter, .key = {f->h->key[0], f->h->key[1]}, .stream = w.stream};
}

double flow_draw(const Flow *f, FlowRef dist, Draw w) {
    if (dist == 0) return 0;
    const PDist *d = &f->dist[dist - 1];
    if (d->d.kind == FLOW_CONST) return d->d.a;
    Words x = words(f, w);
    return draw(f, d, &x, w.item);
}

double flow_unit(const Flow *f, Draw w) {
    Words x = words(f, w);
    return unit(&x);
}

Draw flow_by_item(const Flow *f, uint32_t node, uint32_t stream, uint32_t item) {
    const Item *x = &f->it[item];
    return (Draw){f->pn[node].n.twin + x->origin, x->number + ((uint64_t)x->hops << 36), stream, item};
}

Draw flow_by_node(const Flow *f, uint32_t node, uint32_t stream, uint64_t number) {
    return (Draw){f->pn[node].n.twin, number, stream, NONE};
}

static double empirical_mean(const FlowDist *d, const double *t) {
    double sum = 0, mean = 0;
    for (uint32_t i = 0; i < d->table.count; i += 2) {
        sum += t[i + 1];
        mean += t[i] * t[i + 1];
    }
    return mean / sum;
}

double flow_dist_mean(const FlowDist *d, const double *numbers) {
    switch (d->kind) {
    case FLOW_UNIFORM: return (d->a + d->b) / 2;
    case FLOW_WEIBULL: return d->a * tgamma(1 + 1 / d->b);
    case FLOW_TRIANGULAR: return (d->a + d->b + d->c) / 3;
    case FLOW_GEOMETRIC: return (d->b == 0 ? 1 : d->b) / d->a;
    case FLOW_EMPIRICAL: return empirical_mean(d, numbers + d->table.first);
    case FLOW_ATTRIBUTE:
    case FLOW_PICK: return (double)NAN;
    default: return d->a;
    }
}

// SPDX-License-Identifier: Apache-2.0
// What a KPI is in live: its expression over the values as they stand, by the very code that watches it in a
// simulation, with nothing that moves.
#include "engine/decide_inner.h"
#include <math.h>
#include "engine/ensemble.h"
#include "engine/pasts.h"

typedef struct Asking {
    Str kpi;
    int64_t at_ns;
    double value;
    int over;
} Asking;

static Err measure(View *v, SimGraph *g, Asking *x, Diag *d) {
    Rates *r = NULL;
    Kpis *k = NULL;
    TRY(rates_still(g, v->catalog, &r, d));
    Sim *s = sim_new(&(SimOpen){.graph = g, .epoch_ns = x->at_ns, .lanes = 1});
    Err err = kpis_make_only(v, r, x->kpi, &k, d);
    if (!err) err = rates_add(r, s, d);
    if (!err) err = sim_gather(s, v, 1);
    if (!err) err = sim_start(s, d);
    if (!err && k->count == 1 && k->rows[0].watch != UINT32_MAX) {
        const KpiRow *row = &k->rows[0];
        RatesWatched w;
        rates_watched(r, s, row->watch, 0, &w);
        x->over = (int)row->k.over;
        x->value = x->over == KPI_INTEGRAL ? w.now / row->factor : (w.now - row->offset) / row->factor;
    }
    sim_free(s);
    kpis_free(k);
    rates_unref(r);
    return err;
}

static Err look(View *v, void *ctx) {
    Asking *x = ctx;
    SimGraph *g;
    Diag d;
    x->value = (double)NAN;
    TRY(sim_graph(v, &g));
    diag_init(&d);
    Err err = measure(v, g, x, &d);
    diag_free(&d);
    sim_graph_unref(g);
    return err;
}

Err live_kpi(Sosia *e, int64_t at_ns, Str kpi, double *out, int *over) {
    Asking x = {.kpi = kpi, .at_ns = at_ns ? at_ns : e->now(e->now_ctx), .value = (double)NAN, .over = KPI_LAST};
    Realm *r = at_ns ? NULL : realm_ref(e->live);
    Err err = at_ns ? pasts_at(e, e->live, at_ns, &r) : ERR_OK;
    if (!err) err = engine_read_realm(r, NULL, look, &x, NULL);
    if (r) realm_unref(r);
    *out = err ? (double)NAN : x.value;
    *over = x.over;
    return err;
}

double live_count(int over, const double *seen, int32_t n, double value, double step_s) {
    int32_t known = 0;
    double last = (double)NAN;
    for (int32_t i = 0; i < n; i++) {
        if (isnan(seen[i])) continue;
        known++;
        last = seen[i];
    }
    if (isnan(value)) return value;
    switch (over) {
    case KPI_MEAN: return known ? last + (value - last) / (known + 1) : value;
    case KPI_MIN: return known && last < value ? last : value;
    case KPI_MAX: return known && last > value ? last : value;
    case KPI_INTEGRAL: return (known ? last : 0) + value * step_s;
    default: return value;
    }
}

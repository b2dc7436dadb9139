// SPDX-License-Identifier: Apache-2.0
// The few functions of SUNDIALS 6 that are needed, by address. Their types are those of its documentation; everything
// is passed as pointers, so its headers are not needed to build.
#include "num/cvode.h"
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

enum { CV_BDF_METHOD = 2, CV_ONE_STEP_TASK = 2, CV_TSTOP_RETURN_FLAG = 1, NO_PRECONDITIONER = 0 };

typedef int (*SunRates)(double t, void *y, void *dy, void *user);

typedef struct Sun {
    bool found;
    const char *why;
    int (*context_create)(void *comm, void **out);
    int (*context_free)(void **ctx);
    void *(*vector_new)(int64_t n, void *ctx);
    void (*vector_free)(void *v);
    double *(*vector_at)(void *v);
    void *(*matrix)(int64_t rows, int64_t cols, void *ctx);
    void (*matrix_free)(void *m);
    void *(*dense)(void *y, void *m, void *ctx);
    void *(*spgmr)(void *y, int pretype, int maxl, void *ctx);
    int (*solver_free)(void *ls);
    void *(*create)(int method, void *ctx);
    int (*init)(void *mem, SunRates f, double t0, void *y0);
    int (*tolerances)(void *mem, double rtol, double atol);
    int (*user)(void *mem, void *user);
    int (*solver)(void *mem, void *ls, void *m);
    int (*stop)(void *mem, double t);
    int (*steps_max)(void *mem, long n);
    int (*h_max)(void *mem, double h);
    int (*order_max)(void *mem, int q);
    int (*handler)(void *mem, void (*fn)(int, const char *, const char *, char *, void *), void *ctx);
    int (*run)(void *mem, double to, void *y, double *t, int task);
    int (*dky)(void *mem, double t, int k, void *out);
    int (*order)(void *mem, int *q);
    int (*last)(void *mem, double *h);
    void (*free)(void **mem);
} Sun;

static Sun sun;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// One function by name. ISO C has no word for a function's address in a void *, so its bytes are copied.
static void take(void *lib, const char *name, void *to) {
    void *p = dlsym(lib, name);
    if (!p) sun.found = false;
    memcpy(to, &p, sizeof p);
}

// The library holds vectors, matrices and linear solvers too.
#define TAKE(field, name) take(lib, name, &sun.field)

static void look(void) {
    void *lib = dlopen("libsundials_cvode.so.6", RTLD_NOW | RTLD_LOCAL);
    sun.found = lib != NULL;
    sun.why = "libsundials-cvode 6 is not installed";
    if (!lib) return;
    TAKE(context_create, "SUNContext_Create");
    TAKE(context_free, "SUNContext_Free");
    TAKE(vector_new, "N_VNew_Serial");
    TAKE(vector_free, "N_VDestroy");
    TAKE(vector_at, "N_VGetArrayPointer");
    TAKE(matrix, "SUNDenseMatrix");
    TAKE(matrix_free, "SUNMatDestroy");
    TAKE(dense, "SUNLinSol_Dense");
    TAKE(spgmr, "SUNLinSol_SPGMR");
    TAKE(solver_free, "SUNLinSolFree");
    TAKE(create, "CVodeCreate");
    TAKE(init, "CVodeInit");
    TAKE(tolerances, "CVodeSStolerances");
    TAKE(user, "CVodeSetUserData");
    TAKE(solver, "CVodeSetLinearSolver");
    TAKE(stop, "CVodeSetStopTime");
    TAKE(steps_max, "CVodeSetMaxNumSteps");
    TAKE(h_max, "CVodeSetMaxStep");
    TAKE(order_max, "CVodeSetMaxOrd");
    TAKE(handler, "CVodeSetErrHandlerFn");
    TAKE(run, "CVode");
    TAKE(dky, "CVodeGetDky");
    TAKE(order, "CVodeGetLastOrder");
    TAKE(last, "CVodeGetLastStep");
    TAKE(free, "CVodeFree");
    if (!sun.found) sun.why = "libsundials-cvode is of another version than 6";
}

bool cvode_found(const char **why) {
    pthread_once(&once, look);
    if (why) *why = sun.why;
    return sun.found;
}

typedef struct Run {
    const CvodeProblem *p;
    void *ctx, *y, *out, *m, *ls, *mem;
} Run;

static int rates(double t, void *y, void *dy, void *user) {
    const Run *r = user;
    double *d = sun.vector_at(dy);
    int end = r->p->rates(r->p->ctx, t, sun.vector_at(y), d);
    for (int32_t i = 0; i < r->p->n && end == 0; i++) end = isfinite(d[i]) ? 0 : 1;
    return end;
}

static void silent(int code, const char *module, const char *function, char *text, void *ctx) {
    (void)code, (void)module, (void)function, (void)text, (void)ctx;
}

static bool setup(Run *r, double t0, double stop) {
    const CvodeProblem *p = r->p;
    bool small = p->n <= CVODE_DENSE_MAX;
    r->mem = sun.create(CV_BDF_METHOD, r->ctx);
    if (!r->mem) return false;
    sun.handler(r->mem, silent, NULL);
    if (sun.init(r->mem, rates, t0, r->y) || sun.tolerances(r->mem, p->rtol, p->atol) || sun.user(r->mem, r))
        return false;
    r->m = small ? sun.matrix(p->n, p->n, r->ctx) : NULL;
    r->ls = small ? sun.dense(r->y, r->m, r->ctx) : sun.spgmr(r->y, NO_PRECONDITIONER, 0, r->ctx);
    if (!r->ls || sun.solver(r->mem, r->ls, r->m)) return false;
    if (p->h_max > 0) sun.h_max(r->mem, p->h_max);
    if (p->order_max > 0) sun.order_max(r->mem, p->order_max);
    sun.steps_max(r->mem, 100000);
    return isinf(stop) || sun.stop(r->mem, stop) == 0;
}

// Coefficients of the step that ended at t: derivatives there, scaled.
static bool piece(Run *r, double t, double h, double *coef) {
    size_t n = (size_t)r->p->n;
    int q = 1;
    double f = 1;
    memset(coef, 0, (CVODE_ORDER + 1) * n * sizeof *coef);
    if (sun.order(r->mem, &q)) return false;
    for (int j = 0; j <= q && j <= CVODE_ORDER; j++) {
        if (sun.dky(r->mem, t, j, r->out)) return false;
        const double *d = sun.vector_at(r->out);
        for (size_t i = 0; i < n; i++) coef[(size_t)j * n + i] = d[i] * f;
        f *= h / (j + 1);
    }
    return true;
}

static int32_t steps(Run *r, double t0, double stop, int32_t most, double *ends, double *coef, const char **why) {
    int32_t count = 0;
    double t = t0, to = isinf(stop) ? t0 + 1 + fabs(t0) : stop;
    size_t each = (CVODE_ORDER + 1) * (size_t)r->p->n;
    while (count < most && t < stop) {
        double before = t;
        int end = sun.run(r->mem, to, r->y, &t, CV_ONE_STEP_TASK);
        if (end < 0 || !(t > before)) {
            *why = "the stiff solver cannot go on: its steps become too small";
            return count ? count : -1;
        }
        ends[count] = end == CV_TSTOP_RETURN_FLAG ? stop : t;
        if (!piece(r, t, t - before, coef + (size_t)count * each)) return count ? count : -1;
        count++;
    }
    return count;
}

int32_t cvode_run(const CvodeProblem *p, double t0, const double *y0, double stop, int32_t most, double *ends,
                  double *coef, const char **why) {
    Run r = {.p = p};
    int32_t count = -1;
    *why = "the stiff solver could not begin";
    if (!cvode_found(why) || sun.context_create(NULL, &r.ctx)) return -1;
    r.y = sun.vector_new(p->n, r.ctx);
    r.out = sun.vector_new(p->n, r.ctx);
    if (r.y) memcpy(sun.vector_at(r.y), y0, (size_t)p->n * sizeof *y0);
    if (r.y && r.out && setup(&r, t0, stop)) count = steps(&r, t0, stop, most, ends, coef, why);
    if (r.mem) sun.free(&r.mem);
    if (r.ls) sun.solver_free(r.ls);
    if (r.m) sun.matrix_free(r.m);
    if (r.y) sun.vector_free(r.y);
    if (r.out) sun.vector_free(r.out);
    sun.context_free(&r.ctx);
    return count;
}

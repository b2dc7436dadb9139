// SPDX-License-Identifier: Apache-2.0
#include "engine/batches.h"
#include "engine/derive.h"

int64_t batches_changes(const Batches *x) {
    int64_t n;
    world_batch(x->r->world, &n);
    return n;
}

void batches_diag(Batches *x) {
    diag_free(&x->d);
    diag_init(&x->d);
}

void batches_reject(Batches *x, int64_t item, Err err) {
    report_reject_diag(x->report, &x->c->arena, x->kind->line(x, item), err, &x->d);
}

bool batches_refuse(Batches *x, int64_t item, int64_t before, Err err, bool *dirty) {
    bool left = batches_changes(x) != before; // something of the failed edit
    if (left || err == ERR_LIMIT) {
        *dirty = left && before > 0;
        if (before > 0) return false;
        if (left) {
            world_rollback(x->r->world);
            batch_begin(x->e, x->r);
        }
    }
    batches_reject(x, item, err);
    return true;
}

// Derived values of the open batch. False: with items up to *next it is too large; half of them may do.
static bool settle(Batches *x, int64_t *next) {
    batches_diag(x);
    if (derive_settle(x->e, x->r, &x->d) == ERR_OK) return true;
    *next = x->from + (*next - x->from) / 2;
    return false;
}

int64_t batches_apply(Batches *x) {
    Tally before = report_tally(x->report);
    for (;;) {
        arena_reset(&x->scratch);
        batch_begin(x->e, x->r);
        if (x->from == x->to) { // an item that was alone and too large with what follows from it
            batches_reject(x, x->to, ERR_LIMIT);
            return x->to + 1;
        }
        bool dirty = false;
        int64_t next = x->kind->apply(x, &dirty);
        if (!dirty && settle(x, &next)) return next;
        world_rollback(x->r->world);
        report_back(x->report, &before);
        x->to = next;
        if (!batch_room(x->e, x->r)) return -1;
    }
}

static void stopped(Batches *x) {
    Err err = x->e->fail_err;
    task_fail(x->c, err, "%s; the lines from %lld on, and some before, were not applied", err_text(err),
              (long long)x->kind->line(x, x->from));
    task_finish(x->e, x->c);
}

static void run_all(Batches *x) {
    for (int64_t next;; x->from = next) {
        bool room = !x->from || batch_room(x->e, x->r);
        next = room ? x->kind->next(x) : -1;
        if (next < 0) {
            stopped(x);
            return;
        }
        bool last = next == x->count;
        if (last) x->kind->result(x->c);
        batch_end(x->e, x->r, x->c->source, last ? x->c : NULL);
        if (last) return; // the task may be gone
    }
}

void batches_run(const BatchKind *kind, Sosia *e, Realm *r, Task *c, Report *report, int64_t count) {
    Batches x = {.kind = kind, .e = e, .r = r, .c = c, .report = report, .count = count};
    arena_init(&x.scratch, 0);
    diag_init(&x.d);
    if (count) {
        run_all(&x);
    } else {
        kind->result(c);
        batch_after(e, r, c);
    }
    diag_free(&x.d);
    arena_free(&x.scratch);
}

// SPDX-License-Identifier: Apache-2.0
// What is told of erasures: receipts, those that are not over, and how it stands with them.
#include <stdio.h>
#include "codec/json.h"
#include "engine/erase_inner.h"

// ---- receipts -----------------------------------------------------------------------------------------------------

static bool list_receipt(void *ctx, SosiaStr key, SosiaStr value) {
    Buf *out = ctx;
    (void)key;
    if (out->p[out->n - 1] != '[') buf_byte(out, ',');
    buf_str_put(out, value);
    return true;
}

typedef struct Listing {
    Eraser *eraser;
    Buf *out;
} Listing;

// How it stands with one of that id. Lock held.
static void state_put(const Eraser *x, const char *id, Buf *out) {
    const Job *j = x->running && !strcmp(x->running->id, id) ? x->running : x->first;
    while (j && strcmp(j->id, id) != 0) j = j->next;
    bool runs = j && j == x->running, stands = j && !runs && j->stands;
    buf_printf(out, ",\"state\":\"%s\"", runs ? "running" : stands ? "standing" : "waiting");
    if (!j || !j->stands) return;
    buf_printf(out, ",\"reason\":{\"code\":\"%s\",\"message\":", err_wire(j->stands));
    json_put_str(out, str_of(err_text(j->stands)));
    buf_printf(out, "},\"tries\":%lld", (long long)j->tries);
    if (stands) erase_time_put(out, "nextTry", j->next_ns);
}

static bool list_pending(void *ctx, SosiaStr key, SosiaStr value) {
    const Listing *p = ctx;
    Buf *out = p->out;
    Job *j = erase_job_decode(key, value);
    if (!j) return true;
    if (out->p[out->n - 1] != '[') buf_byte(out, ',');
    buf_printf(out, "{\"id\":\"%s\"", j->id);
    erase_time_put(out, "asked", j->asked_ns);
    pthread_mutex_lock(&p->eraser->lock);
    state_put(p->eraser, j->id, out);
    pthread_mutex_unlock(&p->eraser->lock);
    buf_byte(out, '}');
    erase_job_free(j);
    return true;
}

void eraser_stats(Eraser *x, EraseStats *out) {
    *out = (EraseStats){0};
    if (!x) return;
    pthread_mutex_lock(&x->lock);
    out->pending = x->count;
    for (const Job *j = x->first; j; j = j->next) out->standing += j->stands != ERR_OK;
    out->done = x->done;
    out->failed = x->failed;
    pthread_mutex_unlock(&x->lock);
}

typedef struct Wanted {
    Str id;
    Buf *out;
    bool found;
} Wanted;

static bool find_receipt(void *ctx, SosiaStr key, SosiaStr value) {
    Wanted *x = ctx;
    x->found = str_eq(key, x->id);
    if (x->found) buf_str_put(x->out, value);
    return !x->found;
}

SosiaErr sosia_erasures(Sosia *s, const SosiaCaller *who, SosiaStr id, SosiaOut *out) {
    (void)who;
    buf_reset(&out->body);
    if (!s->eraser) return SOSIA_UNSUPPORTED;
    if (id.n) {
        Wanted x = {.id = id, .out = &out->body};
        SosiaErr err = sosia_items_scan(s, STR(ERASED_KIND), (Str){0}, 0, find_receipt, &x);
        return err || x.found ? err : SOSIA_ERASURE_NOT_FOUND;
    }
    Buf pending = {0}; // first: what ends meanwhile is in both, not in none
    buf_printf(&pending, "],\"pending\":[");
    SosiaErr err = sosia_items_scan(s, STR(ERASE_KIND), (Str){0}, 0, list_pending, &(Listing){s->eraser, &pending});
    buf_printf(&out->body, "{\"value\":[");
    if (!err) err = sosia_items_scan(s, STR(ERASED_KIND), (Str){0}, 0, list_receipt, &out->body);
    buf_str_put(&out->body, buf_str(&pending));
    buf_printf(&out->body, "]}");
    buf_free(&pending);
    return err;
}

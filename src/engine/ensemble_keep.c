// SPDX-License-Identifier: Apache-2.0
// What outlives an ensemble, and the process: two items of each, put and taken together.
#include <stdio.h>
#include "engine/ensemble_inner.h"

void ensemble_key(uint64_t id, char out[ENSEMBLE_KEY_SIZE]) {
    snprintf(out, ENSEMBLE_KEY_SIZE, "%016llx", (unsigned long long)id);
}

typedef struct Finding {
    Str key;
    Buf *bytes;
    bool found;
} Finding;

static bool take_it(void *ctx, SosiaStr key, SosiaStr value) {
    Finding *f = ctx;
    f->found = str_eq(key, f->key);
    if (f->found) buf_str_put(f->bytes, value);
    return false;
}

Err ensemble_outcome_find(Sosia *e, uint64_t id, Buf *out) {
    char key[ENSEMBLE_KEY_SIZE], before[ENSEMBLE_KEY_SIZE];
    ensemble_key(id, key);
    memcpy(before, key, sizeof key);
    before[ENSEMBLE_KEY_SIZE - 2]--; // no key is between the two
    Finding f = {str_of(key), out, false};
    Err err = (Err)sosia_items_scan(e, ENSEMBLE_OUTCOME_KIND, str_of(before), 0, take_it, &f);
    return err ? err : f.found ? ERR_OK : ERR_ENSEMBLE_NOT_FOUND;
}

Err ensemble_put(Sosia *e, uint64_t id, Str head, Str outcome) {
    char key[ENSEMBLE_KEY_SIZE];
    ensemble_key(id, key);
    SosiaItem items[] = {{.kind = ENSEMBLE_KIND, .key = str_of(key), .value = head},
                         {.kind = ENSEMBLE_OUTCOME_KIND, .key = str_of(key), .value = outcome}};
    return (Err)sosia_items_put_wait(e, items, outcome.n ? 2 : 1);
}

void ensemble_put_soon(Sosia *e, uint64_t id, Str head) {
    char key[ENSEMBLE_KEY_SIZE];
    ensemble_key(id, key);
    SosiaItem item = {.kind = ENSEMBLE_KIND, .key = str_of(key), .value = head};
    (void)sosia_items_put(e, &item, 1, NULL, NULL); // what is not kept now is kept at its end
}

Err ensemble_take(Sosia *e, uint64_t id) {
    char key[ENSEMBLE_KEY_SIZE];
    ensemble_key(id, key);
    SosiaItem items[] = {{.kind = ENSEMBLE_KIND, .key = str_of(key), .remove = true},
                         {.kind = ENSEMBLE_OUTCOME_KIND, .key = str_of(key), .remove = true}};
    return (Err)sosia_items_put_wait(e, items, 2);
}

Err ensemble_heads(Sosia *e, bool (*fn)(void *ctx, SosiaStr key, SosiaStr value), void *ctx) {
    return (Err)sosia_items_scan(e, ENSEMBLE_KIND, (Str){0}, 0, fn, ctx);
}

// SPDX-License-Identifier: Apache-2.0
// The twins of live that were deleted, by name, a page at a time.
#include "base/time.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "world/forget.h"

#define PAGE_DEFAULT 1000
#define PAGE_MAX 10000

typedef struct Listing {
    Buf *out;
    uint64_t last;
    int64_t count; // seen, those left out too
} Listing;

static bool put(void *ctx, const StoreDead *d) {
    Listing *p = ctx;
    p->last = d->twin;
    p->count++;
    if (str_starts(d->name, STR(FORGET_NAME_HEAD))) return true;
    buf_printf(p->out, "%s{\"$dtId\":", p->out->n > 1 ? "," : "");
    json_put_str(p->out, d->name);
    buf_printf(p->out, ",\"deleted\":\"");
    time_print(d->time, 7, p->out);
    buf_printf(p->out, "\"}");
    return true;
}

SosiaErr sosia_history_deleted(Sosia *s, const SosiaCaller *who, SosiaStr token, int32_t limit, SosiaOut *out) {
    Listing p = {.out = &out->body};
    uint64_t after = 0;
    (void)who;
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->token[0] = 0;
    if (!s->history) {
        buf_printf(&out->message, "no history is kept");
        return SOSIA_UNSUPPORTED;
    }
    if (token.n && token_parse(token, 'x', STR("deleted"), (Str){0}, &after)) return SOSIA_TOKEN;
    int64_t n = limit <= 0 ? PAGE_DEFAULT : limit > PAGE_MAX ? PAGE_MAX : limit;
    history_wait(s->history, world_visible(s->live->world));
    buf_byte(&out->body, '[');
    Err err = history_dead_list(s->history, after, n, put, &p);
    buf_byte(&out->body, ']');
    if (!err && p.count == n) token_print('x', p.last, STR("deleted"), (Str){0}, out->token);
    return (SosiaErr)err;
}

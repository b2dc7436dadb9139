// SPDX-License-Identifier: Apache-2.0
// Bytes in, a trace out: refused, or the same bytes again; and what is told of it, and left of it, is within bounds.
#include "base/check.h"
#include "engine/flow_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t lines(const Trace *t, Buf *text) {
    uint64_t n = 0;
    buf_reset(text);
    flow_trace_show(t, &(TraceAsk){.item = -1}, text);
    for (int64_t i = 0; i < text->n; i++) n += text->p[i] == '\n';
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 16) return 0;
    Str in = {(const char *)data, (int64_t)size};
    Trace *t = flow_trace_decode(in);
    if (!t) return 0;
    Buf once = {0}, twice = {0}, text = {0};
    flow_trace_encode(t, &once);
    Trace *again = flow_trace_decode(buf_str(&once));
    CHECK(again != NULL);
    flow_trace_encode(again, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    CHECK(lines(t, &text) == t->events);
    flow_trace_show(t, &(TraceAsk){.twin = STR("saw"), .source = STR("parts"), .item = 1, .after = 2, .limit = 3},
                    &text);
    uint64_t before = again->events;
    bool any = flow_trace_forget(again, STR("saw"));
    CHECK(any == (again->events < before));
    CHECK(lines(again, &text) == again->events);
    CHECK(!flow_trace_forget(again, STR("saw")));
    buf_free(&once);
    buf_free(&twice);
    buf_free(&text);
    flow_trace_free(again);
    flow_trace_free(t);
    return 0;
}

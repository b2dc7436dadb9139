// SPDX-License-Identifier: Apache-2.0
#include "engine/flow_trace.h"
#include <string.h>
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/json.h"

#define KEEP_VERSION 1
#define NAME_BYTES 4096 // of one twin; more is damage

// ---- things that are followed ---------------------------------------------------------------------------------------

static uint64_t mix(uint64_t h) {
    h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 31;
}

static uint64_t key_of(uint64_t source, uint64_t item) {
    uint64_t key = mix(mix(source + 1) + item);
    return key ? key : 1;
}

// The slot of the key, or the free one where it belongs.
static uint64_t *slot_of(const Trace *t, uint64_t key) {
    uint32_t at = (uint32_t)key & (t->slots - 1);
    while (t->followed[at] && t->followed[at] != key) at = (at + 1) & (t->slots - 1);
    return &t->followed[at];
}

static void slots_grow(Trace *t) {
    uint32_t before = t->slots;
    uint64_t *old = t->followed;
    t->slots = before ? before * 2 : 64;
    t->followed = mem_alloc(t->slots * sizeof *t->followed);
    for (uint32_t i = 0; i < before; i++) {
        if (old[i]) *slot_of(t, old[i]) = old[i];
    }
    mem_free(old);
}

// Is it followed? It is from now on, as long as there is room.
static bool follow(Trace *t, uint64_t source, uint64_t item) {
    if (2 * (t->items + 1) > t->slots) slots_grow(t);
    uint64_t key = key_of(source, item), *slot = slot_of(t, key);
    if (*slot) return true;
    if (t->items >= t->most) return false;
    *slot = key;
    t->items++;
    return true;
}

static void unfollow_all(Trace *t) {
    if (t->followed) memset(t->followed, 0, t->slots * sizeof *t->followed);
}

// ---- lives ----------------------------------------------------------------------------------------------------------

Trace *flow_trace_new(uint32_t items) {
    Trace *t = mem_alloc(sizeof *t);
    t->most = items == 0 ? TRACE_ITEMS_DEFAULT : items < TRACE_ITEMS_MAX ? items : TRACE_ITEMS_MAX;
    return t;
}

void flow_trace_free(Trace *t) {
    if (!t) return;
    buf_free(&t->bytes);
    mem_free(t->twin);
    mem_free(t->followed);
    mem_free(t);
}

void flow_trace_graph(Trace *t, const SimGraph *g) {
    mem_free(t->twin);
    t->twin = NULL;
    t->graph = g;
    if (g) t->twin = mem_alloc((g->twins ? g->twins : 1) * sizeof *t->twin);
}

// ---- writing --------------------------------------------------------------------------------------------------------

static void put_text(Buf *b, char kind, Str s) {
    buf_byte(b, kind);
    buf_varint(b, (uint64_t)s.n);
    buf_str_put(b, s);
}

// Number + 1 of a twin; named when it is new.
static uint64_t twin_number(Trace *t, uint32_t dense) {
    if (dense >= t->graph->twins) return 0;
    if (t->twin[dense] == 0) {
        put_text(&t->bytes, 'N', sim_graph_name(t->graph, dense));
        t->twin[dense] = ++t->twins;
    }
    return t->twin[dense];
}

// Words are few.
static uint32_t word_number(Trace *t, Str word) {
    if (word.n >= TRACE_WORD_BYTES) word.n = TRACE_WORD_BYTES - 1;
    for (uint32_t i = 0; i < t->word_count; i++) {
        if (str_eq(str_of(t->words[i]), word)) return i;
    }
    if (t->word_count == TRACE_WORDS_MAX) return TRACE_WORDS_MAX - 1;
    put_text(&t->bytes, 'W', word);
    memcpy(t->words[t->word_count], word.p, (size_t)word.n);
    return t->word_count++;
}

typedef struct Numbers {
    uint64_t item, source, twin, word;
} Numbers;

static void put_event(Trace *t, int64_t ns, const Numbers *x) {
    buf_byte(&t->bytes, 'E');
    buf_varint(&t->bytes, (uint64_t)(ns - t->last_ns));
    buf_varint(&t->bytes, x->item);
    buf_varint(&t->bytes, x->source);
    buf_varint(&t->bytes, x->twin);
    buf_varint(&t->bytes, x->word);
    t->last_ns = ns;
    t->events++;
}

void flow_trace_add(Trace *t, int64_t ns, const SimTrace *x) {
    CHECK(t->graph != NULL);
    if (!t->full && t->bytes.n >= TRACE_BYTES_MAX) t->full = true;
    if (t->full) return;
    Numbers e = {.item = x->item};
    if (x->source < t->graph->twins) {
        // The key is of the name, which stays when the graph is made anew.
        if (!follow(t, str_hash(sim_graph_name(t->graph, x->source)), x->item)) return;
        e.source = twin_number(t, x->source);
    }
    e.twin = twin_number(t, x->twin);
    e.word = word_number(t, str_of(x->what));
    put_event(t, ns < t->last_ns ? t->last_ns : ns, &e);
}

void flow_trace_anew(Trace *t) {
    if (t->events) buf_byte(&t->bytes, 'A');
    unfollow_all(t); // numbers begin again; how many were followed still counts
}

// ---- reading --------------------------------------------------------------------------------------------------------

typedef struct Reader {
    Cut c;
    Buf name_room; // Str by number
    uint64_t twins;
    Str words[TRACE_WORDS_MAX];
    uint32_t word_count;
    int64_t ns;
    uint64_t n; // of the event
    uint32_t anew;
} Reader;

typedef struct Event {
    int64_t ns;
    uint64_t item;
    Str source, twin, word; // p NULL: none
    bool anew;              // no event
} Event;

static Str name_of(const Reader *r, uint64_t number) {
    if (number == 0) return (Str){0};
    Str s;
    memcpy(&s, r->name_room.p + (number - 1) * sizeof s, sizeof s);
    return s;
}

static Str cut_text(Cut *c, uint64_t most) {
    uint64_t n = cut_varint(c);
    if (n == 0 || n > most || n > (uint64_t)(c->end - c->p)) c->bad = true;
    return c->bad ? (Str){0} : cut_bytes(c, (int64_t)n);
}

static void take_name(Reader *r) {
    Str s = cut_text(&r->c, NAME_BYTES);
    buf_put(&r->name_room, &s, sizeof s);
    r->twins++;
}

static void take_word(Reader *r) {
    Str s = cut_text(&r->c, TRACE_WORD_BYTES - 1);
    if (r->word_count == TRACE_WORDS_MAX) r->c.bad = true;
    else r->words[r->word_count++] = s;
}

static void take_event(Reader *r, Event *e) {
    uint64_t step = cut_varint(&r->c), item = cut_varint(&r->c), source = cut_varint(&r->c);
    uint64_t twin = cut_varint(&r->c), word = cut_varint(&r->c);
    if (source > r->twins || twin > r->twins || word >= r->word_count || step > INT64_MAX) r->c.bad = true;
    if (__builtin_add_overflow(r->ns, (int64_t)(step & INT64_MAX), &r->ns)) r->c.bad = true;
    if (r->c.bad) return;
    *e = (Event){.ns = r->ns, .item = item, .source = name_of(r, source), .twin = name_of(r, twin)};
    e->word = r->words[word];
    r->n++;
}

// The next event, or that it was begun anew. False: the end, or damage (c.bad).
static bool next(Reader *r, Event *e) {
    while (!r->c.bad && r->c.p < r->c.end) {
        switch (cut_byte(&r->c)) {
        case 'N': take_name(r); break;
        case 'W': take_word(r); break;
        case 'A':
            *e = (Event){.anew = true};
            r->anew++;
            return true;
        case 'E': take_event(r, e); return !r->c.bad;
        default: r->c.bad = true;
        }
    }
    return false;
}

static Reader reader_of(Str bytes) { return (Reader){.c = cut_of(bytes), .name_room = {.max = INT64_C(64) << 20}}; }

// ---- forgetting, files ----------------------------------------------------------------------------------------------

static bool is(Str name, Str asked) { return name.p && str_eq(name, asked); }

// A twin's name as a number of the new trace.
static uint64_t name_again(Trace *t, Map *names, Str name) {
    int64_t number;
    if (!name.p) return 0;
    if (!map_get(names, name, &number)) {
        put_text(&t->bytes, 'N', name);
        number = ++t->twins;
        map_put(names, name, number);
    }
    return (uint64_t)number;
}

bool flow_trace_forget(Trace *t, Str twin) {
    Trace left = {.number = t->number, .most = t->most, .items = t->items};
    Reader r = reader_of(buf_str(&t->bytes));
    Map names = {0};
    Event e;
    while (next(&r, &e)) {
        if (e.anew && left.events) buf_byte(&left.bytes, 'A');
        if (e.anew || is(e.twin, twin) || is(e.source, twin)) continue;
        Numbers x = {.item = e.item};
        x.source = name_again(&left, &names, e.source);
        x.twin = name_again(&left, &names, e.twin);
        x.word = word_number(&left, e.word);
        put_event(&left, e.ns, &x);
    }
    bool any = left.events != t->events;
    map_free(&names);
    buf_free(&r.name_room);
    buf_free(&t->bytes);
    t->bytes = left.bytes;
    t->events = left.events;
    t->twins = left.twins;
    t->word_count = left.word_count;
    memcpy(t->words, left.words, sizeof t->words);
    flow_trace_graph(t, t->graph); // numbers of twins are others now: names are told again
    return any;
}

void flow_trace_encode(const Trace *t, Buf *out) {
    buf_byte(out, KEEP_VERSION);
    buf_varint(out, t->number);
    buf_varint(out, t->most);
    buf_varint(out, t->items);
    buf_byte(out, t->full);
    buf_byte(out, t->goes_on);
    buf_str_put(out, buf_str(&t->bytes));
}

// Things that are followed, and what else follows from the bytes. False: damage.
static bool read_all(Trace *t) {
    Reader r = reader_of(buf_str(&t->bytes));
    Event e;
    uint32_t followed = 0;
    while (2 * ((uint64_t)t->items + 1) > t->slots) slots_grow(t);
    while (next(&r, &e)) {
        if (e.anew) unfollow_all(t);
        if (e.anew) followed = 0;
        if (e.anew || !e.source.p) continue;
        uint64_t key = key_of(str_hash(e.source), e.item), *slot = slot_of(t, key);
        followed += *slot == 0;
        if (followed > t->items) r.c.bad = true;
        else *slot = key;
    }
    t->events = r.n;
    t->last_ns = r.ns;
    t->twins = (uint32_t)r.twins;
    for (; !r.c.bad && t->word_count < r.word_count; t->word_count++)
        memcpy(t->words[t->word_count], r.words[t->word_count].p, (size_t)r.words[t->word_count].n);
    buf_free(&r.name_room);
    return !r.c.bad;
}

Trace *flow_trace_decode(Str bytes) {
    Cut c = cut_of(bytes);
    bool known = cut_byte(&c) == KEEP_VERSION;
    uint64_t number = cut_varint(&c), most = cut_varint(&c), items = cut_varint(&c);
    uint8_t full = cut_byte(&c), goes_on = cut_byte(&c);
    if (c.bad || !known || most == 0 || most > TRACE_ITEMS_MAX || items > most || full > 1 || goes_on > 1) return NULL;
    Trace *t = flow_trace_new((uint32_t)most);
    t->number = number;
    t->items = (uint32_t)items;
    t->full = full;
    t->goes_on = goes_on;
    buf_str_put(&t->bytes, (Str){(const char *)c.p, c.end - c.p});
    if (read_all(t)) return t;
    flow_trace_free(t);
    return NULL;
}

// ---- answers --------------------------------------------------------------------------------------------------------

static void put_line(const Event *e, const Reader *r, Buf *out) {
    buf_printf(out, "{\"n\":%llu,\"time\":\"", (unsigned long long)r->n);
    time_print(e->ns, 7, out);
    buf_printf(out, "\"");
    if (e->twin.p) buf_printf(out, ",\"twin\":");
    if (e->twin.p) json_put_str(out, e->twin);
    buf_printf(out, ",\"what\":");
    json_put_str(out, e->word);
    if (e->source.p) {
        buf_printf(out, ",\"item\":%llu,\"source\":", (unsigned long long)e->item);
        json_put_str(out, e->source);
    }
    if (r->anew) buf_printf(out, ",\"anew\":%u", r->anew);
    buf_printf(out, "}\n");
}

static bool asked(const TraceAsk *a, const Event *e, uint64_t n) {
    if (n <= a->after || (a->twin.n && !is(e->twin, a->twin)) || (a->source.n && !is(e->source, a->source)))
        return false;
    return a->item < 0 || (e->source.p && e->item == (uint64_t)a->item);
}

void flow_trace_show(const Trace *t, const TraceAsk *ask, Buf *out) {
    Reader r = reader_of(buf_str(&t->bytes));
    int32_t left = ask->limit > 0 && ask->limit < TRACE_PAGE_MAX ? ask->limit : TRACE_PAGE_MAX;
    Event e;
    while (left > 0 && next(&r, &e)) {
        if (e.anew || !asked(ask, &e, r.n)) continue;
        put_line(&e, &r, out);
        left--;
    }
    buf_free(&r.name_room);
}

void flow_trace_tell(const Trace *t, Buf *out) {
    buf_printf(out, "{\"items\":%u,\"followed\":%u,\"events\":%llu,\"full\":%s}", t->most, t->items,
               (unsigned long long)t->events, t->full ? "true" : "false");
}

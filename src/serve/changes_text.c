// SPDX-License-Identifier: Apache-2.0
// How changes and messages look. The hot part of the feed: no printf here.
#include "base/check.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/changes.h"

#define FRAME_GUESS 4 // bytes of most frame heads

// ---- one change ---------------------------------------------------------------------------------------------------

static void put_u64(Buf *out, uint64_t v) {
    char text[20];
    int32_t n = 20;
    do text[--n] = (char)('0' + v % 10);
    while (v /= 10);
    buf_put(out, text + n, 20 - n);
}

static void put_member(Buf *out, Str key, Str value) {
    buf_str_put(out, key);
    json_put_str(out, value);
}

// A document as it was given: in one line, since blank space outside of strings means nothing.
static void put_document(Buf *out, Str s) {
    int64_t from = out->n;
    buf_str_put(out, s);
    for (int64_t i = from; i < out->n; i++) {
        if (out->p[i] == '\n' || out->p[i] == '\r') out->p[i] = ' ';
    }
}

static void put_value(Buf *out, const SosiaValue *v) {
    if (v->kind == SOSIA_NONE) return;
    buf_str_put(out, STR(",\"value\":"));
    switch (v->kind) {
    case SOSIA_BOOL: buf_str_put(out, v->b ? STR("true") : STR("false")); break;
    case SOSIA_I64: json_put_i64(out, v->i); break;
    case SOSIA_F64: json_put_f64(out, v->d); break;
    case SOSIA_TEXT: json_put_str(out, v->s); break;
    case SOSIA_JSON: put_document(out, v->s); break;
    default: buf_str_put(out, STR("null")); break;
    }
}

// ORDER EVENT: names on the wire.
static const char *const OPS[] = {"twin_put",    "twin_delete", "set",        "unset", "link_put",
                                  "link_delete", "link_set",    "link_unset", "model", "telemetry"};
#define OP_COUNT ((int32_t)(sizeof OPS / sizeof OPS[0]))

const char *op_name(SosiaEvent what) { return OPS[what]; }

uint32_t op_parse(Str name) {
    for (int32_t i = 0; i < OP_COUNT; i++) {
        if (str_eq(name, str_of(OPS[i]))) return 1u << i;
    }
    return 0;
}

static void put_names(Buf *out, const SosiaChange *ch) {
    switch (ch->what) {
    case SOSIA_EV_LINK_PUT:
    case SOSIA_EV_LINK_DELETE:
        put_member(out, STR(",\"name\":"), ch->path);
        put_member(out, STR(",\"target\":"), ch->other);
        break;
    case SOSIA_EV_LINK_SET:
    case SOSIA_EV_LINK_UNSET:
        if (ch->other.n > 0) put_member(out, STR(",\"name\":"), ch->other);
        put_member(out, STR(",\"path\":"), ch->path);
        break;
    case SOSIA_EV_TELEMETRY:
        if (ch->path.n > 0) put_member(out, STR(",\"component\":"), ch->path);
        if (ch->other.n > 0) put_member(out, STR(",\"message\":"), ch->other);
        break;
    default:
        if (ch->path.n > 0) put_member(out, STR(",\"path\":"), ch->path);
        break;
    }
}

void change_put(Buf *out, const SosiaChange *ch) {
    buf_str_put(out, STR("{\"op\":\""));
    buf_str_put(out, str_of(OPS[ch->what]));
    put_member(out, ch->what == SOSIA_EV_MODEL ? STR("\",\"model\":") : STR("\",\"twin\":"), ch->twin);
    if (ch->model.n > 0 && ch->what != SOSIA_EV_MODEL) put_member(out, STR(",\"model\":"), ch->model);
    if (ch->link.n > 0) put_member(out, STR(",\"link\":"), ch->link);
    put_names(out, ch);
    bool gone = ch->what == SOSIA_EV_TWIN_DELETE || ch->what == SOSIA_EV_LINK_DELETE;
    if (!gone) put_value(out, &ch->value);
    if (ch->source_time_ns != 0) {
        buf_str_put(out, STR(",\"sourceTime\":\""));
        time_print(ch->source_time_ns, 9, out);
        buf_byte(out, '"');
    }
    if (ch->late) buf_str_put(out, STR(",\"late\":true"));
    buf_byte(out, '}');
}

// ---- messages -----------------------------------------------------------------------------------------------------

void message_begin(Message *m, Buf *out, bool socket, const Head *head) {
    CHECK(!m->open);
    *m = (Message){.start = out->n, .seq = head->seq, .open = true};
    if (socket) buf_put(out, "....", FRAME_GUESS);
    else buf_str_put(out, STR("data: "));
    m->body = out->n;
    buf_str_put(out, STR("{\"seq\":"));
    put_u64(out, head->seq);
    buf_str_put(out, STR(",\"prev\":"));
    put_u64(out, head->prev);
    if (head->snapshot) buf_str_put(out, STR(",\"snapshot\":true"));
    if (head->time_ns) {
        buf_str_put(out, STR(",\"time\":\""));
        time_print(head->time_ns, 7, out);
        buf_byte(out, '"');
    }
    if (head->source.n > 0) put_member(out, STR(",\"source\":"), head->source);
    buf_str_put(out, STR(",\"changes\":["));
}

void message_next(Message *m, Buf *out) {
    if (m->count++ > 0) buf_byte(out, ',');
}

bool message_full(const Message *m, const Buf *out) {
    return m->count >= MESSAGE_CHANGES_MAX || out->n - m->body >= MESSAGE_BYTES_MAX;
}

// Give the bytes from `body` on, in front of which there is room for a guess, a frame's head.
static void frame(Buf *out, int64_t start, int64_t body) {
    char head[WS_HEAD_MAX];
    int64_t n = out->n - body;
    int32_t size = ws_head(head, n);
    if (start + size > body) buf_put(out, head, start + size - body); // room for the longer head
    if (start + size != body) memmove(out->p + start + size, out->p + body, (size_t)n);
    memcpy(out->p + start, head, (size_t)size);
    out->n = start + size + n;
}

static void finish(Buf *out, bool socket, int64_t start, int64_t body) {
    CHECK(!out->full);
    if (socket) frame(out, start, body);
    else buf_str_put(out, STR("\n\n"));
}

void message_end(Message *m, Buf *out, bool socket, bool more) {
    CHECK(m->open);
    buf_str_put(out, more ? STR("],\"more\":true}") : STR("]}"));
    if (!socket && !more) { // what a browser resumes behind: never the middle of a batch
        buf_str_put(out, STR("\nid: "));
        put_u64(out, m->seq);
    }
    finish(out, socket, m->start, m->body);
    m->open = false;
}

void event_put(Buf *out, bool socket, const char *name, Str members) {
    int64_t start = out->n;
    if (socket) {
        buf_put(out, "....", FRAME_GUESS);
    } else {
        buf_str_put(out, STR("event: "));
        buf_str_put(out, str_of(name));
        buf_str_put(out, STR("\ndata: "));
    }
    int64_t body = out->n;
    buf_byte(out, '{');
    if (socket) {
        put_member(out, STR("\"event\":"), str_of(name));
        buf_byte(out, ',');
    }
    buf_str_put(out, members);
    buf_byte(out, '}');
    finish(out, socket, start, body);
}

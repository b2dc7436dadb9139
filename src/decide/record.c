// SPDX-License-Identifier: Apache-2.0
#include "decide/record.h"
#include <stdio.h>
#include "base/check.h"
#include "base/sha256.h"
#include "decide/record_inner.h"

// ORDER DECISION_STATE
static const char *const state_names[DECISION_STATES] = {
    "proposing", "waiting", "approved",   "sending", "watching", "kept",   "left",    "rolledBack", "refused",
    "expired",   "nothing", "noneWithin", "stale",   "shadow",   "failed", "unknown", "stopped",
};

const char *decision_state_name(DecisionState s) {
    CHECK(s >= 0 && s < DECISION_STATES);
    return state_names[s];
}

bool decision_state_of(Str name, DecisionState *out) {
    for (int i = 0; i < DECISION_STATES; i++)
        if (str_eq(name, str_of(state_names[i]))) {
            *out = (DecisionState)i;
            return true;
        }
    return false;
}

bool decision_ended(DecisionState s) { return s >= DECISION_KEPT; }

// ---- the seal -----------------------------------------------------------------------------------------------------

static void hash_members(const Json *of, const char *const *names, int n, Buf *out) {
    for (int i = 0; i < n; i++) {
        const Json *v = json_get(of, str_of(names[i]));
        buf_printf(out, "%s:", names[i]);
        if (v) json_put(out, v);
        buf_byte(out, '\n');
    }
}

void decision_hash(const Json *record, char out[65]) {
    static const char *const decided[] = {"world", "sequence",  "rule",         "twin",   "mode",
                                          "by",    "trigger",   "definition",   "seed",   "replications",
                                          "ahead", "objective", "alternatives", "choice", "why"};
    static const char *const sent[] = {"twin", "component", "name", "payload", "timeout"};
    Buf text = {0};
    hash_members(record, decided, (int)(sizeof decided / sizeof *decided), &text);
    hash_members(json_get(record, STR("command")), sent, 5, &text);
    sha256_hex(buf_str(&text), out);
    buf_free(&text);
}

void decision_seal(Decision *x, Arena *a) {
    Buf text = {0};
    Arena scratch;
    Json v;
    char hash[65];
    arena_init(&scratch, 0);
    decision_put(x, &text);
    Err err = json_parse(buf_str(&text), NULL, &scratch, &v, NULL);
    CHECK(!err); // it was written here
    decision_hash(&v, hash);
    x->hash = arena_str(a, str_of(hash));
    arena_free(&scratch);
    buf_free(&text);
}

// ---- what is added as it goes on ----------------------------------------------------------------------------------

int32_t record_room(int32_t n) {
    int32_t room = 4;
    while (room < n) room *= 2;
    return room;
}

// The array with room for one more; arrays of n have room for record_room(n).
static void *one_more(Arena *a, void *old, int32_t n, size_t size) {
    if (old && record_room(n) >= n + 1) return old;
    char *p = arena_alloc(a, (int64_t)size, record_room(n + 1), 8);
    if (n) memcpy(p, old, (size_t)n * size);
    return p;
}

bool decision_step(Decision *x, Arena *a, int64_t at_ns) {
    int32_t n = x->step_count;
    if (n && x->steps[n - 1].state == x->state) return false;
    if (!x->steps) x->steps = NEW(a, DecisionStep, DECISION_STEPS_MAX);
    if (n && at_ns < x->steps[n - 1].at_ns) at_ns = x->steps[n - 1].at_ns; // a clock that was set back
    if (n == DECISION_STEPS_MAX) n--;
    x->steps[n] = (DecisionStep){x->state, at_ns};
    x->step_count = n + 1;
    return true;
}

DecisionState decision_state_at(const DecisionStep *steps, int32_t count, int64_t at_ns, DecisionState present) {
    int32_t n = count;
    while (n > 0 && steps[n - 1].at_ns > at_ns) n--;
    if (n) return steps[n - 1].state;
    return count ? steps[0].state : present;
}

void decision_log(Decision *x, Arena *a, int64_t at_ns, const char *fmt, ...) {
    if (x->log_count >= DECISION_LOG_MAX) return;
    Buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    bool last = x->log_count == DECISION_LOG_MAX - 1;
    x->log = one_more(a, x->log, x->log_count, sizeof *x->log);
    x->log[x->log_count++] =
        (DecisionLog){at_ns, last ? STR("more happened that is not kept") : arena_str(a, buf_str(&text))};
    buf_free(&text);
}

void decision_answered(DecisionCommand *c, Arena *a, int64_t at_ns, int32_t status, Str error, Str answer) {
    int64_t n = answer.n < DECISION_ANSWER_MAX ? answer.n : DECISION_ANSWER_MAX;
    while (n > 0 && n < answer.n && ((unsigned char)answer.p[n] & 0xC0) == 0x80) n--; // not within a character
    c->answered_ns = at_ns;
    c->status = status;
    c->error = arena_str(a, error);
    c->answer = arena_str(a, str_sub(answer, 0, n));
}

Err decision_verdict(Decision *x, Arena *a, Str who, Str verdict, Str note, int64_t at_ns) {
    if (!str_eq(verdict, STR("approve")) && !str_eq(verdict, STR("refuse"))) return ERR_ARGUMENT;
    if (x->state != DECISION_WAITING || !x->hash.n || at_ns > x->due_ns) return ERR_NOT_ALLOWED;
    for (int32_t i = 0; i < x->verdict_count; i++)
        if (str_eq(x->verdicts[i].who, who)) return ERR_NOT_ALLOWED;
    if (x->verdict_count >= DECISION_VERDICTS_MAX) return ERR_LIMIT;
    x->verdicts = one_more(a, x->verdicts, x->verdict_count, sizeof *x->verdicts);
    x->verdicts[x->verdict_count++] = (DecisionVerdict){.who = arena_str(a, who),
                                                        .verdict = arena_str(a, verdict),
                                                        .note = arena_str(a, note),
                                                        .hash = x->hash,
                                                        .at_ns = at_ns};
    return ERR_OK;
}

int32_t decision_approvals(const Decision *x) {
    int32_t n = 0;
    for (int32_t i = 0; i < x->verdict_count; i++) {
        const DecisionVerdict *v = &x->verdicts[i];
        bool again = false; // decision_verdict takes nobody twice, but this may have been read
        for (int32_t k = 0; k < i; k++) again |= str_eq(x->verdicts[k].who, v->who);
        if (!str_eq(v->verdict, STR("approve"))) return -1;
        n += !again && str_eq(v->hash, x->hash) && v->at_ns <= x->due_ns;
    }
    return n;
}

// ---- erasing a twin -----------------------------------------------------------------------------------------------

// Members whose texts are words of ours, or names of other things: no twin is meant there.
static bool ours(Str key) {
    static const char *const keys[] = {
        "state",  "mode",  "world",    "since",    "at",        "time",    "for",     "again",   "fresh",   "within",
        "else",   "ahead", "better",   "kpi",      "unit",      "hash",    "due",     "who",     "verdict", "sent",
        "status", "error", "begin",    "until",    "left",      "asked",   "ended",   "choice",  "action",  "rule",
        "name",   "model", "answered", "property", "component", "pointer", "timeout", "command", "by",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (str_eq(key, str_of(keys[i]))) return true;
    return false;
}

static bool wordy(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The next place of the twin as a word of its own in s, from `from`; -1: none.
static int64_t word_at(Str s, Str twin, int64_t from) {
    while (from + twin.n <= s.n) {
        int64_t k = str_find_str(str_sub(s, from, s.n), twin);
        if (k < 0) return -1;
        int64_t at = from + k, end = at + twin.n;
        if ((!at || !wordy(s.p[at - 1])) && (end == s.n || !wordy(s.p[end]))) return at;
        from = at + 1;
    }
    return -1;
}

// What stands in its place within a text, in which, and at whose borders, the twin does not appear once more.
static Str in_place_of(Str twin) {
    static const char *const others[] = {"~", "^", "|", "#"};
    if (str_find(twin, '(', 0) < 0 && str_find(twin, ')', 0) < 0 && word_at(STR("(erased)"), twin, 0) < 0)
        return STR("(erased)");
    for (int i = 0; i < 4; i++)
        if (str_find(twin, others[i][0], 0) < 0) return str_of(others[i]);
    return (Str){0};
}

typedef struct Forgetting {
    Str twin;
    Buf *out; // NULL: only look
    bool found;
} Forgetting;

static void forget_text(Forgetting *f, Str s) {
    int64_t from = 0, at = str_eq(s, f->twin) ? -1 : word_at(s, f->twin, 0);
    f->found |= at >= 0 || str_eq(s, f->twin);
    if (!f->out) return;
    if (str_eq(s, f->twin)) {
        json_put_str(f->out, (Str){0});
        return;
    }
    Buf text = {0};
    for (; at >= 0; at = word_at(s, f->twin, from)) {
        buf_str_put(&text, str_sub(s, from, at));
        buf_str_put(&text, in_place_of(f->twin));
        from = at + f->twin.n;
    }
    buf_str_put(&text, str_sub(s, from, s.n));
    json_put_str(f->out, buf_str(&text));
    buf_free(&text);
}

static void put(Forgetting *f, char c) {
    if (f->out) buf_byte(f->out, c);
}

static void forget_in(Forgetting *f, const Json *v, Str key, bool free_form);

// Values that it had go with their rows.
static void forget_rows(Forgetting *f, const Json *v, bool free_form) {
    int32_t n = 0;
    put(f, '[');
    for (int32_t i = 0; i < v->count; i++) {
        const Json *twin = free_form ? NULL : json_get(&v->items[i], STR("twin"));
        if (twin && twin->type == JSON_STRING && str_eq(twin->s, f->twin) && json_get(&v->items[i], STR("time"))) {
            f->found = true;
            continue;
        }
        if (n++) put(f, ',');
        forget_in(f, &v->items[i], (Str){0}, free_form);
    }
    put(f, ']');
}

// free_form: within a payload or a value, whose members are whatever people like. Depth: the parser's.
static void forget_in(Forgetting *f, const Json *v, Str key, bool free_form) {
    if (v->type == JSON_STRING && (free_form || !ours(key))) {
        forget_text(f, v->s);
    } else if (v->type == JSON_ARRAY) {
        forget_rows(f, v, free_form);
    } else if (v->type == JSON_OBJECT) {
        put(f, '{');
        for (int32_t i = 0; i < v->count; i++) {
            Str name = v->members[i].key;
            if (i) put(f, ',');
            if (free_form) forget_text(f, name);
            else if (f->out) json_put_str(f->out, name);
            put(f, ':');
            bool inner = free_form || str_eq(name, STR("payload")) || str_eq(name, STR("value"));
            forget_in(f, &v->members[i].value, name, inner);
        }
        put(f, '}');
    } else if (f->out) {
        json_put(f->out, v);
    }
}

bool decision_names(const Json *record, Str twin) {
    Forgetting f = {.twin = twin};
    if (twin.n) forget_in(&f, record, (Str){0}, false);
    return f.found;
}

void decision_forget(const Json *record, Str twin, Buf *out) {
    Forgetting f = {.twin = twin, .out = out};
    CHECK(twin.n > 0);
    forget_in(&f, record, (Str){0}, false);
}

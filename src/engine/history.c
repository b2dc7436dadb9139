// SPDX-License-Identifier: Apache-2.0
// sosia_history: from a name and a stretch of time to a page of values or intervals.
//
// A page ends before a row, and the next one begins with it: the token has the key of that row, which nothing that
// comes later changes, the newest batch that counts, and the time of the first page.
#include "engine/history_ask.h"
#include "base/time.h"
#include "engine/expr_past.h"
#include "engine/pasts.h"

Err hist_fail(HistAsk *x, Err err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_reset(&x->out->message);
    buf_vprintf(&x->out->message, fmt, ap);
    va_end(ap);
    return err;
}

// ---- tokens -------------------------------------------------------------------------------------------------------

#define TOKEN_BYTES_MAX 68 // as 92 letters they fit SosiaOut.token

// What a page must have in common with the one before.
static uint64_t token_scope(const HistAsk *x) {
    const SosiaHistory *h = x->h;
    Buf b = {0};
    Str parts[] = {h->world, h->id, h->link, h->fn, h->fill};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_varint(&b, (uint64_t)parts[i].n);
        buf_str_put(&b, parts[i]);
    }
    for (int32_t i = 0; i < h->property_count; i++) {
        buf_varint(&b, (uint64_t)h->properties[i].n);
        buf_str_put(&b, h->properties[i]);
    }
    buf_varint_signed(&b, h->from_ns);
    buf_varint_signed(&b, h->to_ns);
    buf_varint_signed(&b, h->step_ns);
    buf_byte(&b, (char)(h->descending | h->arrival << 1));
    uint64_t hash = str_hash(buf_str(&b));
    buf_free(&b);
    return hash;
}

static uint32_t token_sum(Str bytes, uint64_t scope) {
    uint64_t h = str_hash(bytes) * 0x9e3779b97f4a7c15u ^ scope;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_letters(Str bytes, char out[96]) {
    int64_t n = 0;
    for (int64_t i = 0; i < bytes.n; i += 3) {
        uint32_t v = 0;
        for (int64_t k = 0; k < 3; k++) v = v << 8 | (i + k < bytes.n ? (uint8_t)bytes.p[i + k] : 0);
        for (int k = 0; k < 4 && (k < 2 || i + k - 1 < bytes.n); k++) out[n++] = letters[v >> (18 - 6 * k) & 63];
    }
    out[n] = 0;
}

static bool get_letters(Str s, Buf *out) {
    uint32_t v = 0;
    int bits = 0;
    for (int64_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(letters, s.p[i]) : NULL;
        if (!at) return false;
        v = v << 6 | (uint32_t)(at - letters);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        buf_byte(out, (char)(v >> bits & 0xff));
    }
    return true;
}

static void put_token(const HistAsk *x, const HistKey *k, char out[96]) {
    Buf b = {0};
    buf_varint(&b, x->bound);
    buf_varint_signed(&b, x->now);
    buf_varint_signed(&b, k->time);
    buf_varint(&b, k->seq);
    buf_varint(&b, k->prop);
    buf_varint(&b, k->ordinal >> 32);
    buf_varint(&b, k->ordinal & UINT32_MAX);
    buf_u32(&b, token_sum(buf_str(&b), token_scope(x)));
    if (b.n <= TOKEN_BYTES_MAX) put_letters(buf_str(&b), out);
    buf_free(&b);
}

static bool read_token(HistAsk *x, Str bytes) {
    if (bytes.n < 12) return false;
    Str body = str_sub(bytes, 0, bytes.n - 4);
    Cut sum = cut_of(str_sub(bytes, bytes.n - 4, bytes.n)), c = cut_of(body);
    if (cut_u32(&sum) != token_sum(body, token_scope(x))) return false;
    uint64_t bound = cut_varint(&c);
    int64_t now = cut_varint_signed(&c);
    x->at.time = cut_varint_signed(&c);
    x->at.seq = cut_varint(&c);
    x->at.prop = cut_varint(&c);
    uint64_t high = cut_varint(&c);
    x->at.ordinal = high << 32 | (cut_varint(&c) & UINT32_MAX);
    if (c.bad || c.p != c.end || bound > x->bound) return false;
    x->bound = bound;
    x->now = now;
    x->resumed = true;
    return true;
}

static Err resume(HistAsk *x) {
    Buf bytes = {0};
    if (!x->h->token.n) return ERR_OK;
    bool ok = x->h->token.n < 96 && get_letters(x->h->token, &bytes) && read_token(x, buf_str(&bytes));
    buf_free(&bytes);
    return ok ? ERR_OK
              : hist_fail(x, ERR_TOKEN,
                          "The continuation token is not one of this history: ask again without it, or with the same "
                          "properties, times, step, fn, fill and order as for the page it came with.");
}

// ---- what is asked for --------------------------------------------------------------------------------------------

static Err check_fill(HistAsk *x) {
    static const Str names[] = {{"none", 4}, {"null", 4}, {"previous", 8}, {"linear", 6}};
    Str fill = x->h->fill;
    if (!fill.n) return ERR_OK;
    for (int i = 0; i < 4; i++) {
        if (!str_eq(fill, names[i])) continue;
        x->fill = (HistFill)i;
        if (i == FILL_NONE || x->h->step_ns) return ERR_OK;
        return hist_fail(x, ERR_ARGUMENT, "fill says what becomes of intervals without values: it needs a step");
    }
    return hist_fail(x, ERR_ARGUMENT, "fill is none, null, previous or linear, not \"%.*s\"", STR_ARG(fill));
}

static Err check_steps(HistAsk *x) {
    const SosiaHistory *h = x->h;
    if (h->step_ns < 0) return hist_fail(x, ERR_ARGUMENT, "step must be longer than nothing");
    TRY(agg_parse(h->fn, &x->arena, &x->plan, &x->out->message));
    if (h->step_ns && !x->plan.count)
        return hist_fail(x, ERR_ARGUMENT, "step needs fn: what is to be told of each interval, such as fn=avg");
    if (x->plan.count && h->arrival)
        return hist_fail(x, ERR_ARGUMENT, "with=arrival is of single values: leave it out, or fn");
    if (x->plan.count && h->sources)
        return hist_fail(x, ERR_ARGUMENT, "with=source is of single values: leave it out, or fn");
    return check_fill(x);
}

static Err check(HistAsk *x) {
    const SosiaHistory *h = x->h;
    x->from = h->from_ns ? h->from_ns : INT64_MIN;
    x->to = h->to_ns ? h->to_ns : INT64_MAX;
    if (!h->id.n) return hist_fail(x, ERR_ARGUMENT, "the history of which twin?");
    if (x->from > x->to) return hist_fail(x, ERR_ARGUMENT, "from is after to");
    if (h->limit < 0 || h->limit > HISTORY_LIMIT_MAX)
        return hist_fail(x, ERR_ARGUMENT, "limit must be from 1 to %d", HISTORY_LIMIT_MAX);
    if (h->property_count > HISTORY_PROPERTIES_MAX)
        return hist_fail(x, ERR_LIMIT, "properties may be at most %d", HISTORY_PROPERTIES_MAX);
    if (h->format < SOSIA_HISTORY_JSON || h->format > SOSIA_HISTORY_COLUMNS)
        return hist_fail(x, ERR_ARGUMENT, "format is json, csv or columns");
    x->page.limit = h->limit ? h->limit : HISTORY_LIMIT_DEFAULT;
    x->page.descending = h->descending;
    return check_steps(x);
}

// Which functions have a meaning for the property? When it was named, all must.
static bool fits(const HistAsk *x, const HistProp *p, AggKind *bad) {
    for (int32_t i = 0; i < x->plan.count; i++) {
        AggKind k = x->plan.fns[i].kind;
        bool ok = p->class == HIST_TEXT ? agg_for_text(k) : p->class == HIST_DOC ? agg_for_doc(k) : true;
        if (ok) continue;
        *bad = (AggKind)i;
        return false;
    }
    return true;
}

// Leave out what the functions have no meaning for.
static Err check_props(HistAsk *x) {
    int32_t n = 0;
    AggKind bad;
    for (int32_t i = 0; i < x->prop_count; i++) {
        HistProp *p = &x->props[i];
        bool ok = fits(x, p, &bad);
        if (!ok && p->named)
            return hist_fail(x, ERR_ARGUMENT, "fn: %.*s is of numbers, and \"%.*s\" is %s: it takes count, first%s",
                             STR_ARG(x->plan.fns[bad].name), STR_ARG(p->path),
                             p->class == HIST_TEXT ? "text" : "a document",
                             p->class == HIST_TEXT ? ", last, mode and share" : " and last");
        if (ok) x->props[n++] = *p;
    }
    bool none = x->prop_count && !n;
    x->prop_count = n;
    return none ? hist_fail(x, ERR_ARGUMENT, "fn: the twin has no property that is a number") : ERR_OK;
}

// ---- the world ----------------------------------------------------------------------------------------------------

// The newest batch that counts, and the time up to which values stand.
static Err find_bound(HistAsk *x) {
    Sosia *e = x->engine;
    Err err = realm_get(e, x->h->world, &x->realm, &x->now);
    if (err) {
        buf_reset(&x->out->message);
        pasts_why(e, x->h->world, err, &x->out->message);
        return err;
    }
    const Realm *r = x->realm;
    x->history = realm_history(r);
    x->bound = world_visible(r->world);
    if (!r->past.is) x->now = r->scenario ? engine_past_now(r) : e->now(e->now_ctx);
    return ERR_OK;
}

// ---- the call -----------------------------------------------------------------------------------------------------

static Err answer(HistAsk *x) {
    TRY(check(x));
    TRY(find_bound(x));
    TRY(resume(x));
    history_wait(x->history, x->bound);
    x->kept_from = history_from(x->history);
    TRY(hist_lanes(x));
    TRY(check_props(x));
    TRY(x->plan.count ? hist_steps(x) : hist_values(x));
    hist_put(x);
    x->out->seq = x->bound;
    if (x->page.count > x->page.limit) put_token(x, &x->page.rows[x->page.limit].key, x->out->token);
    return x->out->body.full ? hist_fail(x, ERR_LIMIT, "the page is too large: take a smaller limit") : ERR_OK;
}

static void ask_free(HistAsk *x) {
    hist_page_free(&x->page);
    map_free(&x->by_path);
    map_free(&x->sources);
    if (x->catalog) catalog_unref(x->catalog);
    if (x->realm) realm_unref(x->realm);
    arena_free(&x->arena);
}

SosiaErr sosia_history(Sosia *s, const SosiaCaller *who, const SosiaHistory *h, SosiaOut *out) {
    HistAsk x = {.engine = s, .h = h, .who = who, .out = out};
    buf_reset(&out->body);
    buf_reset(&out->message);
    out->etag[0] = out->token[0] = 0;
    arena_init(&x.arena, 0);
    Err err = s->history
                  ? answer(&x)
                  : hist_fail(&x, ERR_UNSUPPORTED, "this engine keeps no history: it has no file, or was told so");
    ask_free(&x);
    if (!err) return SOSIA_OK;
    if (!out->message.n) hist_fail(&x, err, "%s", err_text(err));
    buf_reset(&out->body);
    out->token[0] = 0;
    return (SosiaErr)err;
}

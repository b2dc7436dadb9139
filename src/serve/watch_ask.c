// SPDX-License-Identifier: Apache-2.0
#include "serve/watch_ask.h"
#include "base/time.h"
#include "codec/json.h"

#define INTERVAL_MS 250
#define DEPTH_MAX 8

static Err bad(const char **why, Err err, const char *text) {
    *why = text;
    return err;
}

static bool is_text(const Json *v) { return v->type == JSON_STRING; }

// A list of texts that are not empty.
static bool read_names(const Json *v, Arena *keep, int32_t max, Str **out, int32_t *count) {
    if (v->type != JSON_ARRAY || v->count > max) return false;
    *out = NEW(keep, Str, v->count + 1);
    for (int32_t i = 0; i < v->count; i++) {
        if (!is_text(&v->items[i]) || !v->items[i].s.n) return false;
        (*out)[i] = arena_str(keep, v->items[i].s);
    }
    *count = v->count;
    return true;
}

// ORDER WATCH
static bool read_what(const Json *v, uint32_t *what) {
    static const char *const WHATS[] = {"values", "twins", "links", "linkValues"};
    if (v->type != JSON_ARRAY || !v->count) return false;
    *what = 0;
    for (int32_t i = 0; i < v->count; i++) {
        int bit = 0;
        while (bit < 4 && !(is_text(&v->items[i]) && str_eq(v->items[i].s, str_of(WHATS[bit])))) bit++;
        if (bit == 4) return false;
        *what |= 1u << bit;
    }
    return true;
}

static bool id_ok(const Json *v) { return v && is_text(v) && v->s.n > 0 && v->s.n <= WATCH_ID_MAX; }

static Err read_member(Str key, const Json *v, Arena *keep, WatchAsk *out, const char **why) {
    if (str_eq(key, STR("id"))) return ERR_OK; // read already
    if (str_eq(key, STR("twins"))) {
        if (read_names(v, keep, WATCH_TWINS_MAX, &out->twins, &out->twin_count)) return ERR_OK;
        return bad(why, ERR_LIMIT, "twins must be a list of at most 10,000 ids.");
    }
    if (str_eq(key, STR("models"))) {
        if (read_names(v, keep, WATCH_NAMES_MAX, &out->models, &out->model_count)) return ERR_OK;
        return bad(why, ERR_LIMIT, "models must be a list of at most 64 ids.");
    }
    if (str_eq(key, STR("properties"))) {
        if (read_names(v, keep, WATCH_NAMES_MAX, &out->properties, &out->property_count)) return ERR_OK;
        return bad(why, ERR_LIMIT, "properties must be a list of at most 64 paths.");
    }
    if (str_eq(key, STR("where"))) {
        if (!is_text(v)) return bad(why, ERR_ARGUMENT, "where must be a condition, as text.");
        out->where = arena_str(keep, str_trim(v->s));
        return ERR_OK;
    }
    if (str_eq(key, STR("what"))) {
        if (read_what(v, &out->what)) return ERR_OK;
        return bad(why, ERR_ARGUMENT, "what must be a list of values, twins, links and linkValues.");
    }
    if (!str_eq(key, STR("interval_ms")))
        return bad(why, ERR_ARGUMENT,
                   "subscribe takes id, twins, models, properties, where, what and interval_ms, nothing else.");
    if (v->type != JSON_INT || v->i < WATCH_INTERVAL_MS_MIN || v->i > WATCH_INTERVAL_MS_MAX)
        return bad(why, ERR_ARGUMENT, "interval_ms must be a whole number from 50 to 60,000.");
    out->interval_ns = v->i * NS_PER_MS;
    return ERR_OK;
}

static Err read_ask(const Json *v, Arena *keep, WatchAsk *out, const char **why) {
    if (v->type != JSON_OBJECT || !id_ok(json_get(v, STR("id"))))
        return bad(why, ERR_ARGUMENT, "subscribe must be an object with an id of 1 to 64 bytes, or a list of such.");
    out->what = WATCH_VALUES;
    out->interval_ns = INTERVAL_MS * NS_PER_MS;
    out->id = arena_str(keep, json_get(v, STR("id"))->s);
    for (int32_t i = 0; i < v->count; i++) TRY(read_member(v->members[i].key, &v->members[i].value, keep, out, why));
    return ERR_OK;
}

static Err read_subscribe(const Json *v, Arena *keep, WatchSay *out, const char **why) {
    int32_t n = v->type == JSON_ARRAY ? v->count : 1;
    if (n < 1 || n > WATCH_INTERESTS_MAX) return bad(why, ERR_LIMIT, "subscribe takes 1 to 32 interests.");
    out->subscribe = NEW(keep, WatchAsk, n);
    for (int32_t i = 0; i < n; i++)
        TRY(read_ask(v->type == JSON_ARRAY ? &v->items[i] : v, keep, &out->subscribe[i], why));
    out->count = n;
    return ERR_OK;
}

static Err read_message(const Json *v, Arena *keep, WatchSay *out, const char **why) {
    if (v->type != JSON_OBJECT || v->count != 1 || v->dup)
        return bad(why, ERR_ARGUMENT, "A message is {\"subscribe\":{...}} or {\"unsubscribe\":\"ID\"}.");
    const Json *value = &v->members[0].value;
    if (str_eq(v->members[0].key, STR("subscribe"))) return read_subscribe(value, keep, out, why);
    if (!str_eq(v->members[0].key, STR("unsubscribe")))
        return bad(why, ERR_ARGUMENT, "A message is {\"subscribe\":{...}} or {\"unsubscribe\":\"ID\"}.");
    if (!id_ok(value)) return bad(why, ERR_ARGUMENT, "unsubscribe must be the id of an interest.");
    out->unsubscribe = arena_str(keep, value->s);
    return ERR_OK;
}

static Str *copy_names(const Str *names, int32_t n, Arena *keep) {
    Str *out = NEW(keep, Str, n + 1);
    for (int32_t i = 0; i < n; i++) out[i] = arena_str(keep, names[i]);
    return out;
}

WatchAsk watch_ask_copy(const WatchAsk *ask, Arena *keep) {
    WatchAsk out = *ask;
    out.id = arena_str(keep, ask->id);
    out.where = arena_str(keep, ask->where);
    out.twins = copy_names(ask->twins, ask->twin_count, keep);
    out.models = copy_names(ask->models, ask->model_count, keep);
    out.properties = copy_names(ask->properties, ask->property_count, keep);
    return out;
}

Err watch_parse(Str text, Arena *keep, WatchSay *out, const char **why) {
    JsonLimits limits = {.depth_max = DEPTH_MAX, .size_max = WATCH_ASK_BYTES_MAX};
    Arena scratch;
    Json v;
    *out = (WatchSay){0};
    if (text.n > WATCH_ASK_BYTES_MAX) return bad(why, ERR_LIMIT, "A message may have 1 MiB.");
    arena_init(&scratch, 0);
    Err err = json_parse(text, &limits, &scratch, &v, NULL);
    if (err) *why = "A message must be JSON.";
    else err = read_message(&v, keep, out, why);
    arena_free(&scratch);
    return err;
}

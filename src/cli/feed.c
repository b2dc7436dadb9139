// SPDX-License-Identifier: Apache-2.0
#include "cli/feed.h"
#include "base/time.h"

#define BATCH_LINES 1000
#define BATCH_BYTES (1 << 20)
#define ERRORS_SHOWN 10

void feeder_init(Feeder *f, Client *c, Str name, int64_t batch_max) {
    *f = (Feeder){.client = c, .name = name, .batch_max = batch_max ? batch_max : BATCH_LINES};
    f->patience_ns = 60 * NS_PER_S;
    f->errors_max = ERRORS_SHOWN;
}

void feeder_free(Feeder *f) {
    buf_free(&f->body);
    buf_free(&f->places);
    buf_free(&f->errors);
    buf_free(&f->head);
}

Err feeder_put(Feeder *f, Str line, int64_t line_number) {
    if (!f->body.n) buf_str_put(&f->body, buf_str(&f->head));
    buf_str_put(&f->body, line);
    buf_byte(&f->body, '\n');
    buf_put(&f->places, &line_number, (int64_t)sizeof line_number);
    int64_t lines = f->places.n / (int64_t)sizeof line_number;
    if (f->open) return ERR_OK;
    return lines >= f->batch_max || f->body.n >= BATCH_BYTES ? feeder_flush(f) : ERR_OK;
}

static void note_errors(Feeder *f, const Json *errors) {
    const int64_t *places = (const int64_t *)(const void *)f->places.p;
    int64_t lines = f->places.n / (int64_t)sizeof *places;
    for (int32_t i = 0; errors && i < errors->count && f->errors_told < f->errors_max; i++, f->errors_told++) {
        const Json *line = json_get(&errors->items[i], STR("line"));
        int64_t first = f->head.n ? 2 : 1;
        bool known = line && line->type == JSON_INT && line->i >= first && line->i < lines + first;
        int64_t at = known ? line->i - first : 0;
        Str message = json_text(&errors->items[i], STR("message"));
        buf_printf(&f->errors, "%s{\"line\":%lld,\"code\":", f->errors.n ? "," : "", (long long)places[at]);
        json_put_str(&f->errors, json_text(&errors->items[i], STR("code")));
        buf_str_put(&f->errors, STR(",\"message\":"));
        json_put_str(&f->errors, message);
        buf_byte(&f->errors, '}');
        note("%.*s:%lld: %.*s", STR_ARG(f->name), (long long)places[at], STR_ARG(message));
    }
}

// A twin or a property that is not there: no later line to it can fare better. An unknown property shares its code with
// a value that does not fit, which says nothing about the next one; the server's words tell them apart.
static bool is_missing(const Json *error) {
    return str_ends(json_text(error, STR("code")), STR("NotFound")) ||
           str_find_str(json_text(error, STR("message")), STR("\" is not a property of model ")) >= 0;
}

static bool all_missing(const Json *errors) {
    for (int32_t i = 0; errors && i < errors->count; i++) {
        if (!is_missing(&errors->items[i])) return false;
    }
    return errors && errors->count;
}

static Err tell_missing(const Feeder *f, const Json *error) {
    const int64_t *places = (const int64_t *)(const void *)f->places.p;
    bool twin = str_ends(json_text(error, STR("code")), STR("NotFound"));
    Err err =
        tell(twin ? ERR_TWIN_NOT_FOUND : ERR_VALIDATION, "%.*s:%lld: %.*s; nothing was accepted, the rest was not sent",
             STR_ARG(f->name), (long long)places[0], STR_ARG(json_text(error, STR("message"))));
    if (twin) hint("list the twins with: sosia get");
    else hint("see what a twin of that model can hold with: sosia models show DTMI");
    return err;
}

Err feeder_flush(Feeder *f) {
    Verdict v;
    int64_t lines = f->places.n / (int64_t)sizeof(int64_t);
    if (!lines || f->open) return ERR_OK;
    client_reset(f->client);
    Call call = {.method = "POST",
                 .path = client_path(f->client, "/ingest", NULL),
                 .body = buf_str(&f->body),
                 .type = f->type ? f->type : "application/x-ndjson"};
    TRY(client_batch(f->client, &call, f->patience_ns, &v));
    f->requests++;
    f->sent += lines;
    f->accepted += v.accepted;
    f->rejected += v.rejected;
    f->late += v.late;
    if (f->stop_when_missing && !f->accepted && v.rejected == lines && all_missing(v.errors)) {
        return tell_missing(f, &v.errors->items[0]);
    }
    note_errors(f, v.errors);
    buf_reset(&f->body);
    buf_reset(&f->places);
    return ERR_OK;
}

Err feeder_report(const Feeder *f, bool json, int64_t took_ns) {
    Buf out = {0};
    double seconds = (double)took_ns / 1e9;
    if (json) {
        buf_printf(&out, "{\"accepted\":%lld,\"rejected\":%lld,\"requests\":%lld,\"errors\":[%.*s]}\n",
                   (long long)f->accepted, (long long)f->rejected, (long long)f->requests,
                   STR_ARG(buf_str(&f->errors)));
    } else {
        text_count(f->accepted, &out);
        buf_printf(&out, " value%s accepted", f->accepted == 1 ? "" : "s");
        if (f->rejected) {
            buf_str_put(&out, STR(", "));
            text_count(f->rejected, &out);
            buf_str_put(&out, STR(" refused"));
        }
        buf_printf(&out, " in %.2f s (", seconds);
        text_short(seconds > 0 ? (double)f->accepted / seconds : 0, &out);
        buf_str_put(&out, STR("/s)\n"));
    }
    Err err = say(buf_str(&out));
    if (!json && f->late) {
        note("%lld of them late: by their time older than what stands, or more than five minutes ahead",
             (long long)f->late);
        hint("they are kept as history and do not show as the present; is the clock of the source right?");
    }
    buf_free(&out);
    return err == ERR_OK && f->rejected ? ERR_VALIDATION : err;
}

// SPDX-License-Identifier: Apache-2.0
// Bulk ways in: lines that are applied one by one and reported one by one.
#include "serve/own.h"
#include "codec/json.h"

// {"accepted":n,...}: nothing accepted and something rejected.
static bool nothing_applied(Str result) {
    Arena arena;
    Json v;
    arena_init(&arena, 0);
    bool nothing = false;
    if (json_parse(result, NULL, &arena, &v, NULL) == ERR_OK) {
        const Json *accepted = json_get(&v, STR("accepted")), *rejected = json_get(&v, STR("rejected"));
        nothing = accepted && rejected && json_is_number(accepted) && json_is_number(rejected) &&
                  json_f64(accepted) == 0 && json_f64(rejected) > 0;
    }
    arena_free(&arena);
    return nothing;
}

// The result behind an `error` member, so that both readers of errors and readers of counts find theirs.
static void answer_nothing(Call *c, Str result) {
    static const char head[] = "{\"error\":{\"code\":\"ValidationFailed\",\"message\":\"Nothing in the body could be "
                               "applied; `errors` tells why, line by line.\"},";
    Buf body = {0};
    HttpReply reply = {.status = 400, .type = JSON_TYPE, .take = &body};
    buf_str_put(&body, STR(head));
    buf_str_put(&body, str_sub(result, 1, result.n));
    http_reply_header(&reply, STR("x-ms-error-code"), STR("ValidationFailed"));
    call_reply(c, &reply);
    buf_free(&body);
}

static void answer(Call *c, CallDone *done) {
    Str result = buf_str(&done->body);
    if (done->err != ERR_OK && result.n == 0) {
        call_fail(c, done->err, buf_str(&done->message), buf_str(&done->details));
    } else if (result.n > 1 && nothing_applied(result)) {
        answer_nothing(c, result);
    } else {
        call_json(c, 200, (Str){0}, &done->body);
    }
}

// A media type without its parameters.
static bool type_is(Call *c, const char *type) {
    Str s = http_header(c->req, STR("content-type"));
    return str_eq_nocase(str_trim(str_cut(&s, ';')), str_of(type));
}

// Whatever is not said to be CSV is NDJSON, as it always was.
static void ingest(Call *c) {
    SosiaWrite w = call_writing(c, type_is(c, "text/csv") ? SOSIA_INGEST_CSV : SOSIA_INGEST);
    w.source = call_param(c, STR("source"));
    call_write_then(c, &w, answer);
}

static void import(Call *c) {
    SosiaWrite w = call_writing(c, SOSIA_IMPORT);
    call_write_then(c, &w, answer);
}

void own_ingest(Call *c) { call_unpack(c, ingest); }
void own_import(Call *c) { call_unpack(c, import); }

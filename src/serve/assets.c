// SPDX-License-Identifier: Apache-2.0
#include "serve/assets.h"
#include "serve/gzip.h"
#include "serve/own.h"
#include "serve/page.h"

const Asset *asset_find(const Asset *table, int32_t count, Str path) {
    int32_t low = 0, high = count;
    while (low < high) {
        int32_t mid = low + (high - low) / 2, order = str_cmp(str_of(table[mid].path), path);
        if (order == 0) return &table[mid];
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return NULL;
}

static Str weak(Str etag) { return str_starts(etag, STR("W/")) ? str_sub(etag, 2, etag.n) : etag; }

// Does the client have it? Packed or not, it is the same file.
static bool client_has(Call *c, const Asset *a) {
    Str list = http_header(c->req, STR("if-none-match")), item;
    if (str_eq(str_trim(list), STR("*"))) return true;
    while (header_list_next(&list, &item)) {
        if (str_eq(weak(item), weak(str_of(a->etag)))) return true;
    }
    return false;
}

static Str weak_etag(Call *c, const Asset *a) {
    Str tag = weak(str_of(a->etag));
    char *p = http_alloc(c->req, tag.n + 2);
    memcpy(p, "W/", 2);
    memcpy(p + 2, tag.p, (size_t)tag.n);
    return (Str){p, tag.n + 2};
}

void asset_answer(Call *c, const Asset *a) {
    bool packed = a->gzip && gzip_accepted(http_header(c->req, STR("accept-encoding")));
    HttpReply reply = {.status = 200, .type = str_of(a->type)};
    Buf plain = {0};
    page_headers(&reply);
    http_reply_header(&reply, STR("etag"), weak_etag(c, a));
    http_reply_header(&reply, STR("cache-control"),
                      a->hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    if (a->gzip) http_reply_header(&reply, STR("vary"), STR("accept-encoding"));
    if (client_has(c, a)) {
        reply.status = 304;
    } else if (packed || !a->gzip) {
        if (packed) http_reply_header(&reply, STR("content-encoding"), STR("gzip"));
        reply.prefix = (Str){(const char *)a->bytes, a->size};
    } else if (gzip_unpack((Str){(const char *)a->bytes, a->size}, GZIP_UNPACKED_MAX, &plain) == ERR_OK) {
        reply.take = &plain;
    } else {
        buf_free(&plain);
        call_failf(c, ERR_LIMIT, "%s was not packed well when this program was built.", a->path);
        return;
    }
    call_reply(c, &reply);
    buf_free(&plain);
}

bool asset_serve(Call *c) {
    if (!c->view->head && !str_eq(c->view->method, STR("GET"))) return false;
    if (c->view->path.n < 2 || c->view->path.p[0] != '/') return false;
    const Asset *a = asset_find(c->server->assets, c->server->asset_count, str_sub(c->view->path, 1, c->view->path.n));
    if (a) asset_answer(c, a);
    return a != NULL;
}

// SPDX-License-Identifier: Apache-2.0
// Files beside the worlds: plans, scenes, maps that pages draw twins on. Two items each: what it is by its name, and
// its bytes by its name and a byte 1, so that a list reads no bytes and one file is found by the name before it. The
// workers wait for the store, never an I/O thread.
#include "base/sha256.h"
#include "base/time.h"
#include "codec/json.h"
#include "serve/own.h"

#define FILES_MAX 256     // of one world file
#define FILE_NAME_MAX 128 // bytes of a name
#define FILES_KIND STR("serve.file")
#define FILE_BYTES_KIND STR("serve.file.bytes")

// What a page may load; nothing that a browser would run by itself.
static const char *const types[] = {
    "image/svg+xml",     "image/png",       "image/webp",           "image/jpeg",
    "model/gltf-binary", "model/gltf+json", "application/geo+json", "application/json",
};

// A request's own.
typedef struct FileJob {
    Str name, type;
    SosiaErr err;
    int32_t count;       // of files there are
    bool found, refused; // refused: another one stands than If-Match or If-None-Match says
    Buf meta, bytes;     // as kept
} FileJob;

static Str type_of(Str header) {
    Str plain = str_trim(str_cut(&header, ';'));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (str_eq_nocase(plain, str_of(types[i]))) return str_of(types[i]);
    }
    return (Str){0};
}

// Letters, digits, '.', '-', '_'; does not begin with '.'.
static bool name_fits(Str name) {
    if (name.n < 1 || name.n > FILE_NAME_MAX || name.p[0] == '.') return false;
    for (int64_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!letter && ch != '.' && ch != '-' && ch != '_') return false;
    }
    return true;
}

static Str bytes_key(Call *c, Str name) {
    char *p = http_alloc(c->req, name.n + 1);
    memcpy(p, name.p, (size_t)name.n);
    p[name.n] = 1;
    return (Str){p, name.n + 1};
}

static FileJob *job_of(Call *c) {
    FileJob *j = http_alloc(c->req, sizeof *j);
    *j = (FileJob){.name = c->id};
    c->job_arg = j;
    return j;
}

static void job_free(FileJob *j) {
    buf_free(&j->meta);
    buf_free(&j->bytes);
}

static bool failed(Call *c, FileJob *j) {
    if (!j->err) return false;
    call_fail(c, (Err)j->err, (Str){0}, (Str){0});
    job_free(j);
    return true;
}

// ---- list -----------------------------------------------------------------------------------------------------------

static bool list_one(void *ctx, SosiaStr key, SosiaStr value) {
    FileJob *j = ctx;
    (void)key;
    if (j->count++) buf_byte(&j->meta, ',');
    buf_str_put(&j->meta, value);
    return true;
}

static void answer_list(Call *c) {
    FileJob *j = c->job_arg;
    if (failed(c, j)) return;
    Buf body = {0};
    buf_printf(&body, "{\"value\":[%.*s],\"nextLink\":null}", STR_ARG(buf_str(&j->meta)));
    call_json(c, 200, (Str){0}, &body);
    buf_free(&body);
    job_free(j);
}

static void read_list(Call *c) {
    FileJob *j = c->job_arg;
    j->err = sosia_items_scan(c->server->engine, FILES_KIND, (Str){0}, 0, list_one, j);
    call_post(c, answer_list);
}

void own_files(Call *c) {
    job_of(c);
    call_reader(c, read_list);
}

// ---- one ------------------------------------------------------------------------------------------------------------

static bool take_meta(void *ctx, SosiaStr key, SosiaStr value) {
    FileJob *j = ctx;
    j->count++;
    if (!str_eq(key, j->name)) return true;
    j->found = true;
    buf_str_put(&j->meta, value);
    return true;
}

static bool take_bytes(void *ctx, SosiaStr key, SosiaStr value) {
    FileJob *j = ctx;
    if (key.n == j->name.n + 1 && str_starts(key, j->name)) buf_str_put(&j->bytes, value);
    return false;
}

static void answer_file(Call *c) {
    FileJob *j = c->job_arg;
    Json doc = {0};
    Arena keep;
    if (failed(c, j)) return;
    arena_init(&keep, 1024);
    bool told = j->found && json_parse(buf_str(&j->meta), NULL, &keep, &doc, NULL) == ERR_OK;
    const Json *type = told ? json_get(&doc, STR("type")) : NULL, *etag = told ? json_get(&doc, STR("etag")) : NULL;
    if (!type || !etag) {
        call_failf(c, ERR_NO_ROUTE, "there is no file \"%.*s\"", STR_ARG(j->name));
    } else {
        HttpReply reply = {.status = 200, .type = type_of(type->s), .take = &j->bytes};
        http_reply_header(&reply, STR("etag"), etag->s);
        http_reply_header(&reply, STR("cache-control"), STR("no-cache"));
        http_reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
        // A drawing that is opened by itself runs nothing.
        http_reply_header(&reply, STR("content-security-policy"), STR("default-src 'none'; sandbox"));
        if (str_eq(http_header(c->req, STR("if-none-match")), etag->s)) {
            reply.status = 304;
            reply.take = NULL;
        }
        call_reply(c, &reply);
    }
    arena_free(&keep);
    job_free(j);
}

static void read_file(Call *c) {
    FileJob *j = c->job_arg;
    Sosia *e = c->server->engine;
    j->err = sosia_items_scan(e, FILES_KIND, (Str){0}, 0, take_meta, j);
    if (!j->err && j->found) j->err = sosia_items_scan(e, FILE_BYTES_KIND, j->name, 1, take_bytes, j);
    call_post(c, answer_file);
}

void own_file_get(Call *c) {
    job_of(c);
    call_reader(c, read_file);
}

// ---- writing --------------------------------------------------------------------------------------------------------

// If-Match: that very file stands, `*` any; If-None-Match: `*` only a new one. Tags are strong, a W/ is overlooked.
static bool precondition_holds(Call *c, FileJob *j) {
    Str want = str_trim(http_header(c->req, STR("if-match")));
    if (str_eq(str_trim(http_header(c->req, STR("if-none-match"))), STR("*")) && j->found) return false;
    if (!want.n) return true;
    if (!j->found) return false;
    Json doc = {0};
    Arena keep;
    arena_init(&keep, 1024);
    bool told = json_parse(buf_str(&j->meta), NULL, &keep, &doc, NULL) == ERR_OK;
    const Json *etag = told ? json_get(&doc, STR("etag")) : NULL;
    bool is = str_eq(want, STR("*"));
    while (!is && etag && want.n) {
        Str one = str_trim(str_cut(&want, ','));
        if (str_starts(one, STR("W/"))) one = str_sub(one, 2, one.n);
        is = str_eq(one, etag->s);
    }
    arena_free(&keep);
    return is;
}

static void meta_make(FileJob *j, Str bytes) {
    uint8_t sum[32];
    sha256(bytes, sum);
    buf_reset(&j->meta);
    buf_printf(&j->meta, "{\"name\":\"%.*s\",\"type\":\"%.*s\",\"bytes\":%lld,\"updated\":\"", STR_ARG(j->name),
               STR_ARG(j->type), (long long)bytes.n);
    time_print(time_now_ns(), 7, &j->meta);
    buf_printf(&j->meta, "\",\"etag\":\"\\\"");
    for (int i = 0; i < 8; i++) buf_printf(&j->meta, "%02x", sum[i]);
    buf_printf(&j->meta, "\\\"\"}");
}

static void answer_put(Call *c) {
    FileJob *j = c->job_arg;
    if (j->err == SOSIA_LIMIT) {
        call_failf(c, ERR_LIMIT, "there are %d files already: delete one first", FILES_MAX);
        job_free(j);
        return;
    }
    if (j->refused) {
        call_failf(c, ERR_PRECONDITION, "the file \"%.*s\" was written by somebody else meanwhile", STR_ARG(j->name));
        job_free(j);
        return;
    }
    if (failed(c, j)) return;
    call_json(c, j->found ? 200 : 201, (Str){0}, &j->meta);
    job_free(j);
}

static void write_file(Call *c) {
    FileJob *j = c->job_arg;
    Sosia *e = c->server->engine;
    j->err = sosia_items_scan(e, FILES_KIND, (Str){0}, 0, take_meta, j);
    if (!j->err && !j->found && j->count >= FILES_MAX) j->err = SOSIA_LIMIT;
    j->refused = !j->err && !precondition_holds(c, j);
    if (!j->err && !j->refused) {
        meta_make(j, c->body);
        SosiaItem items[] = {{.kind = FILES_KIND, .key = j->name, .value = buf_str(&j->meta)},
                             {.kind = FILE_BYTES_KIND, .key = bytes_key(c, j->name), .value = c->body}};
        j->err = sosia_items_put_wait(e, items, 2);
    }
    call_post(c, answer_put);
}

static void put_unpacked(Call *c) {
    if (!c->body.n) call_failf(c, ERR_ARGUMENT, "the body is the file, and it is empty");
    else call_work(c, write_file);
}

void own_file_put(Call *c) {
    FileJob *j = job_of(c);
    j->type = type_of(http_header(c->req, STR("content-type")));
    if (!name_fits(j->name)) {
        call_failf(c, ERR_ARGUMENT,
                   "a file's name has 1 to %d letters, digits, '.', '-' and '_', and begins with no '.'",
                   FILE_NAME_MAX);
    } else if (!j->type.n) {
        call_failf(c, ERR_ARGUMENT,
                   "Content-Type must be one of image/svg+xml, image/png, image/webp, image/jpeg, "
                   "model/gltf-binary, model/gltf+json, application/geo+json, application/json");
    } else {
        call_unpack(c, put_unpacked);
    }
}

static void answer_delete(Call *c) {
    FileJob *j = c->job_arg;
    if (failed(c, j)) return;
    if (j->found) call_empty(c, 204, (Str){0}, 0);
    else call_failf(c, ERR_NO_ROUTE, "there is no file \"%.*s\"", STR_ARG(j->name));
    job_free(j);
}

static void delete_file(Call *c) {
    FileJob *j = c->job_arg;
    Sosia *e = c->server->engine;
    j->err = sosia_items_scan(e, FILES_KIND, (Str){0}, 0, take_meta, j);
    if (!j->err && j->found) {
        SosiaItem items[] = {{.kind = FILES_KIND, .key = j->name, .remove = true},
                             {.kind = FILE_BYTES_KIND, .key = bytes_key(c, j->name), .remove = true}};
        j->err = sosia_items_put_wait(e, items, 2);
    }
    call_post(c, answer_delete);
}

void own_file_delete(Call *c) {
    job_of(c);
    call_work(c, delete_file);
}

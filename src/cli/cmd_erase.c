// SPDX-License-Identifier: Apache-2.0
// Erasing for privacy: what will be lost is told first, and somebody has to mean it; the receipts and their signatures.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "base/sha256.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/term.h"
#include "serve/receipt.h"

#define FILE_BYTES_MAX (1 << 20) // of a receipt or key that is read

typedef struct Erase {
    Common common;
    Str receipt, verify, key;
    bool yes, list, quiet;
} Erase;

static const Opt opts[] = {
    OPT(Erase, yes, OPT_FLAG, 'y', "yes", NULL, "do not ask whether it is meant"),
    OPT(Erase, receipt, OPT_STR, 'r', "receipt", "FILE", "write the signed receipt to this new file"),
    OPT(Erase, list, OPT_FLAG, 'l', "list", NULL, "list what was erased, without names"),
    OPT(Erase, verify, OPT_STR, 0, "verify", "FILE", "check a receipt, and whether it is about TWIN and PROPERTY"),
    OPT(Erase, key, OPT_STR, 'k', "key", "FILE", "check it with this public key (JWK or PEM), not that of the server"),
    OPT(Erase, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};

static int64_t number_in(const Json *v, Str key) {
    const Json *m = json_get(v, key);
    return m && m->type == JSON_INT ? m->i : 0;
}

static void put_count(Buf *out, int64_t n, const char *one, const char *many) {
    text_count(n, out);
    buf_printf(out, " %s", n == 1 ? one : many);
}

// ---- what will be lost --------------------------------------------------------------------------------------------

typedef struct Loss {
    int64_t values, properties, links;
    bool counted, alive;
} Loss;

static Err count_values(void *arg, const Json *item) {
    Loss *l = arg;
    int64_t n = number_in(item, STR("count"));
    l->values += n;
    l->properties += n > 0;
    return ERR_OK;
}

// What the history has of it. Nothing is told when it cannot be counted, as where values were let go.
static void look_at_history(Client *c, const Args *what, Loss *l) {
    Json doc;
    const char *pattern = what->count > 1 ? "/digitaltwins/{}/history?fn=count&properties={}&limit=100000"
                                          : "/digitaltwins/{}/history?fn=count&limit=100000";
    client_reset(c);
    if (client_call(c, &(Call){.path = client_path(c, pattern, what->items)})) return;
    if (json_parse(buf_str(&c->body), NULL, &c->keep, &doc, NULL)) return;
    const Json *all = json_get(&doc, STR("value"));
    for (int32_t i = 0; all && all->type == JSON_ARRAY && i < all->count; i++)
        if (count_values(l, &all->items[i])) return;
    l->counted = true;
}

static Err nothing(void *arg, const Json *item) {
    (void)arg, (void)item;
    return ERR_OK;
}

static Err look_at_links(Client *c, Str twin, Loss *l) {
    TRY(client_each(c, client_path(c, "/digitaltwins/{}/relationships", &twin), INT64_MAX, &l->links, nothing, NULL));
    return client_each(c, client_path(c, "/digitaltwins/{}/incomingrelationships", &twin), INT64_MAX, &l->links,
                       nothing, NULL);
}

// A twin that is gone still has a history; whether there ever was one the server tells.
static Err look(Client *c, const Args *what, Loss *l) {
    Err err = client_call(c, &(Call){.path = client_path(c, "/digitaltwins/{}", what->items)});
    if (err && err != ERR_TWIN_NOT_FOUND) return client_tell(c, err);
    l->alive = !err;
    if (l->alive && what->count == 1) TRY(look_at_links(c, what->items[0], l));
    look_at_history(c, what, l);
    return ERR_OK;
}

static void put_loss(Buf *out, const Args *what, const Loss *l) {
    bool whole = what->count == 1;
    buf_str_put(out, STR("This erases for ever "));
    if (!whole) text_clean(what->items[1], out);
    if (!whole) buf_str_put(out, STR(" of "));
    text_clean(what->items[0], out);
    buf_str_put(out, STR(":\n"));
    if (l->counted) {
        buf_str_put(out, STR("  "));
        put_count(out, l->values, "value", "values");
        if (whole) buf_str_put(out, STR(" of "));
        if (whole) put_count(out, l->properties, "property", "properties");
        buf_str_put(out, STR(", now and at every instant of the past\n"));
    } else {
        buf_str_put(out, STR("  its values, now and at every instant of the past\n"));
    }
    if (whole && l->alive) {
        buf_str_put(out, STR("  "));
        put_count(out, l->links, "relationship", "relationships");
        buf_str_put(out, STR(", and those it once had\n  the twin itself, with its name\n"));
    } else if (whole) {
        buf_str_put(out, STR("  its name: the twin itself is gone already\n"));
    } else {
        buf_str_put(out, STR("The twin stays.\n"));
    }
    buf_str_put(out, STR("All worlds lose it. Backups that were made before keep it, and so does who was sent it.\n"));
}

// ---- does somebody mean it ----------------------------------------------------------------------------------------

// A line from the terminal; false at its end, or when a signal came.
static bool read_line(char *room, int64_t size, Str *line) {
    int64_t n = 0;
    while (!term_interrupted()) {
        int ready = poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, 200);
        if (ready <= 0) continue;
        char c;
        if (read(STDIN_FILENO, &c, 1) != 1) return false;
        if (c == '\n') {
            *line = str_trim((Str){room, n});
            return true;
        }
        if (n < size) room[n++] = c;
    }
    return false;
}

static Err ask(const Args *what, const Loss *loss) {
    char room[512];
    Str line = {0}, twin = what->items[0];
    Buf out = {0};
    put_loss(&out, what, loss);
    buf_str_put(&out, STR("Type the name of the twin to go on: "));
    Err err = term_write(STDERR_FILENO, buf_str(&out));
    buf_free(&out);
    if (!err && read_line(room, sizeof room, &line) && str_eq(line, twin)) return ERR_OK;
    if (!line.p) note("%s", "");
    if (!line.p) return tell(ERR_CLOSED, "erase: nothing was erased");
    return tell(ERR_PRECONDITION, "erase: that is not its name: nothing was erased");
}

static Err confirm(Client *c, const Erase *o, const Args *what) {
    Loss loss = {0};
    if (o->yes) return ERR_OK;
    if (o->common.json || !term_is_tty(STDIN_FILENO) || !term_is_tty(STDERR_FILENO)) {
        tell(ERR_ARGUMENT, "erase: what is erased does not come back, and nobody is here to say that it is meant");
        hint("say so with --yes");
        return ERR_ARGUMENT;
    }
    TRY(look(c, what, &loss));
    return ask(what, &loss);
}

// ---- erasing ------------------------------------------------------------------------------------------------------

typedef struct Wait {
    int64_t begun, drawn; // monotonic
    bool on;
} Wait;

static void draw(void *arg) {
    Wait *w = arg;
    int64_t now = time_mono_ns();
    if (!w->on || now - w->begun < NS_PER_S / 2 || now - w->drawn < NS_PER_S / 4) return;
    Buf b = {0};
    w->drawn = now;
    buf_str_put(&b, STR("\r"));
    buf_str_put(&b, STR("erasing from worlds, history, journal and free space  "));
    text_clock(now - w->begun, &b);
    buf_str_put(&b, STR("\x1b[K"));
    w->on = term_write(STDERR_FILENO, buf_str(&b)) == ERR_OK;
    buf_free(&b);
}

static Err post(Client *c, const Erase *o, const Args *what) {
    Buf body = {0};
    Wait w = {.begun = time_mono_ns(), .on = !o->quiet && !o->common.json && term_is_tty(STDERR_FILENO)};
    buf_str_put(&body, STR("{\"twin\":"));
    json_put_str(&body, what->items[0]);
    if (what->count > 1) buf_str_put(&body, STR(",\"property\":"));
    if (what->count > 1) json_put_str(&body, what->items[1]);
    buf_byte(&body, '}');
    Call call = {.method = "POST", .path = client_path(c, "//erasures", NULL), .body = buf_str(&body), .patient = true};
    c->waiting = draw;
    c->waiting_arg = &w;
    Err err = client_call(c, &call);
    c->waiting = NULL;
    if (w.drawn && term_write(STDERR_FILENO, STR("\r\x1b[K"))) w.on = false;
    buf_free(&body);
    if (!err) return ERR_OK;
    bool begun = err == ERR_CLOSED || (err == ERR_UNREACHABLE && time_mono_ns() - w.begun > NS_PER_S);
    client_tell(c, err);
    if (begun) hint("what was begun goes on without you; whether it is over tells: sosia erase --list");
    return err;
}

// The file has to be new: it is made before anything is erased.
static Err open_receipt(const Erase *o, int *fd) {
    *fd = -1;
    if (!o->receipt.n) return ERR_OK;
    char name[4096];
    if (o->receipt.n >= (int64_t)sizeof name) return tell(ERR_ARGUMENT, "the file name is too long");
    memcpy(name, o->receipt.p, (size_t)o->receipt.n);
    name[o->receipt.n] = 0;
    *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd >= 0) return ERR_OK;
    bool there = errno == EEXIST;
    tell(there ? ERR_EXISTS : ERR_IO, "erase: cannot write the receipt to %s: %s", name, strerrordesc_np(errno));
    if (there) hint("name another file: receipts are not overwritten");
    return there ? ERR_EXISTS : ERR_IO;
}

static Err close_receipt(const Erase *o, int fd, Str text, Err err) {
    if (fd < 0) return err;
    char name[4096];
    memcpy(name, o->receipt.p, (size_t)o->receipt.n);
    name[o->receipt.n] = 0;
    bool ok = !err && term_write(fd, text) == ERR_OK && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (ok) return ERR_OK;
    unlink(name);
    if (err) return err;
    tell(ERR_IO, "it is erased, but the receipt could not be written to %s: %s", name, strerrordesc_np(error));
    hint("it reads the same in: sosia erase --list --json");
    return ERR_IO;
}

static Err say_erased(Client *c, const Erase *o, const Args *what) {
    Json doc;
    Buf out = {0};
    TRY(client_json(c, &doc));
    const Json *r = json_get(&doc, STR("receipt"));
    if (what->count > 1) text_clean(what->items[1], &out);
    if (what->count > 1) buf_str_put(&out, STR(" of "));
    text_clean(what->items[0], &out);
    buf_str_put(&out, STR(" is erased: "));
    put_count(&out, number_in(r, STR("values")), "value", "values");
    if (what->count == 1) buf_str_put(&out, STR(", "));
    if (what->count == 1) put_count(&out, number_in(r, STR("relationships")), "relationship", "relationships");
    buf_str_put(&out, STR("; receipt "));
    text_clean(json_text(r, STR("id")), &out);
    buf_byte(&out, '\n');
    Err err = say(buf_str(&out));
    buf_free(&out);
    if (!o->receipt.n) hint("it names nothing; keep it beside the names: --receipt FILE, or sosia erase --list --json");
    return err;
}

static Err erase(Client *c, const Erase *o, const Args *what) {
    int fd;
    TRY(confirm(c, o, what));
    TRY(open_receipt(o, &fd));
    Err err = post(c, o, what);
    Buf text = {0};
    if (!err) buf_str_put(&text, buf_str(&c->body));
    buf_byte(&text, '\n');
    err = close_receipt(o, fd, buf_str(&text), err);
    if (!err) err = o->common.json ? say(buf_str(&text)) : say_erased(c, o, what);
    buf_free(&text);
    return err;
}

// ---- receipts -----------------------------------------------------------------------------------------------------

static const Column columns[] = {
    {"Asked (UTC)", false, false}, {"Completed (UTC)", false, false}, {"Erased", false, false},
    {"Values", true, false},       {"Relationships", true, false},    {"Receipt", false, true},
};

typedef struct List {
    Table table;
    Buf json;
} List;

// "2026-11-22T20:27:49.2996484Z" for people.
static Str when_of(const Json *v, Str key, char room[32]) {
    Str t = json_text(v, key);
    if (t.n < 19) return t;
    memcpy(room, t.p, 19);
    room[10] = ' ';
    return (Str){room, 19};
}

static void add_row(Table *t, const Json *r, bool pending) {
    char room[32];
    Buf n = {0};
    table_put(t, STYLE_PLAIN, when_of(r, STR("asked"), room));
    bool stands = str_eq(json_text(r, STR("state")), STR("standing"));
    Str way = stands ? STR("stands still") : STR("under way");
    table_put(t, pending ? STYLE_YELLOW : STYLE_PLAIN, pending ? way : when_of(r, STR("completed"), room));
    table_put(t, STYLE_PLAIN, json_text(r, STR("kind")));
    if (!pending) text_count(number_in(r, STR("values")), &n);
    table_put(t, STYLE_PLAIN, buf_str(&n));
    buf_reset(&n);
    if (!pending) text_count(number_in(r, STR("relationships")), &n);
    table_put(t, STYLE_PLAIN, buf_str(&n));
    table_put(t, STYLE_DIM, json_text(r, STR("id")));
    buf_free(&n);
}

// Why one stands still, and until when.
static void say_why(const Json *r) {
    const Json *reason = json_get(r, STR("reason"));
    if (!reason || reason->type != JSON_OBJECT) return;
    char room[32];
    Buf b = {0};
    text_clean(json_text(reason, STR("message")), &b);
    Str next = when_of(r, STR("nextTry"), room);
    note("%.*s could not be done so far (tries: %lld): %.*s%s%.*s%s", STR_ARG(json_text(r, STR("id"))),
         (long long)number_in(r, STR("tries")), STR_ARG(buf_str(&b)), next.n ? "; next try " : "", STR_ARG(next),
         next.n ? " UTC" : "");
    buf_free(&b);
}

static Err collect(void *arg, const Json *item) {
    List *l = arg;
    const Json *r = json_get(item, STR("receipt"));
    add_row(&l->table, r, false);
    if (l->json.n) buf_byte(&l->json, ',');
    buf_str_put(&l->json, item->raw);
    return l->json.full ? tell(ERR_LIMIT, "the list is too long") : ERR_OK;
}

static Err list(Client *c, bool json) {
    List l = {0};
    Json doc;
    int64_t count = 0;
    table_init(&l.table, columns, 6);
    Err err = client_each(c, client_path(c, "//erasures", NULL), INT64_MAX, &count, collect, &l);
    if (!err) err = client_do(c, &(Call){.path = client_path(c, "//erasures", NULL), .page_size = 1});
    if (!err) err = client_json(c, &doc);
    const Json *pending = err ? NULL : json_get(&doc, STR("pending"));
    bool any = pending && pending->type == JSON_ARRAY && pending->count;
    for (int32_t i = 0; any && i < pending->count; i++) add_row(&l.table, &pending->items[i], true);
    if (!err && json) {
        Buf out = {0};
        buf_printf(&out, "{\"value\":[%.*s],\"pending\":", STR_ARG(buf_str(&l.json)));
        buf_str_put(&out, pending ? pending->raw : STR("[]"));
        buf_str_put(&out, STR("}\n"));
        err = say(buf_str(&out));
        buf_free(&out);
    } else if (!err && (count || any)) {
        err = say_table(&l.table);
        for (int32_t i = 0; !err && any && i < pending->count; i++) say_why(&pending->items[i]);
    } else if (!err) {
        note("nothing was ever erased");
    }
    table_free(&l.table);
    buf_free(&l.json);
    return err;
}

// ---- checking one -------------------------------------------------------------------------------------------------

static Err key_of(const Erase *o, ReceiptKey *key) {
    Buf text = {0}, why = {0};
    Client c = {0};
    Err err;
    if (o->key.n) {
        err = read_file(o->key, FILE_BYTES_MAX, &text);
    } else {
        err = client_open(&c, &o->common);
        if (!err) err = client_do(&c, &(Call){.path = client_path(&c, "//erasures/key", NULL)});
        if (!err) buf_str_put(&text, buf_str(&c.body));
        if (err == ERR_UNREACHABLE) hint("or name the public key with --key FILE");
    }
    if (!err && (err = receipt_key_parse(buf_str(&text), key, &why)))
        tell(err, "%.*s: %.*s", STR_ARG(o->key.n ? o->key : STR("the server's key")), STR_ARG(buf_str(&why)));
    client_close(&c);
    buf_free(&text);
    buf_free(&why);
    return err;
}

// Whether it is about that.
static bool is_about(const Json *r, const Args *what) {
    char hex[65];
    Buf b = {0};
    Str property = what->count > 1 ? what->items[1] : (Str){0};
    buf_printf(&b, "sosia.erasure\n%.*s\n%.*s\n%.*s\n", STR_ARG(json_text(r, STR("id"))), STR_ARG(what->items[0]),
               STR_ARG(property));
    sha256_hex(buf_str(&b), hex);
    buf_free(&b);
    return str_eq(json_text(r, STR("subject")), str_of(hex));
}

static Err say_genuine(const Erase *o, const Args *what, const Json *r, const ReceiptKey *key) {
    Buf out = {0};
    char room[32];
    if (o->common.json) {
        buf_printf(&out, "{\"genuine\":true,\"kid\":\"%s\",%s\"receipt\":", key->kid,
                   what->count ? "\"about\":true," : "");
        json_put(&out, r);
        buf_str_put(&out, STR("}\n"));
    } else {
        buf_str_put(&out, STR("genuine: "));
        if (what->count > 1) text_clean(what->items[1], &out);
        if (what->count > 1) buf_str_put(&out, STR(" of "));
        if (what->count) text_clean(what->items[0], &out);
        else buf_printf(&out, "a %s", str_eq(json_text(r, STR("kind")), STR("property")) ? "property" : "twin");
        buf_printf(&out, " was erased on %.*s UTC, ", STR_ARG(when_of(r, STR("completed"), room)));
        put_count(&out, number_in(r, STR("values")), "value", "values");
        buf_printf(&out, "\nsigned with the key %s of %.*s\n", key->kid,
                   STR_ARG(o->key.n ? o->key : STR("the server")));
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err verify(const Erase *o, const Args *what) {
    Buf text = {0}, why = {0};
    ReceiptKey key;
    Arena arena;
    Json r;
    arena_init(&arena, 0);
    Err err = read_file(o->verify, FILE_BYTES_MAX, &text);
    if (!err) err = key_of(o, &key);
    if (!err && (err = receipt_verify(buf_str(&text), &key, &arena, &r, &why)))
        tell(err, "%.*s: %.*s", STR_ARG(o->verify), STR_ARG(buf_str(&why)));
    if (!err && what->count && !is_about(&r, what)) {
        err = tell(ERR_PRECONDITION, "%.*s is genuine, but about something else", STR_ARG(o->verify));
        if (what->count == 1) hint("when it is about one property, name that too");
    }
    if (!err) err = say_genuine(o, what, &r, &key);
    arena_free(&arena);
    buf_free(&text);
    buf_free(&why);
    return err;
}

static Err refuse(const char *why, const char *instead) {
    tell(ERR_ARGUMENT, "erase: %s", why);
    hint("%s", instead);
    return ERR_ARGUMENT;
}

static Err run(void *fields, const Args *args) {
    const Erase *o = fields;
    if (o->common.world.p) return refuse("--world has no meaning here", "what is erased is erased in every world");
    if (o->list + (o->verify.n > 0) + (o->receipt.n > 0) > 1)
        return refuse("--list, --verify and --receipt do not go together", "one at a time");
    if (o->verify.n) return verify(o, args);
    if (o->key.n) return refuse("--key is for --verify", "sosia erase --verify FILE --key KEY");
    if (o->list && args->count) return refuse("--list tells of all", "it names nothing; see --verify FILE TWIN");
    if (!o->list && !args->count) return refuse("which twin?", "sosia erase TWIN, sosia erase TWIN PROPERTY");
    Client c = {0};
    Err err = client_open(&c, &o->common);
    if (!err) err = o->list ? list(&c, o->common.json) : erase(&c, o, args);
    client_close(&c);
    return err;
}

const Command cmd_erase = {
    .name = "erase",
    .arguments = "TWIN [PROPERTY]",
    .summary = "erase a twin, or one property of it, from the past too; receipts",
    .about =
        "For privacy: every value that ever was goes, from all worlds, history, journal and the file's free space,\n"
        "while the server goes on; with a whole twin its name and its relationships, too. It does not come back.\n"
        "The answer is a receipt, signed with a key of the world file (JWS, EdDSA). It names nothing: who knows the\n"
        "names can check that it is about them. Backups that were made before keep what was erased.",
    .examples = "  sosia erase patient-17 --receipt patient-17.json\n"
                "  sosia erase room-4 occupant --yes\n"
                "  sosia erase --list\n"
                "  sosia erase --verify patient-17.json patient-17\n"
                "  curl -s http://127.0.0.1:7474/erasures/key > key.json\n"
                "  sosia erase --verify patient-17.json --key key.json",
    .opts = opts,
    .size = sizeof(Erase),
    .client = true,
    .args_min = 0,
    .args_max = 2,
    .run = run,
};

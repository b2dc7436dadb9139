// SPDX-License-Identifier: Apache-2.0
// sosia-site: the emulated site of a pack as a process of its own. Steps the site at wall speed (or faster) and sends
// what its sensors read to a server's /ingest in batches, as a gateway in the field would: it keeps what it could not
// send, for a while, and goes on when the server is back. Commands reach its devices by a door of its own, which it
// makes known to the server as a connection.
#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/time.h"
#include "codec/json.h"
#include "site_door.h"
#include "site_pack.h"
#include "site_past.h"

#define STEP_S 1.0                  // of the physics, always: the same seed gives the same values at any speed
#define TICK_NS (250 * NS_PER_MS)   // between requests
#define BACKLOG_BYTES (8 << 20)     // kept while the server does not answer
#define BEHIND_S 10.0               // of wall time: beyond that the site skips instead of catching up
#define FAILED_NS (2400 * NS_PER_S) // before the end of a past: what goes wrong in it has its worst moment
#define GAP_NS (600 * NS_PER_S)     // from the end of a past until the server is there, at most
#define API "?api-version=2023-10-31"

static const SitePack *const packs[] = {&bottling_pack, &hospital_pack};

typedef struct Options {
    const SitePack *pack;
    const char *url;
    uint64_t seed;
    double speed;
    int64_t start_ns, for_ns; // of the site's time
    int64_t past_ns;          // told before the site goes on; 0: none
    const char *listen, *jam;
    bool load, print, list, quiet, calm;
} Options;

typedef struct Site {
    Options o;
    CURL *curl;
    struct curl_slist *headers;
    Buf answer, lines;
    int64_t sent, rejected;
    bool late;  // it was told that values run ahead of the server's clock
    bool lost;  // the server did not answer the last time
    Door *door; // NULL: nobody is let in
    void *site; // what the pack made
    bool known; // the server has the connection to the door, or takes none
    char error[CURL_ERROR_SIZE];
} Site;

static volatile sig_atomic_t ended;

static void on_signal(int sig) { ended = sig; }

static int usage(int code) {
    fputs("Usage: sosia-site [OPTIONS]\n\n"
          "The emulated site of a pack: sends sensor values to a Sosia server.\n\n"
          "  --pack NAME     bottling (the plant of Montefalda), hospital (St Clare's)\n"
          "  --url URL       the server (SOSIA_URL; http://127.0.0.1:7474); token in SOSIA_TOKEN\n"
          "  --load          load models and twins if the server has none, then end\n"
          "  --seed N        another run of the same site (1)\n"
          "  --speed N       times faster than the wall clock (1)\n"
          "  --clock TIME    begin at this time (now)\n"
          "  --for TIME      end after so much of the site's time (90s, 8h); never\n"
          "  --past TIME     tell on stdout what was in so much time until now, then read the server's URL from\n"
          "                  stdin and go on there (for sosia demo)\n"
          "  --calm          nothing goes wrong in it\n"
          "  --listen ADDR   take commands for its devices here (127.0.0.1:0, any free port), or off\n"
          "  --jam ID        have a filler of the site that runs jam (line-1), until it is cleared; then end\n"
          "  --print         print the values instead of sending them, as fast as it goes\n"
          "  --list          print each sensor's twin and property, then end\n"
          "  --quiet         say nothing but errors\n",
          code ? stderr : stdout);
    return code;
}

// ---- HTTP ---------------------------------------------------------------------------------------------------------

static size_t on_answer(char *p, size_t size, size_t n, void *arg) {
    buf_put(arg, p, (int64_t)(size * n));
    return size * n;
}

static void http_open(Site *s) {
    const char *token = getenv("SOSIA_TOKEN");
    s->curl = curl_easy_init();
    s->headers = curl_slist_append(NULL, "Expect:");
    if (token && *token) {
        Buf b = {0};
        buf_printf(&b, "Authorization: Bearer %s", token);
        buf_byte(&b, 0);
        s->headers = curl_slist_append(s->headers, b.p);
        buf_free(&b);
    }
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, &s->answer);
    curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "sosia-site/" SOSIA_VERSION);
}

// GET (no body), POST or PUT. Returns the status, 0 without an answer.
static long http_do(Site *s, const char *method, const char *path, Str body, const char *type) {
    Buf url = {0}, header = {0};
    struct curl_slist *headers = NULL;
    long status = 0;
    buf_printf(&url, "%s%s" API, s->o.url, path);
    buf_byte(&url, 0);
    buf_printf(&header, "Content-Type: %s", type ? type : "application/json");
    buf_byte(&header, 0);
    buf_reset(&s->answer);
    for (const struct curl_slist *h = s->headers; h; h = h->next) headers = curl_slist_append(headers, h->data);
    curl_easy_setopt(s->curl, CURLOPT_URL, url.p);
    if (body.p) {
        headers = curl_slist_append(headers, header.p);
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    } else {
        curl_easy_setopt(s->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(s->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
    if (curl_easy_perform(s->curl) == CURLE_OK) curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    buf_free(&url);
    buf_free(&header);
    return status;
}

static long http(Site *s, const char *path, Str body, const char *type) { return http_do(s, NULL, path, body, type); }

static int failed(const Site *s, const char *what, long status) {
    if (!status) fprintf(stderr, "sosia-site: %s: no server answers at %s (%s)\n", what, s->o.url, s->error);
    else fprintf(stderr, "sosia-site: %s: status %ld: %.*s\n", what, status, STR_ARG(buf_str(&s->answer)));
    return 1;
}

// A number in an answer to /ingest or /import ("rejected", "late"); 0 when it is none.
static int64_t count_of(Str answer, Str name) {
    Arena keep;
    Json doc;
    int64_t n = 0;
    arena_init(&keep, 4096);
    if (json_parse(answer, NULL, &keep, &doc, NULL) == ERR_OK) {
        const Json *v = json_get(&doc, name);
        if (v && v->type == JSON_INT) n = v->i;
    }
    arena_free(&keep);
    return n;
}

// What is computed from what the sensors say.
static int define(Site *s) {
    const SitePack *p = s->o.pack;
    Arena keep;
    Json all;
    int code = 0;
    if (!p->derived) return 0;
    arena_init(&keep, 4096);
    Err err = json_parse((Str){p->derived, p->derived_end - p->derived}, NULL, &keep, &all, NULL);
    for (int32_t i = 0; err == ERR_OK && !code && i < all.count; i++) {
        Str path = arena_printf(&keep, "/derived/%.*s", STR_ARG(all.members[i].key));
        long status = http_do(s, "PUT", path.p, all.members[i].value.raw, NULL);
        if (status < 200 || status > 299) code = failed(s, "derived values", status);
    }
    arena_free(&keep);
    return code;
}

// All models, or of an older site those that it lacks.
static int load_models(Site *s) {
    Arena keep;
    Json all;
    int code = 0;
    Str models = {s->o.pack->models, s->o.pack->models_end - s->o.pack->models};
    long status = http(s, "/models", models, NULL);
    if (status == 201) return 0;
    if (status != 409) return failed(s, "models", status);
    arena_init(&keep, 4096);
    Err err = json_parse(models, NULL, &keep, &all, NULL);
    for (int32_t i = 0; err == ERR_OK && !code && i < all.count; i++) {
        Str one = arena_printf(&keep, "[%.*s]", STR_ARG(all.items[i].raw));
        status = http(s, "/models", one, NULL);
        if (status != 201 && status != 409) code = failed(s, "models", status);
    }
    arena_free(&keep);
    return code;
}

static int import(Site *s, const char *p, const char *end, const char *what) {
    long status = http(s, "/import", (Str){p, end - p}, "application/x-ndjson");
    bool ok = status == 200 && !count_of(buf_str(&s->answer), STR("rejected"));
    return ok ? 0 : failed(s, what, status);
}

// Behaviours, mappings, KPIs, what-ifs, rules. Those that are there already are somebody's own by now, and stay. What
// the models of an older site do not carry is passed by: such a site goes on as it was.
static int define_simulation(Site *s, bool older) {
    Arena keep;
    Json all;
    int code = 0, passed = 0;
    arena_init(&keep, 4096);
    Str text = {s->o.pack->definitions, s->o.pack->definitions_end - s->o.pack->definitions};
    Err err = json_parse(text, NULL, &keep, &all, NULL);
    for (int32_t i = 0; err == ERR_OK && !code && i < all.count; i++) {
        const Json *path = json_get(&all.items[i], STR("path")), *body = json_get(&all.items[i], STR("body"));
        Str at = arena_str(&keep, path->s);
        if (http(s, at.p, (Str){0}, NULL) == 200) continue;
        long status = http_do(s, "PUT", at.p, arena_str(&keep, body->raw), NULL);
        if (status == 400 && older) passed++;
        else if (status < 200 || status > 299) code = failed(s, at.p, status);
    }
    if (passed && !s->o.quiet)
        fprintf(stderr, "sosia-site: the site in this file is of before: %d definitions need one that is new\n",
                passed);
    arena_free(&keep);
    return code;
}

// Plans, scenes and maps for pages; those that are there already stay.
static int load_files(Site *s) {
    Str rest = {s->o.pack->files, s->o.pack->files_end - s->o.pack->files};
    Arena keep;
    int code = 0;
    arena_init(&keep, 4096);
    while (rest.n && !code) {
        Str head = str_cut(&rest, '\n'), name = str_cut(&head, ' '), type = str_cut(&head, ' ');
        int64_t bytes = 0;
        if (!str_to_i64(head, &bytes) || bytes > rest.n) return failed(s, "files", 0); // our own: cannot be
        Str path = arena_printf(&keep, "/files/%.*s", STR_ARG(name)), body = str_sub(rest, 0, bytes);
        rest = str_sub(rest, bytes, rest.n);
        if (http(s, path.p, (Str){0}, NULL) == 200) continue;
        long status = http_do(s, "PUT", path.p, body, arena_str(&keep, type).p);
        if (status != 200 && status != 201) code = failed(s, path.p, status);
    }
    arena_free(&keep);
    return code;
}

// Is that twin there? The status of the answer.
static long look_for(Site *s, const char *twin) {
    Buf path = {0};
    buf_printf(&path, "/digitaltwins/%s", twin);
    buf_byte(&path, 0);
    long status = http(s, path.p, (Str){0}, NULL);
    buf_free(&path);
    return status;
}

// What simulations go by; a site of before gets it too.
static int load_simulation(Site *s, bool older) {
    const SitePack *p = s->o.pack;
    if (!p->simulation) return define_simulation(s, older);
    long status = look_for(s, p->simulation_there);
    int code = 0;
    if (status == 404) {
        code = load_models(s);
        if (!code) code = import(s, p->simulation, p->simulation_end, "simulation");
    } else if (status != 200) return failed(s, "load", status);
    return code ? code : define_simulation(s, older);
}

static int load(Site *s) {
    const SitePack *p = s->o.pack;
    long status = look_for(s, p->there);
    bool older = status == 200;
    int code = 0;
    if (status == 404) {
        code = load_models(s);
        if (!code) code = import(s, p->graph, p->graph_end, "graph");
        if (!code) code = define(s);
    } else if (status != 200) return failed(s, "load", status);
    if (!code) code = load_simulation(s, older);
    return code ? code : load_files(s);
}

// ---- values -------------------------------------------------------------------------------------------------------

static void collect(const Site *s, void *p, Buf *out) {
    PlantValue v;
    while (s->o.pack->next(p, &v)) site_put_value(&v, out);
}

// The site's clock runs away from the server's: what it says then is history at once.
static void look_for_late(Site *s) {
    bool ahead = s->o.speed > 1 || s->o.start_ns > time_now_ns();
    if (s->late || !ahead || !count_of(buf_str(&s->answer), STR("late"))) return;
    s->late = true;
    fprintf(stderr, "sosia-site: these times lie too far ahead of the server's clock, so nothing moves: start it with "
                    "--future off\n");
}

// Send what there is; keep it when nobody answers or the server is busy.
static void flush(Site *s) {
    if (!s->lines.n) return;
    long status = http(s, "/ingest", buf_str(&s->lines), "application/x-ndjson");
    int64_t rejected = status == 200 || status == 400 ? count_of(buf_str(&s->answer), STR("rejected")) : 0;
    if (status == 200 || rejected) {
        if (rejected && !s->rejected) failed(s, "values refused", status);
        if (s->lost && !s->o.quiet) fprintf(stderr, "sosia-site: the server is back\n");
        look_for_late(s);
        s->rejected += rejected;
        s->sent++;
        s->lost = false;
        buf_reset(&s->lines);
        return;
    }
    if (!s->lost) failed(s, "values wait", status);
    s->lost = true;
    if (s->lines.n > BACKLOG_BYTES || (status >= 400 && status < 500 && status != 429)) buf_reset(&s->lines);
}

// ---- commands -----------------------------------------------------------------------------------------------------

// A DoorFn.
static int on_command(void *ctx, const DoorRequest *r, Buf *answer) {
    Site *s = ctx;
    const SitePack *p = s->o.pack;
    if (str_eq(r->first, STR("twins")) && r->command.n) return p->command(s->site, r->id, r->command, r->body, answer);
    if (str_eq(r->first, STR("jam")) && p->jam && r->id.n && !r->command.n) return p->jam(s->site, r->id, answer);
    buf_printf(answer, "{\"why\":\"there is no such place: /twins/ID/COMMAND, /jam/ID\"}");
    return 404;
}

static int open_door(Site *s) {
    Str at = str_of(s->o.listen ? s->o.listen : "127.0.0.1:0");
    if (!s->o.pack->command || str_eq(at, STR("off"))) return 0;
    if (door_open(at, &s->door)) {
        fprintf(stderr, "sosia-site: cannot listen at %.*s (an address like 127.0.0.1:9000 is expected)\n",
                STR_ARG(at));
        return 9;
    }
    if (!s->o.quiet) printf("commands at http://127.0.0.1:%d\n", door_port(s->door));
    return fflush(stdout) == 0 ? 0 : 9;
}

// Tell the server where its devices' commands go. One that does not want to know is not asked again.
static void make_known(Site *s) {
    Buf doc = {0};
    if (!s->door || s->known) return;
    buf_printf(&doc,
               "{\"kind\":\"http\",\"description\":\"The emulated site\",\"url\":\"http://127.0.0.1:%d\","
               "\"commands\":[{\"path\":\"/twins/{twin}/{command}\"}]}",
               door_port(s->door));
    long status = http_do(s, "PUT", "/connections/site", buf_str(&doc), NULL);
    s->known = status >= 200 && status < 500;
    if (status >= 400 && status < 500) failed(s, "commands will not come", status);
    buf_free(&doc);
}

// Have the site that runs do it: where it listens the server knows.
static int jam(Site *s) {
    Arena keep;
    Json doc;
    int code = 0;
    long status = http(s, "/connections/site", (Str){0}, NULL);
    if (status == 404) {
        fprintf(stderr, "sosia-site: no site is known to the server at %s\n", s->o.url);
        return 3;
    }
    if (status != 200) return failed(s, "the site", status);
    arena_init(&keep, 4096);
    Str text = arena_str(&keep, buf_str(&s->answer));
    const Json *url = json_parse(text, NULL, &keep, &doc, NULL) ? NULL : json_get(&doc, STR("url"));
    if (url && url->type == JSON_STRING) {
        s->o.url = arena_str(&keep, url->s).p;
        curl_slist_free_all(s->headers); // the token is the server's alone
        s->headers = curl_slist_append(NULL, "Expect:");
        status = http(s, arena_printf(&keep, "/jam/%s", s->o.jam).p, STR("null"), NULL);
        if (status != 200) code = failed(s, s->o.jam, status);
    } else code = failed(s, "the site", status);
    arena_free(&keep);
    return code;
}

static bool over(const Site *s, const void *p, int64_t start_ns) {
    return ended || (s->o.for_ns && s->o.pack->time(p) - start_ns >= s->o.for_ns);
}

static int print_all(Site *s, void *p, int64_t start_ns) {
    collect(s, p, &s->lines);
    while (!over(s, p, start_ns)) {
        s->o.pack->step(p, STEP_S);
        collect(s, p, &s->lines);
        if (fwrite(s->lines.p, 1, (size_t)s->lines.n, stdout) != (size_t)s->lines.n) return 1;
        buf_reset(&s->lines);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

// What was while the server started.
static void catch_up(Site *s, void *p) {
    int64_t now = time_now_ns();
    if (!s->o.past_ns || now - s->o.pack->time(p) > GAP_NS) return;
    while (s->o.pack->time(p) < now && !ended) {
        s->o.pack->step(p, STEP_S);
        collect(s, p, &s->lines);
    }
}

static int send_all(Site *s, void *p, int64_t start_ns) {
    collect(s, p, &s->lines);
    catch_up(s, p);
    double base = (double)time_mono_ns() / 1e9, done = 0; // done: wall seconds already played
    flush(s);
    make_known(s);
    while (!over(s, p, start_ns)) {
        double due = (double)time_mono_ns() / 1e9 - base;
        if (due - done > BEHIND_S) done = due;
        while (done + STEP_S / s->o.speed <= due && !over(s, p, start_ns)) {
            s->o.pack->step(p, STEP_S);
            collect(s, p, &s->lines);
            done += STEP_S / s->o.speed;
        }
        flush(s);
        if (!s->lost) make_known(s);
        if (over(s, p, start_ns)) break;
        if (s->door) door_serve(s->door, TICK_NS, on_command, s);
        else poll(NULL, 0, (int)(TICK_NS / NS_PER_MS));
    }
    flush(s);
    return s->rejected ? 1 : 0;
}

// Tell the past, then wait to be told where the site goes on. 0: there.
static int tell_past(Site *s, void *p, int64_t start_ns) {
    static char url[512];
    const SitePack *pack = s->o.pack;
    if (pack->story && !s->o.calm && s->o.past_ns > FAILED_NS) pack->story(p, start_ns + s->o.past_ns - FAILED_NS);
    if (!site_past_tell(pack, p, start_ns, STEP_S, &ended, stdout)) return 9;
    if (!fgets(url, sizeof url, stdin)) return ended ? 0 : 9;
    url[strcspn(url, "\n")] = 0;
    s->o.url = url;
    return 0;
}

static int list(const Site *s, void *p) {
    PlantValue v;
    while (s->o.pack->next(p, &v)) printf("%s %s\n", v.twin, v.path);
    return 0;
}

// A site that was stopped with something wrong in it goes on so: whoever comes back finds what was left.
static void take_up(Site *s, void *p) {
    const SitePack *pack = s->o.pack;
    Arena keep;
    Json doc;
    if (!pack->stands) return;
    Buf body = {0};
    buf_str_put(&body, STR("{\"query\":"));
    json_put_str(&body, str_of(pack->stands));
    buf_byte(&body, '}');
    long status = http(s, "/query", buf_str(&body), "application/json");
    buf_free(&body);
    arena_init(&keep, 4096);
    if (status == 200 && json_parse(buf_str(&s->answer), NULL, &keep, &doc, NULL) == ERR_OK) {
        const Json *rows = json_get(&doc, STR("value"));
        for (int32_t i = 0; rows && rows->type == JSON_ARRAY && i < rows->count; i++)
            pack->take_up(p, json_text(&rows->items[i], STR("id")));
    }
    arena_free(&keep);
}

static int run(Site *s) {
    int64_t start_ns = s->o.start_ns ? s->o.start_ns : time_now_ns() - s->o.past_ns;
    void *p = s->o.pack->make(s->o.seed, start_ns);
    int code;
    s->site = p;
    if (s->o.past_ns && (code = tell_past(s, p, start_ns))) {
        s->o.pack->free(p);
        return code;
    }
    if (!s->o.past_ns && !s->o.print && !s->o.list && !s->o.calm) take_up(s, p);
    if (s->o.list) code = list(s, p);
    else if (s->o.print) code = print_all(s, p, start_ns);
    else if (!(code = open_door(s))) code = send_all(s, p, start_ns);
    door_close(s->door);
    s->o.pack->free(p);
    return code;
}

// ---- options ------------------------------------------------------------------------------------------------------

static bool take_pack(Options *o, Str name) {
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        if (!str_eq(name, str_of(packs[i]->name))) continue;
        o->pack = packs[i];
        return true;
    }
    return false;
}

// False: wrong.
static bool take(Options *o, int which, const char *value) {
    int64_t n;
    Str v = str_of(value);
    switch (which) {
    case 'k': return take_pack(o, v);
    case 'u': o->url = value; return true;
    case 'l': return o->load = true;
    case 'n': o->listen = value; return true;
    case 'j': o->jam = value; return true;
    case 's': return str_to_i64(v, &n) && n >= 0 ? (o->seed = (uint64_t)n, true) : false;
    case 'x': return str_to_f64(v, &o->speed) && o->speed > 0 && o->speed <= 10000;
    case 'c': return time_parse(v, &o->start_ns);
    case 'f': return time_parse_duration(v, &o->for_ns) && o->for_ns > 0;
    case 'o': return time_parse_duration(v, &o->past_ns) && o->past_ns > 0;
    case 'm': return o->calm = true;
    case 'p': return o->print = true;
    case 'i': return o->list = true;
    case 'q': return o->quiet = true;
    default: return false;
    }
}

static const struct option options[] = {
    {"pack", required_argument, NULL, 'k'},  {"url", required_argument, NULL, 'u'},
    {"load", no_argument, NULL, 'l'},        {"seed", required_argument, NULL, 's'},
    {"speed", required_argument, NULL, 'x'}, {"clock", required_argument, NULL, 'c'},
    {"for", required_argument, NULL, 'f'},   {"listen", required_argument, NULL, 'n'},
    {"jam", required_argument, NULL, 'j'},   {"print", no_argument, NULL, 'p'},
    {"past", required_argument, NULL, 'o'},  {"calm", no_argument, NULL, 'm'},
    {"list", no_argument, NULL, 'i'},        {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
};

int main(int argc, char **argv) {
    Site s = {.o = {.pack = &bottling_pack, .seed = 1, .speed = 1, .url = getenv("SOSIA_URL")}};
    struct sigaction catch = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    if (!s.o.url || !*s.o.url) s.o.url = "http://127.0.0.1:7474";
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') return usage(0);
        if (!take(&s.o, c, optarg)) {
            if (c != '?') fprintf(stderr, "sosia-site: '%s' is not valid there\n", optarg);
            return usage(4);
        }
    }
    if (optind < argc) return usage(4);
    sigaction(SIGINT, &catch, NULL);
    sigaction(SIGTERM, &catch, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    http_open(&s);
    int code = s.o.load ? load(&s) : s.o.jam ? jam(&s) : run(&s);
    curl_easy_cleanup(s.curl);
    curl_slist_free_all(s.headers);
    buf_free(&s.answer);
    buf_free(&s.lines);
    return code;
}

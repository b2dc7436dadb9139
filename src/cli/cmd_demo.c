// SPDX-License-Identifier: Apache-2.0
// The demo: this same program as a server, and the emulated site as a process of its own. Both end with the demo.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/client.h"
#include "cli/past.h"
#include "cli/term.h"

#define HTTP_DEFAULT "127.0.0.1:7474"
#define PAST_HOURS 8 // unless --past says otherwise

typedef struct Pack {
    const char *name, *data; // its file unless --data names one
    const char *what;        // of the list
    const char *title, *about;
    const char *tries[5]; // commands to try; NULL ends them
    const char *jam;      // where its site can have something go wrong that a rule sees; NULL: nowhere
    const char *story;    // what went wrong in its past; NULL: nothing
    const char *find;     // the command that shows when it began
} Pack;

static const Pack packs[] = {
    {.name = "bottling",
     .data = "demo.sosia",
     .what = "a bottling plant: lines, cold store, warehouse, trucks, shops, pumps and power",
     .title = "The bottling plant of Montefalda is running",
     .about = "Three lines, cold store, warehouse, trucks, shops, pumps and power",
     .tries = {"watch 'line-1*'", "get cold-room-2", "worlds fork night-shift", "whatif demand-up"},
     .jam = "line-1",
     .story = "One thing needs you: the filler of line 1 stands with a jam, and its drive told of it for hours.",
     .find = "history line-1-filler drive.vibration --last 400"},
    {.name = "hospital",
     .data = "demo-hospital.sosia",
     .what = "a hospital: its emergency department, nurses and doctors, wards and beds",
     .title = "St Clare's Hospital is open",
     .about = "Emergency department, imaging, ten wards; nurses, doctors, beds",
     .tries = {"watch majors-medical emergency amu", "get st-clare", "whatif two-beds-fewer",
               "rules try nurses-short --twin nurses"}},
};

typedef struct Demo {
    Str data, http, speed, seed, pack, past;
    bool silent, list, calm;
    const Pack *of;
    int64_t past_hours;
} Demo;

static const Opt opts[] = {
    OPT(Demo, pack, OPT_STR, 'p', "pack", "NAME", "what lives: bottling (the default) or hospital"),
    OPT(Demo, list, OPT_FLAG, 0, "list", NULL, "say what packs there are, then end"),
    OPT(Demo, data, OPT_STR, 'd', "data", "FILE", "the world's file (demo.sosia); goes on where it stopped"),
    OPT(Demo, http, OPT_STR, 0, "http", "ADDR", "listen here (" HTTP_DEFAULT "); port 0: any free one"),
    OPT(Demo, past, OPT_STR, 0, "past", "HOURS", "at a new file's start: live so many hours before now (8; 0: none)"),
    OPT(Demo, calm, OPT_FLAG, 0, "calm", NULL, "nothing went wrong in them"),
    OPT(Demo, speed, OPT_STR, 's', "speed", "N", "let the site live N times faster (1)"),
    OPT(Demo, seed, OPT_STR, 0, "seed", "N", "another run of the same site (1)"),
    OPT(Demo, silent, OPT_FLAG, 0, "no-site", NULL, "load models and twins, send no values"),
    OPT_END,
};

typedef struct Run {
    const Demo *o;
    Arena keep;
    char self[4096], site[4200];
    pid_t server, emulator;
    Str url;
    int emulator_in; // the site waits there for the server's address; -1: it does not
    bool lived;      // a past was
} Run;

static Err find_programs(Run *r) {
    ssize_t n = readlink("/proc/self/exe", r->self, sizeof r->self - 1);
    if (n <= 0) return tell(ERR_IO, "demo: cannot find this program's own file");
    r->self[n] = 0;
    Str dir = {r->self, n};
    while (dir.n && dir.p[dir.n - 1] != '/') dir.n--;
    snprintf(r->site, sizeof r->site, "%.*ssosia-site", STR_ARG(dir));
    if (access(r->site, X_OK) == 0) return ERR_OK;
    tell(ERR_IO, "demo: the emulated site is missing: %s", r->site);
    hint("build it with: make");
    return ERR_IO;
}

// Start a program; its stdin and stdout are in_fd and out_fd when those are >= 0. It dies with us.
static pid_t start(char *const *argv, int in_fd, int out_fd, int64_t parent) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    signal(SIGTERM, SIG_DFL); // our handler would swallow the one that tells of our death
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    setpgid(0, 0); // Ctrl-C reaches the demo, which stops the others in order
    if (in_fd >= 0) dup2(in_fd, STDIN_FILENO);
    if (out_fd >= 0) dup2(out_fd, STDOUT_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

static Str data_of(const Demo *o) { return o->data.n ? o->data : str_of(o->of->data); }

// Wait for the server's ready line and take its address.
static Err await_ready(Run *r, int fd) {
    Buf line = {0};
    Json doc;
    char c;
    for (;;) {
        ssize_t n = read(fd, &c, 1);
        if (n == 1 && c != '\n') buf_byte(&line, c);
        if ((n == 1 && c == '\n') || n == 0 || (n < 0 && errno != EINTR) || term_interrupted()) break;
    }
    Str text = arena_str(&r->keep, buf_str(&line));
    buf_free(&line);
    const Json *url = NULL;
    if (json_parse(text, NULL, &r->keep, &doc, NULL) == ERR_OK) url = json_get(&doc, STR("url"));
    if (!url || url->type != JSON_STRING) return ERR_UNREACHABLE; // it told why itself
    r->url = url->s;
    return ERR_OK;
}

static Err start_server(Run *r) {
    const Demo *o = r->o;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return tell(ERR_IO, "demo: no pipe: %s", strerrordesc_np(errno));
    char *data = (char *)(uintptr_t)arena_str(&r->keep, data_of(o)).p;
    char *http = (char *)(uintptr_t)arena_str(&r->keep, o->http.n ? o->http : STR(HTTP_DEFAULT)).p;
    char *argv[] = {r->self, "serve", "--data", data, "--http", http, "--future", "off", "--json", NULL};
    r->server = start(argv, -1, fds[1], getpid());
    close(fds[1]);
    Err err = r->server > 0 ? await_ready(r, fds[0]) : tell(ERR_IO, "demo: cannot start the server");
    close(fds[0]);
    return err;
}

static char *url_of(Run *r) { return (char *)(uintptr_t)arena_str(&r->keep, r->url).p; }

static char *pack_of(Run *r) { return (char *)(uintptr_t)arena_str(&r->keep, str_of(r->o->of->name)).p; }

static Err load(Run *r) {
    char *argv[] = {r->site, "--pack", pack_of(r), "--url", url_of(r), "--load", NULL};
    pid_t pid = start(argv, -1, -1, getpid());
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return ERR_OK;
    return tell(ERR_IO, "demo: the pack could not be loaded");
}

static char *text_or(Run *r, Str given, const char *otherwise) {
    return (char *)(uintptr_t)arena_str(&r->keep, given.n ? given : str_of(otherwise)).p;
}

// The site that lived the past goes on; without one a site begins now.
static Err start_site(Run *r) {
    if (r->emulator > 0) {
        Str line = arena_printf(&r->keep, "%.*s\n", STR_ARG(r->url));
        Err err = term_write(r->emulator_in, line);
        close(r->emulator_in);
        r->emulator_in = -1;
        return err ? tell(err, "demo: the site has ended") : ERR_OK;
    }
    char *argv[] = {r->site,
                    "--pack",
                    pack_of(r),
                    "--url",
                    url_of(r),
                    "--speed",
                    text_or(r, r->o->speed, "1"),
                    "--seed",
                    text_or(r, r->o->seed, "1"),
                    "--quiet",
                    NULL};
    r->emulator = start(argv, -1, -1, getpid());
    return r->emulator > 0 ? ERR_OK : tell(ERR_IO, "demo: cannot start the site");
}

// ---- the past of a new file -----------------------------------------------------------------------------------------

// A site that tells of the hours before now, from r->emulator_in on of now.
static Err start_past(Run *r, PastSource *from) {
    int down[2], up[2];
    if (pipe2(up, O_CLOEXEC) != 0) return tell(ERR_IO, "demo: no pipe: %s", strerrordesc_np(errno));
    if (pipe2(down, O_CLOEXEC) != 0) {
        close(up[0]), close(up[1]);
        return tell(ERR_IO, "demo: no pipe: %s", strerrordesc_np(errno));
    }
    char *past = (char *)(uintptr_t)arena_printf(&r->keep, "%lldh", (long long)r->o->past_hours).p;
    char *argv[] = {r->site,
                    "--pack",
                    pack_of(r),
                    "--past",
                    past,
                    "--speed",
                    text_or(r, r->o->speed, "1"),
                    "--seed",
                    text_or(r, r->o->seed, "1"),
                    "--quiet",
                    r->o->calm ? "--calm" : NULL,
                    NULL};
    from->length_ns = r->o->past_hours * 3600 * NS_PER_S;
    from->begin_ns = time_now_ns() - from->length_ns - NS_PER_S; // models and twins are there before the first value
    r->emulator = start(argv, down[0], up[1], getpid());
    close(down[0]), close(up[1]);
    r->emulator_in = down[1];
    from->in = up[0];
    if (r->emulator > 0) return ERR_OK;
    close(up[0]);
    return tell(ERR_IO, "demo: cannot start the site");
}

// A file that is there is gone on with as it is.
static Err live_past(Run *r) {
    char *data = (char *)(uintptr_t)arena_str(&r->keep, data_of(r->o)).p;
    PastSource from;
    if (!r->o->past_hours || r->o->silent || access(data, F_OK) == 0) return ERR_OK;
    TRY(start_past(r, &from));
    TRY(past_live(data_of(r->o), &from));
    r->lived = true;
    return ERR_OK;
}

static Err print_welcome(Run *r) {
    bool colour = term_colour(STDOUT_FILENO);
    const char *bold = style_on(STYLE_BOLD, colour), *cyan = style_on(STYLE_CYAN, colour),
               *off = style_off(STYLE_BOLD, colour);
    const char *sosia = program_invocation_name;
    const Pack *p = r->o->of;
    Buf url = {0}, out = {0};
    if (!str_eq(r->url, STR(URL_DEFAULT))) buf_printf(&url, " --url %.*s", STR_ARG(r->url));
    const char *more = url.n ? (buf_byte(&url, 0), url.p) : "";
    buf_printf(&out, "\n%s%s%s at %s%.*s%s\n", bold, p->title, off, cyan, STR_ARG(r->url), off);
    buf_printf(&out, "%s; the world is in %.*s.\n\n", p->about, STR_ARG(data_of(r->o)));
    buf_str_put(&out, STR("Open that address in a browser to see it as a page.\n\n"));
    buf_printf(&out, "Try, in another terminal:\n\n");
    for (int i = 0; p->tries[i]; i++) buf_printf(&out, "  %s %s%s\n", sosia, p->tries[i], more);
    buf_byte(&out, '\n');
    buf_printf(&out, "What would happen if: %s whatif%s lists what may be tried, each in one command.\n\n", sosia,
               more);
    if (r->lived && p->story && !r->o->calm && r->o->past_hours > 1) {
        buf_printf(&out, "%s\n\n  %s decisions%s\n  %s %s%s\n\n", p->story, sosia, more, sosia, p->find, more);
    } else if (r->emulator > 0 && p->jam) {
        buf_printf(&out, "Have something go wrong, and decide what is done about it:\n\n  %s --jam %s%s\n", r->site,
                   p->jam, more);
        buf_printf(&out, "  %s decisions --follow%s\n\n", sosia, more);
    }
    if (r->emulator > 0) {
        buf_printf(&out, "Silence the sensors and watch the values grow stale: kill %d\n", (int)r->emulator);
    }
    buf_str_put(&out, STR("Ctrl-C ends the demo; started again it goes on where it stopped.\n\n"));
    Err err = say(buf_str(&out));
    buf_free(&url);
    buf_free(&out);
    return err;
}

static void stop(pid_t pid) {
    int status;
    if (pid <= 0) return;
    kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
}

// Until a signal, or until the server ends.
static Err stand_by(Run *r) {
    while (!term_interrupted()) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && pid == r->server) {
            r->server = 0;
            return tell(ERR_CLOSED, "demo: the server ended");
        }
        if (pid > 0 && pid == r->emulator) {
            r->emulator = 0;
            note("the site is silent: its values grow stale");
        }
        term_sleep(100 * NS_PER_MS);
    }
    return ERR_OK;
}

static Err list(void) {
    Buf out = {0};
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++)
        buf_printf(&out, "%-10s %s\n", packs[i].name, packs[i].what);
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err find_pack(Demo *o) {
    Str name = o->pack.n ? o->pack : STR("bottling");
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        if (str_eq(name, str_of(packs[i].name))) o->of = &packs[i];
    }
    if (o->of) return ERR_OK;
    tell(ERR_ARGUMENT, "demo: there is no pack \"%.*s\"", STR_ARG(name));
    hint("they are: sosia demo --list");
    return ERR_ARGUMENT;
}

static Err read_past(Demo *o) {
    o->past_hours = PAST_HOURS;
    if (!o->past.n || (str_to_i64(o->past, &o->past_hours) && o->past_hours >= 0 && o->past_hours <= PAST_HOURS_MAX))
        return ERR_OK;
    return tell(ERR_ARGUMENT, "demo: --past takes hours, 0 to %d", PAST_HOURS_MAX);
}

static Err run(void *fields, const Args *args) {
    (void)args;
    static Run r; // one demo a process
    Demo *o = fields;
    if (o->list) return list();
    TRY(find_pack(o));
    TRY(read_past(o));
    r.o = o;
    r.emulator_in = -1;
    arena_init(&r.keep, 0);
    Err err = find_programs(&r);
    if (err == ERR_OK) err = live_past(&r);
    if (err == ERR_OK) err = start_server(&r);
    if (err == ERR_OK) err = load(&r);
    if (err == ERR_OK && !r.o->silent) err = start_site(&r);
    if (err == ERR_OK) err = print_welcome(&r);
    if (err == ERR_OK) err = stand_by(&r);
    stop(r.emulator);
    stop(r.server);
    arena_free(&r.keep);
    return err;
}

const Command cmd_demo = {
    .name = "demo",
    .arguments = "",
    .summary = "a bottling plant, or a hospital, that lives: server, twins and an emulated site",
    .about =
        "Starts the server on a file of its own and the emulated site, which sends sensor values through /ingest as a\n"
        "gateway would. The first time it loads the pack and lives the last 8 hours before it opens to the world, in "
        "a\n"
        "few seconds; in the bottling plant something went wrong in them.",
    .examples = "  sosia demo\n"
                "  sosia demo --pack hospital\n"
                "  sosia demo --speed 60            (an hour a minute)\n"
                "  sosia demo --past 0              (begin now, with nothing behind)\n"
                "  sosia demo --data /tmp/d.sosia --http 127.0.0.1:0",
    .opts = opts,
    .size = sizeof(Demo),
    .run = run,
};

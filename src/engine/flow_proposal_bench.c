// SPDX-License-Identifier: Apache-2.0
// From a trigger to a proposal that is durable: the bottling plant of the demo, a filler that jams, three actions and
// nothing, 30 replications of an hour each. Started in the repository's root.
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bench.h"
#include "sosia/sosia.h"

#define PACK "packs/bottling"
#define RULE "filler-jams"
#define TWIN "line-1-filler"
#define ROUNDS 9
#define NAMES_MAX 200 // files of one folder

typedef struct Text {
    char *p;
    size_t n, cap;
} Text;

static SosiaStr str(const char *z) { return (SosiaStr){z, (int64_t)strlen(z)}; }

static void add(Text *t, const char *p, size_t n) {
    if (t->n + n + 1 > t->cap) {
        t->cap = 2 * (t->n + n + 1);
        t->p = realloc(t->p, t->cap);
        if (!t->p) exit(1);
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

static void add_file(Text *t, const char *path) {
    char piece[4096];
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "%s cannot be read: benches start in the repository's root\n", path);
        exit(1);
    }
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) add(t, piece, n);
    fclose(f);
}

static void write_one(Sosia *s, SosiaOp op, const char *id, const char *sub, const char *body) {
    SosiaDone done;
    SosiaBuf keep = {0};
    SosiaWrite w = {.op = op, .id = str(id), .sub = str(sub), .body = str(body)};
    SosiaErr err = sosia_write_wait(s, NULL, &w, &done, &keep);
    if (err) {
        fprintf(stderr, "%s %s: %.*s\n", sub, id, (int)done.message.n, done.message.p);
        exit(1);
    }
    sosia_buf_free(&keep);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// Names of the files in a folder of the pack with that ending.
static int list(const char *folder, const char *ending, char **names) {
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && n < NAMES_MAX && (e = readdir(d));) {
        size_t k = strlen(e->d_name), end = strlen(ending);
        if (k > end && !strcmp(e->d_name + k - end, ending)) names[n++] = strdup(e->d_name);
    }
    if (d) closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

static void load_models(Sosia *s) {
    char *names[NAMES_MAX], path[600];
    Text all = {0};
    int n = list(PACK "/models", ".json", names);
    for (int i = 0; i < n; i++) {
        add(&all, i ? "," : "[", 1);
        snprintf(path, sizeof path, PACK "/models/%s", names[i]);
        add_file(&all, path);
        free(names[i]);
    }
    add(&all, "]", 1);
    write_one(s, SOSIA_MODELS_ADD, "", "", all.p);
    free(all.p);
}

static void load_definitions(Sosia *s, const char *kind) {
    char *names[NAMES_MAX], folder[100], ending[40], path[600];
    snprintf(folder, sizeof folder, PACK "/%ss", kind);
    snprintf(ending, sizeof ending, ".%s", kind);
    int n = list(folder, ending, names);
    for (int i = 0; i < n; i++) {
        Text text = {0};
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        add_file(&text, path);
        names[i][strlen(names[i]) - strlen(ending)] = 0;
        snprintf(path, sizeof path, "%ss", kind);
        write_one(s, SOSIA_DEFINITION_PUT, names[i], path, text.p);
        free(names[i]);
        free(text.p);
    }
}

static void load(Sosia *s) {
    static const char *const kinds[] = {"behaviour", "mapping", "kpi", "rule"};
    Text graph = {0};
    load_models(s);
    add_file(&graph, PACK "/graph.ndjson");
    write_one(s, SOSIA_IMPORT, "", "", graph.p);
    graph.n = 0;
    add_file(&graph, PACK "/simulation.ndjson");
    write_one(s, SOSIA_IMPORT, "", "", graph.p);
    free(graph.p);
    for (int i = 0; i < 4; i++) load_definitions(s, kinds[i]);
    write_one(s, SOSIA_TWIN_PATCH, TWIN, "",
              "[{\"op\":\"add\",\"path\":\"/fault\",\"value\":\"jam at infeed star\"},"
              "{\"op\":\"add\",\"path\":\"/state\",\"value\":\"faulted\"}]");
}

// Until the proposal stands; what it came to.
static void propose(Sosia *s, uint64_t id, SosiaOut *out) {
    SosiaErr err = sosia_propose(s, NULL, str(RULE), str(TWIN), out);
    if (err) {
        fprintf(stderr, "%.*s\n", (int)out->message.n, out->message.p);
        exit(1);
    }
    for (uint64_t revision = 0;;) {
        SosiaDecisions d = {.revision = revision, .wait_ns = NS_PER_S, .limit = 1};
        if (sosia_decisions(s, NULL, &d, out)) exit(1);
        if (!memmem(out->body.p, (size_t)out->body.n, "\"proposing\"", 11)) break;
        const char *at = memmem(out->body.p, (size_t)out->body.n, "\"revision\":", 11);
        revision = strtoull(at + 11, NULL, 10);
    }
    if (sosia_decision(s, NULL, id, out)) exit(1);
}

int main(void) {
    Bench b = {.name = "flow.proposal", .unit = "ms", .goal = 200, .less = true};
    char dir[] = "/tmp/sosia-bench-XXXXXX", path[64];
    Sosia *s;
    SosiaOut out = {0};
    if (!mkdtemp(dir)) return 1;
    snprintf(path, sizeof path, "%s/p.sosia", dir);
    if (sosia_open(&(SosiaOpen){.path = str(path)}, &s, NULL)) return 1;
    load(s);
    for (uint64_t i = 0; i <= ROUNDS; i++) {
        int64_t since = time_mono_ns();
        propose(s, i + 1, &out);
        if (i) bench_add(&b, bench_seconds(since) * 1e3); // the first one warms up
        SosiaStr refuse = str("refuse"), none = {0};
        if (!i) fprintf(stderr, "%.*s\n", (int)(out.body.n < 600 ? out.body.n : 600), out.body.p);
        (void)sosia_decide(s, NULL, i + 1, refuse, none, &out);
    }
    bench_print(&b);
    sosia_out_free(&out);
    sosia_close(s);
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    rmdir(dir);
    return 0;
}

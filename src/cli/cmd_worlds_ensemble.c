// SPDX-License-Identifier: Apache-2.0
// A world many times over: begin, watch, a table of what it came to.
#include <string.h>
#include "cli/many.h"

typedef struct Many {
    Common common;
    Str length, output, kpis, precision, title, html, svg;
    StrList sweep;
    int64_t replications, seed, threads, most;
    double relative, level;
    bool quiet;
} Many;

static const Opt many_opts[] = {
    OPT(Many, length, OPT_STR, 'f', "for", "TIME", "how long each, on the world's own clock: 8h, P7D"),
    OPT_RANGE(Many, replications, "replications", "N", "of each case (30)", 1, 1000000),
    OPT(Many, precision, OPT_STR, 'p', "precision", "KPI", "as many replications as this KPI needs, see --relative"),
    OPT(Many, relative, OPT_F64, 0, "relative", "N", "half an interval, as a part of the mean (0.05)"),
    OPT_RANGE(Many, most, "most", "N", "replications at most, with --precision (10000)", 1, 1000000),
    OPT(Many, kpis, OPT_STR, 'k', "kpi", "NAMES", "only these, separated by commas"),
    OPT(Many, output, OPT_STR, 'o', "output", "TIME", "times of courses in --json (a hundredth)"),
    OPT(Many, level, OPT_F64, 0, "level", "N", "of intervals (0.95)"),
    OPT_RANGE(Many, seed, "seed", "N", "of the chances (the world's)", 1, INT64_MAX),
    OPT_RANGE(Many, threads, "threads", "N", "that work on it (all processors)", 1, 64),
    OPT(Many, sweep, OPT_LIST, 's', "sweep", "TWIN/PROPERTY=VALUES",
        "a case for each value: 1,2,3 or 0.1..0.5/5; given again: for each combination"),
    OPT(Many, title, OPT_STR, 0, "title", "TEXT", "of the report"),
    OPT(Many, html, OPT_STR, 0, "html", "FILE", "write it as a page with charts, too (\"-\": stdout)"),
    OPT(Many, svg, OPT_STR, 0, "svg", "FILE", "write the charts alone, too"),
    OPT(Many, quiet, OPT_FLAG, 'q', "quiet", NULL, "no progress line"),
    OPT_END,
};

// ---- the request --------------------------------------------------------------------------------------------------

// "night/nurse-plus.json" is "nurse-plus".
static Str name_of(Str path) {
    while (path.n && memchr(path.p, '/', (size_t)path.n)) path = str_sub(path, 1, path.n);
    for (int64_t i = path.n - 1; i > 0; i--)
        if (path.p[i] == '.') return str_sub(path, 0, i);
    return path;
}

// A list of changes, or an object that has one (a what-if).
static Err put_case(Str path, Buf *b) {
    Buf file = {0};
    Arena a;
    Json json;
    TRY(read_file(path, 4 << 20, &file));
    arena_init(&a, 4096);
    Err err = json_parse(buf_str(&file), NULL, &a, &json, NULL);
    const Json *list = !err && json.type == JSON_OBJECT ? json_get(&json, STR("changes")) : &json;
    if (err || !list || list->type != JSON_ARRAY) {
        err = tell(ERR_SYNTAX, "%.*s holds no JSON list of changes", STR_ARG(path));
    } else {
        buf_printf(b, ",{\"name\":");
        json_put_str(b, name_of(path));
        buf_printf(b, ",\"changes\":");
        json_put(b, list);
        buf_byte(b, '}');
    }
    arena_free(&a);
    buf_free(&file);
    return err;
}

static void put_kpis(Str names, Buf *b) {
    buf_printf(b, ",\"kpis\":[");
    for (bool first = true; names.n; first = false) {
        const char *comma = memchr(names.p, ',', (size_t)names.n);
        int64_t n = comma ? comma - names.p : names.n;
        if (!first) buf_byte(b, ',');
        json_put_str(b, str_sub(names, 0, n));
        names = str_sub(names, comma ? n + 1 : n, names.n);
    }
    buf_byte(b, ']');
}

static Err put_items(Str list, Buf *b) {
    buf_printf(b, ",\"values\":[");
    for (bool first = true; list.n; first = false) {
        Str item = str_trim(str_cut(&list, ','));
        double number;
        if (!first) buf_byte(b, ',');
        bool plain = str_to_f64(item, &number) || str_eq(item, STR("true")) || str_eq(item, STR("false"));
        if (plain) buf_str_put(b, item);
        else json_put_str(b, item);
    }
    buf_byte(b, ']');
    return ERR_OK;
}

// "0.1..0.5/5": five of them. False: it is no range.
static bool put_range(Str list, Buf *b) {
    int64_t dots = str_find_str(list, STR("..")), slash = str_find(list, '/', 0);
    double from, to;
    int64_t many;
    if (dots < 0 || slash < dots) return false;
    Str ends[] = {str_sub(list, 0, dots), str_sub(list, dots + 2, slash)};
    if (!str_to_f64(ends[0], &from) || !str_to_f64(ends[1], &to)) return false;
    if (!str_to_i64(str_sub(list, slash + 1, list.n), &many)) return false;
    buf_printf(b, ",\"from\":%.17g,\"to\":%.17g,\"count\":%lld", from, to, (long long)many);
    return true;
}

// "TWIN/PROPERTY=VALUES".
static Err put_axis(Str text, Buf *b) {
    int64_t slash = str_find(text, '/', 0), is = slash < 0 ? -1 : str_find(text, '=', slash);
    if (slash < 1 || is < slash + 2 || is + 1 == text.n) {
        tell(ERR_ARGUMENT, "\"%.*s\" is no sweep", STR_ARG(text));
        hint("--sweep TWIN/PROPERTY=1,2,3 or --sweep TWIN/PROPERTY=0.1..0.5/5");
        return ERR_ARGUMENT;
    }
    buf_printf(b, "{\"twin\":");
    json_put_str(b, str_sub(text, 0, slash));
    buf_printf(b, ",\"property\":");
    json_put_str(b, str_sub(text, slash + 1, is));
    Str values = str_sub(text, is + 1, text.n);
    if (!put_range(values, b)) TRY(put_items(values, b));
    buf_byte(b, '}');
    return ERR_OK;
}

static Err put_sweep(const StrList *list, Buf *b) {
    if (!list->count) return ERR_OK;
    buf_printf(b, ",\"sweep\":[");
    for (int32_t i = 0; i < list->count; i++) {
        if (i) buf_byte(b, ',');
        TRY(put_axis(list->items[i], b));
    }
    buf_byte(b, ']');
    return ERR_OK;
}

static Err body_of(const Many *o, const Args *args, Buf *b) {
    if (!o->length.n) {
        tell(ERR_ARGUMENT, "worlds ensemble: say how long each is to run");
        hint("--for 8h");
        return ERR_ARGUMENT;
    }
    buf_printf(b, "{\"for\":");
    json_put_str(b, o->length);
    if (o->output.n) {
        buf_printf(b, ",\"output\":");
        json_put_str(b, o->output);
    }
    if (o->replications) buf_printf(b, ",\"replications\":%lld", (long long)o->replications);
    if (o->seed) buf_printf(b, ",\"seed\":%lld", (long long)o->seed);
    if (o->threads) buf_printf(b, ",\"threads\":%lld", (long long)o->threads);
    if (o->level > 0) buf_printf(b, ",\"level\":%.17g", o->level);
    if (o->title.n) {
        buf_printf(b, ",\"title\":");
        json_put_str(b, o->title);
    }
    TRY(put_sweep(&o->sweep, b));
    if (o->kpis.n) put_kpis(o->kpis, b);
    if (o->precision.n) {
        buf_printf(b, ",\"precision\":{\"kpi\":");
        json_put_str(b, o->precision);
        buf_printf(b, ",\"relative\":%.17g", o->relative > 0 ? o->relative : 0.05);
        if (o->most) buf_printf(b, ",\"most\":%lld", (long long)o->most);
        buf_byte(b, '}');
    }
    buf_printf(b, ",\"cases\":[{\"name\":\"as is\"}");
    for (int32_t i = 1; i < args->count; i++) TRY(put_case(args->items[i], b));
    buf_printf(b, "]}");
    return ERR_OK;
}

// ---- the command --------------------------------------------------------------------------------------------------

static Err run_it(Client *c, const Many *o, const Args *args) {
    Buf body = {0};
    Json begun;
    int64_t id;
    Str world = args->items[0];
    Err err = body_of(o, args, &body);
    Call call = {.method = "POST", .body = buf_str(&body)};
    if (!err) call.path = client_path(c, "//worlds/{}/ensemble", &world);
    if (!err) err = client_do(c, &call);
    buf_free(&body);
    TRY(err);
    TRY(client_json(c, &begun));
    TRY(many_id(&begun, "id", &id));
    return many_follow(c, id, &(ManyOut){.html = o->html, .svg = o->svg, .json = o->common.json, .quiet = o->quiet});
}

static Err run_many(void *fields, const Args *args) {
    const Many *o = fields;
    Client c = {0};
    if (o->common.world.p) {
        tell(ERR_ARGUMENT, "worlds: --world has no meaning here");
        hint("name the world as an argument");
        return ERR_ARGUMENT;
    }
    Err err = client_open(&c, &o->common);
    if (!err) err = run_it(&c, o, args);
    client_close(&c);
    return err;
}

const Command cmd_worlds_ensemble = {
    .name = "worlds ensemble",
    .arguments = "WORLD [CHANGES.json ...]",
    .summary = "run a world many times over and tell KPIs with intervals",
    .about =
        "Every replication sees other chances. Each file of changes (as for worlds run --changes, or a what-if) is a\n"
        "case beside the world as it is; the r-th replication of all cases sees the same chances, so differences\n"
        "are sharp. --sweep makes a case of each value of a property. Nothing is written to the world. What came of "
        "it\n"
        "is kept: sosia ensembles. Ctrl-C ends it and tells what there is.",
    .examples = "  sosia worlds ensemble live --for 8h --replications 200\n"
                "  sosia worlds ensemble night-shift --for P7D nurse-plus.json beds-minus.json\n"
                "  sosia worlds ensemble live --for 8h --sweep desk-1/pace=0.1..0.5/5 --html report.html\n"
                "  sosia worlds ensemble ward --for P30D --precision wait --relative 0.02 --json",
    .opts = many_opts,
    .size = sizeof(Many),
    .client = true,
    .args_min = 1,
    .args_max = 64,
    .run = run_many,
};

// SPDX-License-Identifier: Apache-2.0
#include "cli/ask.h"
#include <unistd.h>
#include "base/time.h"
#include "cli/term.h"

#define PAGE_LEAST 10
#define PAGE_MOST 1000 // as the server
#define CSV_BYTES_MAX ((int64_t)512 << 20)
#define UNIT_MODELS_MAX 8 // one request each

void ask_init(Ask *a, Client *client) {
    *a = (Ask){.client = client};
    units_init(&a->units);
}

void ask_free(Ask *a) { units_free(&a->units); }

// ---- failures -----------------------------------------------------------------------------------------------------

static bool number_after(Str *s, Str label, int64_t *out) {
    int64_t at = str_find_str(*s, label);
    if (at < 0) return false;
    *s = str_sub(*s, at + label.n, s->n);
    int64_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    return str_to_i64(str_sub(*s, 0, n), out);
}

bool ask_place(Str message, int64_t *line, int64_t *position, Str *text) {
    int64_t at;
    if (!number_after(&message, STR("Line="), line)) return false;
    if (!number_after(&message, STR("Position="), position)) return false;
    if ((at = str_find_str(message, STR("Message="))) < 0) return false;
    *text = str_trim(str_sub(message, at + 8, message.n));
    return true;
}

static Str nth_line(Str text, int64_t n) {
    Str line = str_cut(&text, '\n');
    while (--n > 0) line = str_cut(&text, '\n');
    return str_ends(line, STR("\r")) ? str_sub(line, 0, line.n - 1) : line;
}

// Bytes of the first n code points of s, or all of it.
static int64_t bytes_of(Str s, int64_t n) {
    const char *p = s.p, *end = s.p + s.n;
    while (n-- > 0 && p < end) {
        int size = str_utf8_size(p, end);
        p += size ? size : 1;
    }
    return p - s.p;
}

static bool word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static int64_t word_end(Str s, int64_t at) {
    int64_t end = at;
    while (end < s.n && (word_byte(s.p[end]) || (s.p[end] == '.' && end + 1 < s.n && word_byte(s.p[end + 1])))) end++;
    return end;
}

void ask_caret(Str query, int64_t line, int64_t position, int32_t width, Buf *out) {
    Str s = nth_line(query, line);
    if (!s.n) return;
    int64_t at = bytes_of(s, position), end = word_end(s, at);
    Buf before = {0}, word = {0}, after = {0};
    text_clean(str_sub(s, 0, at), &before);
    text_clean(str_sub(s, at, end), &word);
    text_clean(str_sub(s, end, s.n), &after);
    Str head = buf_str(&before), dots = {0};
    int32_t room = width - 2 - text_width(buf_str(&word));
    while (text_width(head) > room * 2 / 3 && head.n) { // what leads to the place matters most at its end
        head = str_sub(head, bytes_of(head, 1), head.n);
        dots = STR("…");
    }
    buf_printf(out, "  %.*s%.*s%.*s", STR_ARG(dots), STR_ARG(head), STR_ARG(buf_str(&word)));
    int32_t indent = text_width(dots) + text_width(head);
    if (room > indent) text_fit(buf_str(&after), room - indent, out);
    buf_printf(out, "\n  %*s^", (int)indent, "");
    for (int32_t i = text_width(buf_str(&word)); i > 1; i--) buf_byte(out, '~');
    buf_byte(out, '\n');
    buf_free(&before);
    buf_free(&word);
    buf_free(&after);
}

static Err tell_failure(const Client *c, Str text, Err err) {
    int64_t line, position;
    Str said;
    if (err != ERR_QUERY || !ask_place(buf_str(&c->message), &line, &position, &said)) return client_tell(c, err);
    int32_t columns, rows;
    term_size(STDERR_FILENO, &columns, &rows);
    Buf out = {0};
    buf_printf(&out, "%.*s\n", STR_ARG(said));
    ask_caret(text, line, position, columns, &out);
    tell(err, "%.*s", STR_ARG(buf_str(&out)));
    buf_free(&out);
    return err;
}

// ---- one page -----------------------------------------------------------------------------------------------------

typedef struct Page {
    Arena keep;
    Json doc;
    const Json *rows; // array
    Str token;        // of the next page, or ""
} Page;

// What the whole question did so far.
typedef struct Run {
    Ask *ask;
    Str text;
    Page page;
    Arena kept;
    Json named; // columns the server named with the first page: an array
    Grid grid;
    int64_t count, time_ns; // rows printed; waited for the server
    Buf columns;            // names of the table so far, each ended by \n
    int32_t widths[TABLE_COLUMNS_MAX];
    bool screen; // wait for a key after each page
    bool stopped;
    bool opened; // the array of JSON
} Run;

static void tell_notes(const Json *doc) {
    const Json *notes = json_get(doc, STR("notes"));
    for (int32_t i = 0; notes && notes->type == JSON_ARRAY && i < notes->count; i++) {
        Buf clean = {0};
        bool told = false;
        for (int32_t k = 0; k < i; k++) told = told || str_eq(notes->items[k].raw, notes->items[i].raw);
        if (notes->items[i].type == JSON_STRING && !told) text_clean(notes->items[i].s, &clean);
        if (clean.n) note("note: %.*s", STR_ARG(buf_str(&clean)));
        buf_free(&clean);
    }
}

static int64_t page_size(const Run *r) {
    int32_t columns, rows;
    int64_t size = r->ask->page_size, left = r->ask->limit ? r->ask->limit - r->count : INT64_MAX;
    if (!size && r->screen) {
        term_size(STDOUT_FILENO, &columns, &rows);
        size = rows - 4 < PAGE_LEAST ? PAGE_LEAST : rows - 4; // title, rule, hint, prompt
    }
    if (!size || size > PAGE_MOST) size = PAGE_MOST;
    return size < left ? size : left;
}

// The next page into r->page.
static Err fetch(Run *r) {
    Client *c = r->ask->client;
    Page *p = &r->page;
    Buf body = {0};
    buf_str_put(&body, STR("{\"query\":"));
    json_put_str(&body, r->text);
    if (r->ask->explain) buf_str_put(&body, STR(",\"explain\":true"));
    else if (!p->token.n) buf_str_put(&body, STR(",\"columns\":true"));
    if (p->token.n) buf_str_put(&body, STR(",\"continuationToken\":"));
    if (p->token.n) json_put_str(&body, p->token);
    buf_byte(&body, '}');
    client_reset(c);
    Call call = {.method = "POST", .path = client_path(c, "/query", NULL), .body = buf_str(&body)};
    call.page_size = page_size(r);
    int64_t start = time_mono_ns();
    Err err = client_call(c, &call);
    r->time_ns += time_mono_ns() - start;
    buf_free(&body);
    if (err != ERR_OK) return tell_failure(c, r->text, err);
    arena_reset(&p->keep);
    if (json_parse(arena_str(&p->keep, buf_str(&c->body)), NULL, &p->keep, &p->doc, NULL) != ERR_OK) {
        return client_json(c, &p->doc); // tells
    }
    const Json *token = json_get(&p->doc, STR("continuationToken"));
    p->token = token && token->type == JSON_STRING ? token->s : (Str){0};
    p->rows = json_get(&p->doc, STR("value"));
    if (p->rows && p->rows->type != JSON_ARRAY) p->rows = NULL;
    return ERR_OK;
}

static Str unit_of(void *ctx, Str model, Str path) {
    Ask *a = ctx;
    return units_of(&a->units, a->client, model, path);
}

static bool same_columns(Run *r) {
    Buf names = {0};
    for (int32_t i = 0; i < r->grid.column_count; i++) {
        buf_str_put(&names, r->grid.columns[r->grid.order[i]].name);
        buf_byte(&names, '\n');
    }
    bool same = str_eq(buf_str(&names), buf_str(&r->columns));
    buf_free(&r->columns);
    r->columns = names;
    return same;
}

// The page as a table below the one before, with a title of its own when columns came, left or grew. False when it does
// not fit into the width.
static bool print_as_table(Run *r, int32_t width, Buf *out) {
    Column columns[TABLE_COLUMNS_MAX];
    int32_t widths[TABLE_COLUMNS_MAX];
    if (!r->grid.column_count || r->grid.column_count > TABLE_COLUMNS_MAX) return false;
    bool goes_on = r->columns.n > 0, same = same_columns(r);
    Table t;
    grid_table(&r->grid, &t, columns);
    bool fits = table_widths(&t, width, same ? r->widths : NULL, widths) <= width || !width;
    if (fits) {
        size_t size = sizeof *widths * (size_t)r->grid.column_count;
        bool grew = width && memcmp(widths, r->widths, size) != 0;
        memcpy(r->widths, widths, size);
        if (goes_on && (!same || grew)) buf_byte(out, '\n');
        TablePrint how = {.width = width, .colour = term_colour(STDOUT_FILENO), .widths = widths};
        how.no_header = same && !grew;
        table_print(&t, &how, out);
    } else {
        buf_reset(&r->columns);
    }
    table_free(&t);
    return fits;
}

static Err print_table(Run *r) {
    int32_t width = 0, rows;
    Buf out = {0};
    if (term_is_tty(STDOUT_FILENO)) term_size(STDOUT_FILENO, &width, &rows);
    grid_units(&r->grid, unit_of, r->ask, UNIT_MODELS_MAX);
    if (!print_as_table(r, width, &out)) {
        if (r->count) buf_byte(&out, '\n');
        grid_records(&r->grid, r->count + 1, width, term_colour(STDOUT_FILENO), &out);
    }
    Err err = out.full ? tell(ERR_LIMIT, "the page is too long: use --page-size") : say(buf_str(&out));
    buf_free(&out);
    return err;
}

static Err print_json(Run *r, int64_t n) {
    bool array = r->ask->form == ASK_JSON;
    Buf out = {0};
    if (array && !r->opened) buf_byte(&out, '[');
    r->opened = true;
    for (int64_t i = 0; i < n; i++) {
        if (array && r->count + i) buf_str_put(&out, STR(",\n"));
        buf_str_put(&out, r->page.rows->items[i].raw);
        if (!array) buf_byte(&out, '\n');
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

// What SELECT names stands in its order, also where no row has a value.
static void put_named(Run *r) {
    for (int32_t i = 0; i < r->named.count; i++) {
        if (r->named.items[i].type == JSON_STRING) grid_column(&r->grid, r->named.items[i].s);
    }
}

static Err print_page(Run *r) {
    int64_t n = r->page.rows ? r->page.rows->count : 0;
    if (r->ask->limit && n > r->ask->limit - r->count) n = r->ask->limit - r->count;
    Err err = ERR_OK;
    if (r->ask->form == ASK_JSON || r->ask->form == ASK_NDJSON) {
        err = print_json(r, n);
    } else {
        if (r->ask->form == ASK_TABLE) grid_reset(&r->grid);
        if (!r->grid.column_count) put_named(r);
        for (int64_t i = 0; i < n && err == ERR_OK; i++) {
            if (grid_add(&r->grid, &r->page.rows->items[i]) && r->grid.keep.used < CSV_BYTES_MAX) continue;
            err = tell(ERR_LIMIT, "too many rows for --csv, which has to see them all first: use --ndjson");
        }
        if (err == ERR_OK && r->ask->form == ASK_TABLE && n) err = print_table(r);
    }
    r->count += n;
    return err;
}

// ---- a whole question ---------------------------------------------------------------------------------------------

// Append a line; what is wider than the terminal goes on below, from column `indent` on.
static void put_wrapped(Str line, int32_t indent, int32_t width, Buf *out) {
    Buf clean = {0};
    text_clean(line, &clean);
    Str rest = buf_str(&clean);
    bool first = true;
    while (rest.n) {
        int64_t n = rest.n, room = width - (first ? 0 : indent);
        if (width > indent + 20 && text_width(rest) > room) {
            n = bytes_of(rest, room);
            while (n > room / 2 && rest.p[n - 1] != ' ') n--;
        }
        buf_printf(out, "%*s%.*s\n", first ? 0 : (int)indent, "", STR_ARG(str_sub(rest, 0, n)));
        rest = str_sub(rest, n, rest.n);
        first = false;
    }
    buf_free(&clean);
}

static void put_plan_text(Str text, Buf *out) {
    int32_t width = 0, rows;
    if (term_is_tty(STDOUT_FILENO)) term_size(STDOUT_FILENO, &width, &rows);
    int64_t detail = str_find_str(text, STR("detail")), line = str_find(text, '\n', 0);
    int32_t indent = detail > 0 && detail < line ? (int32_t)detail : 4;
    while (text.n) put_wrapped(str_cut(&text, '\n'), indent, width, out);
}

static Err print_plan(Run *r, const Json *plan) {
    const Json *text = json_get(plan, STR("text"));
    Buf out = {0};
    if (r->ask->form == ASK_JSON || !text || text->type != JSON_STRING) {
        buf_str_put(&out, plan->raw);
        buf_byte(&out, '\n');
    } else {
        put_plan_text(text->s, &out);
    }
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

// Ask whether to go on; true: yes. Interrupted: as "no".
static bool more(Run *r) {
    static const char text[] = "-- more: Enter, a for all, q to stop --";
    bool colour = term_colour(STDOUT_FILENO);
    Buf b = {0};
    buf_printf(&b, "%s%s%s", style_on(STYLE_DIM, colour), text, style_off(STYLE_DIM, colour));
    Err err = say(buf_str(&b));
    buf_free(&b);
    int key = err == ERR_OK ? term_wait_key() : 0;
    if (key == 'a') r->screen = false;
    return say(STR("\r\x1b[K")) == ERR_OK && key != 0 && key != 'q' && key != 'Q' && key != 3 && key != 4;
}

static Err finish(Run *r) {
    if (r->ask->form == ASK_JSON) return say(STR("]\n"));
    if (r->ask->form != ASK_CSV) return ERR_OK;
    Buf out = {0};
    grid_csv(&r->grid, true, &out);
    Err err = out.full ? tell(ERR_LIMIT, "too much for --csv: use --ndjson") : say(buf_str(&out));
    buf_free(&out);
    return err;
}

void ask_time(int64_t ns, Buf *out) {
    double ms = (double)ns / 1e6;
    if (ms < 9.95) buf_printf(out, "%.1f ms", ms);
    else if (ms < 999.5) buf_printf(out, "%.0f ms", ms);
    else buf_printf(out, "%.2f s", ms / 1e3);
}

static void tell_end(const Run *r) {
    if (r->ask->form != ASK_TABLE || r->ask->quiet) return;
    Buf b = {0};
    if (r->count) text_count(r->count, &b);
    else buf_str_put(&b, STR("no"));
    buf_str_put(&b, r->count == 1 ? STR(" row in ") : STR(" rows in "));
    ask_time(r->time_ns, &b);
    if (r->page.token.n) buf_str_put(&b, r->stopped ? STR(", and there are more") : STR("; see more with --limit"));
    note("%.*s", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

// With the first page; other servers do not tell.
static void learn_columns(Run *r) {
    const Json *names = json_get(&r->page.doc, STR("columns"));
    if (!names || json_parse(arena_str(&r->kept, names->raw), NULL, &r->kept, &r->named, NULL) != ERR_OK) return;
    if (r->named.type != JSON_ARRAY) r->named = (Json){0};
}

static Err run_pages(Run *r) {
    for (bool first = true;; first = false) {
        TRY(fetch(r));
        if (first) tell_notes(&r->page.doc);
        if (first) learn_columns(r);
        const Json *plan = json_get(&r->page.doc, STR("plan"));
        if (plan && plan->type == JSON_OBJECT) return print_plan(r, plan);
        if (!r->page.rows) return tell(ERR_SYNTAX, "the answer holds no rows: is it a Sosia server?");
        TRY(print_page(r));
        if (!r->page.token.n || (r->ask->limit && r->count >= r->ask->limit)) break;
        if (r->screen && !more(r)) {
            r->stopped = true;
            break;
        }
    }
    TRY(finish(r));
    tell_end(r);
    return ERR_OK;
}

Err ask_run(Ask *a, Str text) {
    Run r = {.ask = a, .text = text};
    bool eyes = a->form == ASK_TABLE && term_is_tty(STDOUT_FILENO) && term_is_tty(STDIN_FILENO);
    r.screen = eyes && !a->all;
    arena_init(&r.page.keep, 0);
    arena_init(&r.kept, 0);
    grid_init(&r.grid, a->form == ASK_CSV);
    Err err = run_pages(&r);
    if (err != ERR_OK && a->form == ASK_JSON && r.opened) {
        Err ignored = say(STR("\n")); // the array stays open: whoever reads it sees that it is not whole
        (void)ignored;
    }
    buf_free(&r.columns);
    grid_free(&r.grid);
    arena_free(&r.page.keep);
    arena_free(&r.kept);
    return err;
}

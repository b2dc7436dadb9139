// SPDX-License-Identifier: Apache-2.0
// Two steps a record. First find its end: the first LF outside quotes; the search keeps its place between chunks, so
// that small chunks cost no second look. Then split it, when it lies in one piece.
#include "codec/csv.h"
#include "base/check.h"
#include "base/mem.h"

#define BOM STR("\xEF\xBB\xBF")

void csv_reader_init(CsvReader *r, const CsvOptions *options) {
    *r = (CsvReader){.options = options ? *options : (CsvOptions){0}, .next_line = 1};
    if (!r->options.separator) r->options.separator = ',';
    if (r->options.fields_max <= 0) r->options.fields_max = CSV_FIELDS_MAX;
    if (r->options.record_max <= 0) r->options.record_max = CSV_RECORD_MAX;
    CHECK(r->options.separator != '"' && r->options.separator != '\n' && r->options.separator != '\r');
}

void csv_reader_free(CsvReader *r) {
    buf_free(&r->carry);
    buf_free(&r->unquoted);
    mem_free(r->fields);
    *r = (CsvReader){.options = r->options};
}

static CsvGot bad(CsvReader *r, Err e, const char *why) {
    r->err = e;
    r->why = why;
    return CSV_BAD;
}

// What was fed is read but for the start of a record: keep that, the chunk is the caller's again.
static CsvGot more(CsvReader *r) {
    int64_t left = r->in.n - r->at;
    if (r->in.p == r->carry.p) {
        if (r->at) memmove(r->carry.p, r->carry.p + r->at, (size_t)left);
        r->carry.n = left;
    } else {
        buf_reset(&r->carry);
        buf_put(&r->carry, r->in.p + r->at, left);
    }
    r->in = buf_str(&r->carry);
    r->scan -= r->at;
    r->at = 0;
    return CSV_MORE;
}

void csv_reader_feed(CsvReader *r, Str chunk, bool last) {
    CHECK(!r->last);
    CHECK(r->at == 0);
    r->last = last;
    if (r->in.n == 0) {
        r->in = chunk;
        return;
    }
    buf_str_put(&r->carry, chunk);
    r->in = buf_str(&r->carry);
    if (r->carry.full) bad(r, ERR_LIMIT, "out of memory");
}

// Offset of the LF behind the current record; -1: not in what was fed.
static int64_t find_end(CsvReader *r) {
    int64_t line_end = -1;
    while (r->scan < r->in.n) {
        if (r->quote_open) {
            int64_t quote = str_find(r->in, '"', r->scan);
            r->scan = quote < 0 ? r->in.n : quote + 1;
            r->quote_open = quote < 0;
            continue;
        }
        if (line_end < r->scan) line_end = str_find(r->in, '\n', r->scan);
        int64_t stop = line_end < 0 ? r->in.n : line_end;
        int64_t quote = str_find(str_sub(r->in, 0, stop), '"', r->scan);
        if (quote < 0) {
            r->scan = stop;
            return line_end;
        }
        r->quotes_seen = r->quote_open = true;
        r->scan = quote + 1;
    }
    return -1;
}

static bool push_field(CsvReader *r, int32_t *count, Str field) {
    if (*count == r->options.fields_max) return false;
    if (*count == r->fields_cap) {
        r->fields_cap = r->fields_cap ? r->fields_cap * 2 : 32;
        r->fields = mem_grow(r->fields, (size_t)r->fields_cap * sizeof *r->fields);
    }
    r->fields[(*count)++] = field;
    return true;
}

// A quoted field; *at is behind the opening quote and comes to lie behind the closing one. False: not closed.
static bool quoted(CsvReader *r, Str text, int64_t *at, Str *field) {
    int64_t from = *at, quote, kept = r->unquoted.n;
    bool doubled = false;
    for (;; doubled = true) {
        quote = str_find(text, '"', *at);
        if (quote < 0) return false;
        *at = quote + 1;
        if (*at == text.n || text.p[*at] != '"') break;
        buf_put(&r->unquoted, text.p + from, quote + 1 - from); // with one of the two
        from = ++*at;
    }
    *field = str_sub(text, from, quote);
    if (!doubled) return true;
    buf_str_put(&r->unquoted, *field);
    *field = (Str){r->unquoted.p + kept, r->unquoted.n - kept};
    return true;
}

// The fields of one record. Text is without its line end.
static CsvGot split(CsvReader *r, Str text, int32_t *count) {
    const char sep = r->options.separator;
    buf_reset(&r->unquoted);
    if (r->quotes_seen && !buf_reserve(&r->unquoted, text.n)) return bad(r, ERR_LIMIT, "out of memory"); // never moves
    for (int64_t at = 0;; at++) {
        Str field;
        if (at < text.n && text.p[at] == '"') {
            at++;
            if (!quoted(r, text, &at, &field)) return bad(r, ERR_SYNTAX, "a quote is never closed");
            if (at < text.n && text.p[at] != sep) return bad(r, ERR_SYNTAX, "text follows a closing quote");
        } else {
            int64_t end = str_find(text, sep, at);
            field = str_sub(text, at, end < 0 ? text.n : end);
            at += field.n;
            if (r->quotes_seen && str_find(field, '"', 0) >= 0) {
                return bad(r, ERR_SYNTAX, "a quote stands inside a field that does not start with one");
            }
        }
        if (!push_field(r, count, field)) return bad(r, ERR_LIMIT, "a record has too many fields");
        if (at == text.n) return CSV_ROW;
    }
}

static int64_t count_lines(Str s) {
    int64_t n = 0;
    for (int64_t at = str_find(s, '\n', 0); at >= 0; at = str_find(s, '\n', at + 1)) n++;
    return n;
}

// Take the current record, whose LF is at `end` (the end of input when it has none); at comes to lie behind it.
static Str take(CsvReader *r, int64_t end) {
    Str text = str_sub(r->in, r->at, end);
    r->line = r->next_line;
    r->next_line += 1 + (r->quotes_seen ? count_lines(text) : 0);
    r->at = r->scan = end < r->in.n ? end + 1 : end;
    if (r->line == 1 && str_starts(text, BOM)) text = str_sub(text, BOM.n, text.n);
    if (text.n && text.p[text.n - 1] == '\r') text.n--;
    return text;
}

CsvGot csv_reader_next(CsvReader *r, CsvRow *row) {
    while (r->err != ERR_LIMIT) {
        int64_t end = find_end(r);
        if (r->scan - r->at > r->options.record_max) {
            r->line = r->next_line;
            return bad(r, ERR_LIMIT, "a record is too long");
        }
        if (end < 0 && !r->last) return more(r);
        if (end < 0 && r->at == r->in.n) return CSV_END;
        bool open = r->quote_open;
        Str text = take(r, end < 0 ? r->in.n : end);
        int32_t count = 0;
        CsvGot got = CSV_ROW;
        if (open) got = bad(r, ERR_SYNTAX, "a quote is never closed");
        else if (text.n && !str_utf8_ok(text)) got = bad(r, ERR_SYNTAX, "the text is not valid UTF-8");
        else if (text.n) got = split(r, text, &count);
        r->quote_open = r->quotes_seen = false;
        if (got == CSV_BAD) return got;
        if (count == 0) continue; // an empty line
        if (!r->columns) r->columns = count;
        *row = (CsvRow){r->fields, count, r->line};
        return count == r->columns ? CSV_ROW : CSV_RAGGED;
    }
    return CSV_BAD;
}

char csv_guess_separator(Str head) {
    static const char candidates[] = {',', ';', '\t', '|'};
    int64_t best = 0, seen[sizeof candidates] = {0};
    bool open = false;
    char found = ',';
    for (int64_t i = 0; i < head.n && (open || head.p[i] != '\n'); i++) {
        if (head.p[i] == '"') open = !open;
        for (size_t k = 0; k < sizeof candidates && !open; k++) seen[k] += head.p[i] == candidates[k];
    }
    for (size_t k = 0; k < sizeof candidates; k++) {
        if (seen[k] > best) best = seen[k], found = candidates[k];
    }
    return found;
}

// Empty fields are quoted too: a row of one empty field is not an empty line.
static bool needs_quotes(Str f, char separator) {
    for (int64_t i = 0; i < f.n; i++) {
        char c = f.p[i];
        if (c == separator || c == '"' || c == '\n' || c == '\r') return true;
    }
    return f.n == 0 || str_starts(f, BOM);
}

void csv_put_field(Buf *b, Str field, char separator) {
    if (!needs_quotes(field, separator)) {
        buf_str_put(b, field);
        return;
    }
    buf_byte(b, '"');
    for (int64_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"') buf_byte(b, '"');
        buf_byte(b, field.p[i]);
    }
    buf_byte(b, '"');
}

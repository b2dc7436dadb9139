// SPDX-License-Identifier: Apache-2.0
#include "cli/text.h"
#include <math.h>
#include <stdio.h>
#include "base/check.h"
#include "base/time.h"

typedef struct Range {
    uint32_t first, last;
} Range;

// Unicode 15 blocks that matter; ascending. Zero columns: combining marks, joiners, variation selectors.
static const Range zero_wide[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},   {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E},   {0x2060, 0x2064},
    {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0001, 0xE007F}, {0xE0100, 0xE01EF},
};
// Two columns: East Asian Wide and Fullwidth, emoji.
static const Range two_wide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x2614, 0x2615},   {0x26A1, 0x26A1},
    {0x2705, 0x2705},   {0x274C, 0x274C},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB},
    {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

static bool in_ranges(const Range *r, size_t n, uint32_t c) {
    for (size_t i = 0; i < n && r[i].first <= c; i++) {
        if (c <= r[i].last) return true;
    }
    return false;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static int32_t rune_width(uint32_t c) {
    if (c < 0x300) return 1;
    if (in_ranges(zero_wide, COUNT(zero_wide), c)) return 0;
    return in_ranges(two_wide, COUNT(two_wide), c) ? 2 : 1;
}

// The code point at s[0] and its length; broken bytes give U+FFFD and length 1.
static uint32_t rune_at(Str s, int32_t *n) {
    uint8_t c = (uint8_t)s.p[0];
    int32_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (size > s.n || !str_utf8_ok((Str){s.p, size})) {
        *n = 1;
        return 0xFFFD;
    }
    uint32_t v = size == 1 ? c : c & (0xFFu >> (size + 1));
    for (int32_t i = 1; i < size; i++) v = v << 6 | ((uint8_t)s.p[i] & 0x3F);
    *n = size;
    return v;
}

int32_t text_width(Str s) {
    int32_t width = 0;
    while (s.n) {
        int32_t n;
        width += rune_width(rune_at(s, &n));
        s = str_sub(s, n, s.n);
    }
    return width;
}

// Invisible marks that turn the writing direction: text that follows would be shown in another order than it is stored.
static bool turns(uint32_t c) {
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x61C;
}

void text_clean(Str s, Buf *out) {
    while (s.n) {
        int32_t n;
        uint32_t c = rune_at(s, &n);
        if (c == 0xFFFD) buf_str_put(out, STR("\xEF\xBF\xBD"));
        else if (c == '\n') buf_str_put(out, STR("\\n"));
        else if (c == '\t') buf_str_put(out, STR("\\t"));
        else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) buf_printf(out, "\\x%02x", (unsigned)c);
        else if (turns(c)) buf_printf(out, "\\u%04x", (unsigned)c);
        else buf_put(out, s.p, n);
        s = str_sub(s, n, s.n);
    }
}

void text_fit(Str s, int32_t width, Buf *out) {
    if (text_width(s) <= width) {
        buf_str_put(out, s);
        return;
    }
    int32_t at = 0;
    while (s.n && width > 0) {
        int32_t n, w = rune_width(rune_at(s, &n));
        if (at + w > width - 1) break;
        buf_put(out, s.p, n);
        at += w;
        s = str_sub(s, n, s.n);
    }
    if (width > 0) buf_str_put(out, STR("…"));
    for (at++; at < width; at++) buf_byte(out, ' ');
}

const char *style_on(Style style, bool colour) {
    static const char *const on[] = {"", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"};
    return colour ? on[style] : "";
}

const char *style_off(Style style, bool colour) { return colour && style != STYLE_PLAIN ? "\x1b[0m" : ""; }

void text_age(int64_t ns, Buf *out) {
    int64_t s = (ns < 0 ? -ns : ns) / NS_PER_S;
    if (s == 0) {
        buf_str_put(out, STR("now"));
        return;
    }
    if (ns < 0) buf_str_put(out, STR("in "));
    if (s < 120) buf_printf(out, "%lld s", (long long)s);
    else if (s < 120 * 60) buf_printf(out, "%lld min", (long long)(s / 60));
    else if (s < 48 * 3600) buf_printf(out, "%lld h", (long long)(s / 3600));
    else buf_printf(out, "%lld d", (long long)(s / 86400));
}

void text_clock(int64_t ns, Buf *out) {
    int64_t s = ns < 0 ? 0 : (ns + NS_PER_S / 2) / NS_PER_S;
    if (s >= 3600) buf_printf(out, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else buf_printf(out, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

void text_count(int64_t n, Buf *out) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-') buf_byte(out, ' ');
        buf_byte(out, digits[i]);
    }
}

void text_short(double v, Buf *out) {
    static const char *const units[] = {"", " k", " M", " G", " T"};
    int u = 0;
    double a = fabs(v);
    while (a >= 999.5 && u < 4) a /= 1000, u++;
    int digits = u == 0 ? (a == floor(a) || a >= 100 ? 0 : 1) : a < 9.995 ? 2 : a < 99.95 ? 1 : 0;
    buf_printf(out, "%s%.*f%s", v < 0 ? "-" : "", digits, a, units[u]);
}

// ---- tables -------------------------------------------------------------------------------------------------------

#define GAP 2        // blanks between columns
#define FLEX_LEAST 8 // a flexible column is not cut below this

void table_init(Table *t, const Column *columns, int32_t column_count) {
    CHECK(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
    *t = (Table){.columns = columns, .column_count = column_count};
    arena_init(&t->keep, 0);
}

void table_put(Table *t, Style style, Str text) {
    Buf clean = {0};
    text_clean(text, &clean);
    Cell cell = {.text = arena_str(&t->keep, buf_str(&clean)), .style = style};
    cell.width = text_width(cell.text);
    buf_free(&clean);
    buf_put(&t->store, &cell, (int64_t)sizeof cell);
    CHECK(!t->store.full);
    t->cells = (Cell *)(void *)t->store.p;
    t->count++;
}

void table_printf(Table *t, Style style, const char *fmt, ...) {
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    table_put(t, style, buf_str(&b));
    buf_free(&b);
}

int64_t table_rows(const Table *t) { return t->count / t->column_count; }

int32_t table_widths(const Table *t, int32_t max, const int32_t *least, int32_t *widths) {
    int32_t total = (t->column_count - 1) * GAP;
    for (int32_t c = 0; c < t->column_count; c++) {
        widths[c] = text_width(str_of(t->columns[c].title));
        if (least && least[c] > widths[c]) widths[c] = least[c];
    }
    for (int64_t i = 0; i < t->count; i++) {
        int32_t *w = &widths[i % t->column_count];
        if (t->cells[i].width > *w) *w = t->cells[i].width;
    }
    for (int32_t c = 0; c < t->column_count; c++) total += widths[c];
    while (max > 0 && total > max) { // take from the widest flexible column, one column at a time: tables are small
        int32_t widest = -1;
        for (int32_t c = 0; c < t->column_count; c++) {
            if (!t->columns[c].flexible || widths[c] <= FLEX_LEAST) continue;
            if (widest < 0 || widths[c] > widths[widest]) widest = c;
        }
        if (widest < 0) break;
        widths[widest]--;
        total--;
    }
    return total;
}

bool table_fits(const Table *t, int32_t width) {
    int32_t widths[TABLE_COLUMNS_MAX];
    return table_widths(t, width, NULL, widths) <= width;
}

static void print_cell(Str text, int32_t width, int32_t room, bool right, bool last, Style style, bool colour,
                       Buf *out) {
    int32_t pad = room > width ? room - width : 0;
    if (right && pad) buf_printf(out, "%*s", pad, "");
    buf_printf(out, "%s", style_on(style, colour));
    text_fit(text, room, out);
    buf_printf(out, "%s", style_off(style, colour));
    if (!last) buf_printf(out, "%*s", (right ? 0 : pad) + GAP, "");
}

static void print_header(const Table *t, const int32_t *widths, bool colour, Buf *out) {
    for (int32_t c = 0; c < t->column_count; c++) {
        Str title = str_of(t->columns[c].title);
        print_cell(title, text_width(title), widths[c], t->columns[c].right, c + 1 == t->column_count, STYLE_BOLD,
                   colour, out);
    }
    buf_byte(out, '\n');
    buf_printf(out, "%s", style_on(STYLE_DIM, colour));
    for (int32_t c = 0; c < t->column_count; c++) {
        for (int32_t i = 0; i < widths[c]; i++) buf_str_put(out, STR("─"));
        if (c + 1 < t->column_count) buf_printf(out, "%*s", GAP, "");
    }
    buf_printf(out, "%s\n", style_off(STYLE_DIM, colour));
}

void table_print(const Table *t, const TablePrint *how, Buf *out) {
    int32_t own[TABLE_COLUMNS_MAX];
    const int32_t *widths = how->widths ? how->widths : own;
    if (!how->widths) table_widths(t, how->width, NULL, own);
    if (!how->no_header) print_header(t, widths, how->colour, out);
    int64_t rows = table_rows(t), end = how->rows ? how->first + how->rows : rows;
    if (end > rows) end = rows;
    for (int64_t r = how->first; r < end; r++) {
        for (int32_t c = 0; c < t->column_count; c++) {
            const Cell *cell = &t->cells[r * t->column_count + c];
            print_cell(cell->text, cell->width, widths[c], t->columns[c].right, c + 1 == t->column_count, cell->style,
                       how->colour, out);
        }
        while (out->n && out->p[out->n - 1] == ' ') out->n--; // empty cells at the end
        buf_byte(out, '\n');
    }
}

void table_reset(Table *t) {
    arena_reset(&t->keep);
    buf_reset(&t->store);
    t->count = 0;
}

void table_free(Table *t) {
    arena_free(&t->keep);
    buf_free(&t->store);
    t->count = 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/shell_line.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>
#include "base/mem.h"
#include "cli/hist.h"
#include "cli/term.h"
#include "cli/text.h"
#if SOSIA_LIBEDIT
#include <histedit.h>
#endif

#define LINE_BYTES_MAX 65536
#define SHOWN_MAX 200 // candidates listed below the line

struct LineIn {
    LineCompleteFn complete;
    void *ctx;
    Buf line; // plain reading; also the text handed out
    Buf last; // newest statement of the history
    Str prompt;
    bool end;
#if SOSIA_LIBEDIT
    EditLine *edit; // NULL: no terminal
    History *history;
    Buf prompt_z;
    locale_t utf8, locale; // ours, the one before
#endif
};

// ---- bytes from stdin, without losing a Ctrl-C --------------------------------------------------------------------

// One byte; -1 at the end of input or when a signal came.
static int read_byte(void) {
    unsigned char c;
    for (;;) {
        if (term_interrupted()) return -1;
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&p, 1, 500) <= 0) continue; // a signal may land just before the wait
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n == 1) return c;
        if (n == 0 || errno != EINTR) return -1;
    }
}

static Err read_plain(LineIn *in) {
    Err ignored = term_write(STDOUT_FILENO, in->prompt);
    (void)ignored; // who reads nothing can still be answered by what follows
    int c;
    while ((c = read_byte()) >= 0 && c != '\n') {
        if (in->line.n < LINE_BYTES_MAX) buf_byte(&in->line, (char)c);
    }
    return c < 0 && in->line.n == 0 ? ERR_CLOSED : ERR_OK;
}

// ---- libedit ------------------------------------------------------------------------------------------------------

#if SOSIA_LIBEDIT

static char *prompt_of(EditLine *e) {
    LineIn *in;
    el_get(e, EL_CLIENTDATA, &in);
    return in->prompt_z.p;
}

// A wide character from UTF-8; broken bytes are dropped. 1: one; 0: end of input; -1: a signal came.
static int read_rune(EditLine *e, wchar_t *out) {
    LineIn *in;
    el_get(e, EL_CLIENTDATA, &in);
    for (;;) {
        char b[4];
        int c = read_byte(), size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        if (c < 0) {
            in->end = term_interrupted() == 0;
            return in->end ? 0 : -1;
        }
        b[0] = (char)c;
        for (int i = 1; i < size; i++) {
            if ((c = read_byte()) < 0) return -1;
            b[i] = (char)c;
        }
        if (!str_utf8_ok((Str){b, size})) continue;
        uint32_t v = size == 1 ? (unsigned char)b[0] : (unsigned char)b[0] & (0xFFu >> (size + 1));
        for (int i = 1; i < size; i++) v = v << 6 | ((unsigned char)b[i] & 0x3F);
        *out = (wchar_t)v;
        return 1;
    }
}

// The candidates in columns below the line.
static void list_candidates(const Completion *c) {
    int32_t columns, rows, widest = 0;
    term_size(STDOUT_FILENO, &columns, &rows);
    int32_t n = c->count > SHOWN_MAX ? SHOWN_MAX : c->count;
    for (int32_t i = 0; i < n; i++) {
        int32_t w = text_width(c->items[i]);
        if (w > widest) widest = w;
    }
    int32_t across = columns / (widest + 2) > 0 ? columns / (widest + 2) : 1, down = (n + across - 1) / across;
    Buf out = {0};
    for (int32_t r = 0; r < down; r++) {
        buf_byte(&out, '\n');
        for (int32_t i = r; i < n; i += down) {
            text_clean(c->items[i], &out);
            if (i + down < n) buf_printf(&out, "%*s", widest + 2 - text_width(c->items[i]), "");
        }
    }
    if (n < c->count) buf_printf(&out, "\n... and %d more", (int)(c->count - n));
    buf_byte(&out, '\n');
    Err ignored = term_write(STDOUT_FILENO, buf_str(&out));
    (void)ignored;
    buf_free(&out);
}

static unsigned char complete_key(EditLine *e, wint_t key) {
    (void)key;
    LineIn *in;
    el_get(e, EL_CLIENTDATA, &in);
    if (!in->complete) return CC_ERROR;
    const LineInfo *line = el_line(e);
    Str text = {line->buffer, line->lastchar - line->buffer};
    int64_t at = line->cursor - line->buffer;
    Arena a;
    Completion c;
    arena_init(&a, 0);
    in->complete(in->ctx, &a, text, at, &c);
    Str typed = str_sub(text, c.from, at);
    unsigned char result = CC_ERROR;
    if (!str_eq(c.insert, typed)) {
        int32_t runes = 0; // el_deletestr counts characters
        for (int64_t i = 0; i < typed.n; i++) runes += ((unsigned char)typed.p[i] & 0xC0) != 0x80;
        if (runes) el_deletestr(e, runes);
        el_insertstr(e, arena_str(&a, c.insert).p);
        result = CC_REFRESH;
    } else if (c.count > 1) {
        list_candidates(&c);
        result = CC_REDISPLAY;
    }
    arena_free(&a);
    return result;
}

// libedit reads characters as the locale says: this thread's is one of UTF-8, whatever the environment has.
static void take_locale(LineIn *in) {
    in->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (in->utf8) in->locale = uselocale(in->utf8);
}

static void give_locale_back(LineIn *in) {
    if (!in->utf8) return;
    uselocale(in->locale);
    freelocale(in->utf8);
}

static void edit_open(LineIn *in) {
    HistEvent event;
    if (!term_is_tty(STDIN_FILENO) || !term_is_tty(STDOUT_FILENO)) return;
    take_locale(in);
    in->edit = el_init("sosia", stdin, stdout, stderr);
    if (!in->edit) return;
    in->history = history_init();
    history(in->history, &event, H_SETSIZE, HIST_LINES_MAX);
    history(in->history, &event, H_SETUNIQUE, 1);
    el_set(in->edit, EL_CLIENTDATA, in);
    el_set(in->edit, EL_PROMPT, prompt_of);
    el_set(in->edit, EL_HIST, history, in->history);
    el_set(in->edit, EL_EDITOR, "emacs");
    el_set(in->edit, EL_GETCFN, read_rune);
    el_wset(in->edit, EL_ADDFN, L"sosia-complete", L"complete names and words", complete_key); // el_set leaks copies
    el_set(in->edit, EL_BIND, "^I", "sosia-complete", NULL);
    el_set(in->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(in->edit, EL_BIND, "^W", "ed-delete-prev-word", NULL);
    el_source(in->edit, NULL); // ~/.editrc
}

static Err read_edited(LineIn *in) {
    int n = 0;
    el_resize(in->edit);
    buf_reset(&in->prompt_z);
    buf_str_put(&in->prompt_z, in->prompt);
    buf_byte(&in->prompt_z, 0);
    const char *line = el_gets(in->edit, &n);
    if (!line || n <= 0) return ERR_CLOSED;
    Str s = {line, n};
    if (str_ends(s, STR("\n"))) s.n--;
    buf_str_put(&in->line, s);
    return ERR_OK;
}

#endif

// ---- the face -----------------------------------------------------------------------------------------------------

LineIn *line_open(LineCompleteFn complete, void *ctx) {
    LineIn *in = mem_alloc(sizeof *in);
    *in = (LineIn){.complete = complete, .ctx = ctx};
#if SOSIA_LIBEDIT
    edit_open(in);
#endif
    return in;
}

void line_close(LineIn *in) {
#if SOSIA_LIBEDIT
    if (in->history) history_end(in->history);
    if (in->edit) el_end(in->edit);
    give_locale_back(in);
    buf_free(&in->prompt_z);
#endif
    buf_free(&in->line);
    buf_free(&in->last);
    mem_free(in);
}

bool line_edits(const LineIn *in) {
#if SOSIA_LIBEDIT
    return in->edit != NULL;
#else
    (void)in;
    return false;
#endif
}

Err line_read(LineIn *in, Str prompt, Str *out) {
    buf_reset(&in->line);
    in->prompt = prompt;
    Err err;
#if SOSIA_LIBEDIT
    err = in->edit ? read_edited(in) : read_plain(in);
#else
    err = read_plain(in);
#endif
    if (term_interrupted() == SIGINT) {
        term_forget_interrupt();
        Err ignored = term_write(STDOUT_FILENO, STR("^C\n"));
        (void)ignored;
        return ERR_BUSY;
    }
    *out = buf_str(&in->line);
    return term_interrupted() ? ERR_CLOSED : err;
}

void line_remember(LineIn *in, Str statement) {
    if (!statement.n || str_eq(statement, buf_str(&in->last))) return;
    buf_reset(&in->last);
    buf_str_put(&in->last, statement);
#if SOSIA_LIBEDIT
    HistEvent event;
    if (!in->history) return;
    buf_byte(&in->last, 0);
    history(in->history, &event, H_ENTER, in->last.p);
    in->last.n--;
#endif
}

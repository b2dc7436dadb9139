// SPDX-License-Identifier: Apache-2.0
// The terminal and the process around a command: colour and size, progress line, raw keys, Ctrl-C. One thread (the
// command's); the interrupt flag is set by signal handlers.
#pragma once
#include "base/buf.h"
#include "base/err.h"

// Colour makes sense on this file descriptor: a terminal, NO_COLOR unset or empty (no-color.org), TERM not "dumb".
bool term_colour(int fd);
bool term_is_tty(int fd);
// Columns and rows of the terminal on fd; 80 x 24 when it is none. COLUMNS overrides the columns.
void term_size(int fd, int32_t *columns, int32_t *rows);
// Write all bytes; ERR_IO when the reader is gone (the caller stops quietly).
MUST Err term_write(int fd, Str text);

// From now on SIGINT, SIGTERM and SIGHUP only set a flag and interrupt system calls; SIGPIPE is ignored.
void term_catch_signals(void);
// The signal that came, or 0.
int term_interrupted(void);
// Forget the signal, so that the next one tells something new: after an interrupted line or question.
void term_forget_interrupt(void);
// Sleep up to ns; false as soon as a signal came.
bool term_sleep(int64_t ns);

// ---- progress -----------------------------------------------------------------------------------------------------

// One line on stderr that is drawn over itself: bar, count, rate, time left. Silent when stderr is no terminal.
typedef struct Progress {
    const char *what; // "twins"
    int64_t total;    // 0: unknown, no bar
    int64_t start_ns, drawn_ns;
    bool on;
} Progress;

// Start. quiet: never draw.
void progress_begin(Progress *p, const char *what, int64_t total, bool quiet);
// Draw, at most ten times a second.
void progress_at(Progress *p, int64_t done);
// Take the line away.
void progress_end(Progress *p);
// Append what progress_at would draw: for tests. elapsed_ns since the start.
void progress_line(const Progress *p, int64_t done, int64_t elapsed_ns, int32_t columns, Buf *out);

// ---- keys ---------------------------------------------------------------------------------------------------------

typedef enum Key { KEY_NONE, KEY_UP, KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME, KEY_END } Key;

// Alternate screen, no echo, no line editing, no cursor; the state before is kept for term_screen_end. False when
// stdin or stdout is no terminal.
bool term_screen_begin(void);
void term_screen_end(void);
// The next key without waiting: a printable byte, a Key + 256, or 0.
int term_key(void);
// Wait for one key on stdin without echo, outside the screen above: a byte, or 0 when a signal came or stdin ended.
int term_wait_key(void);

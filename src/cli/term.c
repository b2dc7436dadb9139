// SPDX-License-Identifier: Apache-2.0
#include "cli/term.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/time.h"
#include "cli/text.h"

bool term_is_tty(int fd) { return isatty(fd) == 1; }

bool term_colour(int fd) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (no && *no) return false;
    if (!term || !*term || str_eq(str_of(term), STR("dumb"))) return false;
    return term_is_tty(fd);
}

void term_size(int fd, int32_t *columns, int32_t *rows) {
    struct winsize w = {0};
    *columns = 80, *rows = 24;
    if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) *columns = w.ws_col, *rows = w.ws_row;
    int64_t n;
    if (str_to_i64(str_of(getenv("COLUMNS")), &n) && n >= 20 && n <= 1000) *columns = (int32_t)n;
}

Err term_write(int fd, Str text) {
    while (text.n) {
        ssize_t n = write(fd, text.p, (size_t)text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
            continue;
        }
        if (n <= 0) return ERR_IO;
        text = str_sub(text, n, text.n);
    }
    return ERR_OK;
}

static volatile sig_atomic_t caught;

static void on_signal(int sig) { caught = sig; }

void term_catch_signals(void) {
    struct sigaction catch = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&catch.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGINT, &catch, NULL);
    sigaction(SIGTERM, &catch, NULL);
    sigaction(SIGHUP, &catch, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int term_interrupted(void) { return caught; }

void term_forget_interrupt(void) { caught = 0; }

bool term_sleep(int64_t ns) {
    int64_t end = time_mono_ns() + ns;
    while (!caught) {
        int64_t left = end - time_mono_ns();
        if (left <= 0) return true;
        if (left > 50 * NS_PER_MS) left = 50 * NS_PER_MS; // a signal may land just before the wait
        poll(NULL, 0, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
    }
    return false;
}

// ---- progress -----------------------------------------------------------------------------------------------------

#define BAR_WIDTH 24
#define DRAW_EVERY_NS (100 * NS_PER_MS)

void progress_begin(Progress *p, const char *what, int64_t total, bool quiet) {
    *p = (Progress){.what = what, .total = total, .start_ns = time_mono_ns()};
    p->on = !quiet && term_is_tty(STDERR_FILENO);
}

void progress_line(const Progress *p, int64_t done, int64_t elapsed_ns, int32_t columns, Buf *out) {
    double seconds = (double)elapsed_ns / 1e9, rate = seconds > 0 ? (double)done / seconds : 0;
    Buf b = {0};
    if (p->total > 0) {
        int64_t eighths = done * BAR_WIDTH * 8 / p->total;
        static const char *const part[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
        int64_t cells = 0;
        for (; cells < eighths / 8; cells++) buf_str_put(&b, STR("█"));
        if (eighths % 8) buf_str_put(&b, str_of(part[eighths % 8])), cells++;
        for (; cells < BAR_WIDTH; cells++) buf_str_put(&b, STR("░"));
        buf_printf(&b, " %3lld %%  ", (long long)(done * 100 / p->total));
    }
    text_count(done, &b);
    if (p->total > 0) {
        buf_str_put(&b, STR(" of "));
        text_count(p->total, &b);
    }
    buf_printf(&b, " %s  ", p->what);
    text_short(rate, &b);
    buf_str_put(&b, STR("/s"));
    if (p->total > done && rate > 0) {
        buf_str_put(&b, STR("  "));
        text_clock((int64_t)((double)(p->total - done) / rate * 1e9), &b);
        buf_str_put(&b, STR(" left"));
    }
    text_fit(buf_str(&b), columns - 1, out);
    buf_free(&b);
}

void progress_at(Progress *p, int64_t done) {
    int64_t now = time_mono_ns();
    if (!p->on || now - p->drawn_ns < DRAW_EVERY_NS) return;
    p->drawn_ns = now;
    int32_t columns, rows;
    term_size(STDERR_FILENO, &columns, &rows);
    Buf b = {0};
    buf_byte(&b, '\r');
    progress_line(p, done, now - p->start_ns, columns, &b);
    buf_str_put(&b, STR("\x1b[K"));
    if (term_write(STDERR_FILENO, buf_str(&b)) != ERR_OK) p->on = false;
    buf_free(&b);
}

void progress_end(Progress *p) {
    if (p->on && p->drawn_ns && term_write(STDERR_FILENO, STR("\r\x1b[K")) != ERR_OK) p->on = false;
}

// ---- keys ---------------------------------------------------------------------------------------------------------

static struct termios before;
static bool in_screen;

bool term_screen_begin(void) {
    if (!term_is_tty(STDIN_FILENO) || !term_is_tty(STDOUT_FILENO)) return false;
    if (tcgetattr(STDIN_FILENO, &before) != 0) return false;
    struct termios raw = before;
    raw.c_lflag &= (tcflag_t) ~(ECHO | ICANON);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    in_screen = true;
    return term_write(STDOUT_FILENO, STR("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J")) == ERR_OK;
}

void term_screen_end(void) {
    if (!in_screen) return;
    in_screen = false;
    Err ignored = term_write(STDOUT_FILENO, STR("\x1b[?7h\x1b[?25h\x1b[?1049l"));
    (void)ignored; // the terminal may be gone; its mode still has to be put back
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

// The key of an escape sequence behind "ESC [".
static int sequence_key(const char *p, ssize_t n) {
    if (n < 1) return 0;
    switch (p[0]) {
    case 'A': return 256 + KEY_UP;
    case 'B': return 256 + KEY_DOWN;
    case 'H': return 256 + KEY_HOME;
    case 'F': return 256 + KEY_END;
    case '5': return 256 + KEY_PAGE_UP;
    case '6': return 256 + KEY_PAGE_DOWN;
    default: return 0;
    }
}

int term_key(void) {
    char keys[16];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n <= 0) return 0;
    if (keys[0] != 27) return (unsigned char)keys[0];
    return n > 2 && (keys[1] == '[' || keys[1] == 'O') ? sequence_key(keys + 2, n - 2) : 0;
}

int term_wait_key(void) {
    struct termios was, raw;
    if (tcgetattr(STDIN_FILENO, &was) != 0) return 0;
    raw = was;
    raw.c_lflag &= (tcflag_t) ~(ECHO | ICANON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    char key = 0;
    ssize_t n = 0;
    while (!caught) { // a signal may land just before the wait: look again twice a second
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&p, 1, 500) <= 0) continue;
        n = read(STDIN_FILENO, &key, 1);
        if (n >= 0 || errno != EINTR) break;
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &was);
    return n == 1 ? (unsigned char)key : 0;
}

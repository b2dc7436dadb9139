// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/term.h"
#include "codec/json.h"

const Opt common_opts[] = {
    OPT(Common, url, OPT_STR, 'u', "url", "URL", "the server (SOSIA_URL; http://127.0.0.1:7474)"),
    OPT(Common, token_file, OPT_STR, 0, "token-file", "FILE", "bearer token, first line of FILE (or SOSIA_TOKEN)"),
    OPT(Common, world, OPT_STR, 'w', "world", "NAME", "a fork, or the past (live@-1h), not the live world"),
    OPT(Common, ca_file, OPT_STR, 0, "ca", "FILE", "trust the certificates in FILE (https)"),
    OPT(Common, insecure, OPT_FLAG, 0, "insecure", NULL, "do not check the certificate (https)"),
    OPT(Common, json, OPT_FLAG, 'j', "json", NULL, "JSON for machines, errors too"),
    OPT_END,
};

static bool errors_as_json;

void tell_as_json(bool on) { errors_as_json = on; }

static void to_stderr(Buf *b) {
    Err ignored = term_write(STDERR_FILENO, buf_str(b));
    (void)ignored; // nobody left to tell
    buf_free(b);
}

Err tell(Err code, const char *fmt, ...) {
    Buf text = {0}, out = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (errors_as_json) {
        buf_printf(&out, "{\"error\":{\"code\":\"%s\",\"message\":", err_wire(code));
        json_put_str(&out, buf_str(&text));
        buf_str_put(&out, STR("}}\n"));
    } else {
        bool colour = term_colour(STDERR_FILENO);
        buf_printf(&out, "%ssosia:%s ", style_on(STYLE_RED, colour), style_off(STYLE_RED, colour));
        for (Str rest = buf_str(&text); rest.n;) { // lines stay lines, the rest is disarmed
            text_clean(str_cut(&rest, '\n'), &out);
            buf_byte(&out, '\n');
        }
    }
    buf_free(&text);
    to_stderr(&out);
    return code;
}

static void aside(const char *head, const char *fmt, va_list ap) {
    if (errors_as_json) return;
    bool colour = term_colour(STDERR_FILENO);
    Buf out = {0};
    buf_printf(&out, "%s%s", head, style_on(STYLE_DIM, colour));
    buf_vprintf(&out, fmt, ap);
    buf_printf(&out, "%s\n", style_off(STYLE_DIM, colour));
    to_stderr(&out);
}

void hint(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    aside("       ", fmt, ap);
    va_end(ap);
}

void note(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    aside("", fmt, ap);
    va_end(ap);
}

Err say(Str text) {
    Err err = term_write(STDOUT_FILENO, text);
    int error = errno;
    if (err != ERR_OK && error != EPIPE) tell(err, "cannot write the output: %s", strerrordesc_np(error));
    return err;
}

Err say_table(const Table *t) {
    Buf out = {0};
    TablePrint how = {.colour = term_colour(STDOUT_FILENO)};
    int32_t rows;
    if (term_is_tty(STDOUT_FILENO)) term_size(STDOUT_FILENO, &how.width, &rows);
    table_print(t, &how, &out);
    Err err = say(buf_str(&out));
    buf_free(&out);
    return err;
}

Err read_file(Str path, int64_t max, Buf *out) {
    char name[4096];
    bool in = str_eq(path, STR("-"));
    if (path.n == 0 || path.n >= (int64_t)sizeof name) return tell(ERR_ARGUMENT, "the file name is empty or too long");
    memcpy(name, path.p, (size_t)path.n);
    name[path.n] = 0;
    int fd = in ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tell(ERR_IO, "cannot open %s: %s", name, strerrordesc_np(errno));
    out->max = max + 1;
    ssize_t n = 0;
    do {
        if (!buf_reserve(out, 1 << 16)) break;
        n = read(fd, out->p + out->n, (size_t)(out->cap - out->n));
        if (n > 0) out->n += n;
    } while (n > 0 || (n < 0 && errno == EINTR && !term_interrupted()));
    int error = errno;
    if (!in) close(fd);
    if (out->full || out->n > max) return tell(ERR_LIMIT, "%s is larger than %lld bytes", name, (long long)max);
    if (n < 0) return tell(ERR_IO, "cannot read %s: %s", name, strerrordesc_np(error));
    return ERR_OK;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/buf.h"
#include "base/time.h"

typedef struct LogRow {
    const char *name, *text;
    LogLevel level;
} LogRow;

static const LogRow rows[] = {
#define LOG_EVENT(name, level, text) {#name, text, LOG_##level},
#include "base/log.def"
#undef LOG_EVENT
};

static LogSink log_sink; // set once before threads start
static void *log_ctx;
static LogLevel log_min;

void log_set_sink(LogSink sink, void *ctx, LogLevel min) {
    log_sink = sink;
    log_ctx = ctx;
    log_min = min;
}

void log_event(LogId id, ...) {
    if (!log_sink || rows[id].level < log_min) return;
    char text[1024];
    va_list ap;
    va_start(ap, id);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, rows[id].text, ap);
#pragma GCC diagnostic pop
    va_end(ap);
    log_sink(log_ctx, id, rows[id].level, rows[id].name, text);
}

void log_stderr(void *ctx, LogId id, LogLevel level, const char *name, const char *text) {
    static const char *const words[] = {"debug", "info", "warn", "error"};
    (void)ctx, (void)id;
    Buf line = {0};
    time_print(time_now_ns(), 3, &line);
    buf_printf(&line, " %s %s %s\n", words[level], name, text);
    fwrite(line.p, 1, (size_t)line.n, stderr);
    buf_free(&line);
}

// SPDX-License-Identifier: Apache-2.0
// Structured log: events are rows of log.def. The library prints nothing itself: whoever owns the process sets a sink.
// Any thread may log; the sink is set once before threads start and must be thread-safe.
#pragma once
#include <stdint.h>

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

typedef enum LogId {
#define LOG_EVENT(name, level, text) LOG_ID_##name,
#include "base/log.def"
#undef LOG_EVENT
    LOG_ID_COUNT
} LogId;

typedef void (*LogSink)(void *ctx, LogId id, LogLevel level, const char *name, const char *text);

// Where events go; NULL drops them. min: lowest level passed on.
void log_set_sink(LogSink sink, void *ctx, LogLevel min);
// A ready sink: one line "2026-11-22T08:00:00.123Z info LISTEN listening on ..." to stderr.
void log_stderr(void *ctx, LogId id, LogLevel level, const char *name, const char *text);
// Arguments follow the row's printf text.
void log_event(LogId id, ...);
#define LOG(name, ...) log_event(LOG_ID_##name, __VA_ARGS__)

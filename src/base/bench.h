// SPDX-License-Identifier: Apache-2.0
// Bench: how x_bench.c files report. One JSON line a figure on stdout: median, spread, goal, and a peer or a limit of
// the machine measured in the same run. Everything else a bench says goes to stderr. For benches only; one thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/time.h"

#define BENCH_ROUNDS_MAX 64

typedef struct Bench {
    const char *name; // "world.fork_2m"
    const char *unit; // "us", "M/s"
    double goal;      // 0: none
    bool less;        // smaller is better
    const char *peer; // what peer_value measures, NULL: nothing
    double peer_value;
    int rounds;
    double value[BENCH_ROUNDS_MAX];
} Bench;

// Order for qsort.
static int bench_by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Sort n values in place; returns the middle one.
static inline double bench_median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, bench_by_value);
    return v[n / 2];
}

// Add one round's figure; rounds beyond BENCH_ROUNDS_MAX are dropped.
static inline void bench_add(Bench *b, double value) {
    if (b->rounds < BENCH_ROUNDS_MAX) b->value[b->rounds++] = value;
}

// Print the line of the rounds added, and start over.
static inline void bench_print(Bench *b) {
    if (b->rounds == 0) return;
    double median = bench_median(b->value, b->rounds);
    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"min\":%.6g,\"max\":%.6g,\"rounds\":%d", b->name, median,
           b->unit, b->value[0], b->value[b->rounds - 1], b->rounds);
    if (b->goal > 0) printf(",\"goal\":%g,\"better\":\"%s\"", b->goal, b->less ? "less" : "more");
    if (b->peer) printf(",\"peer\":\"%s\",\"peer_value\":%.6g", b->peer, b->peer_value);
    printf("}\n");
    fflush(stdout);
    b->rounds = 0;
}

// Seconds since `since`, a time_mono_ns.
static inline double bench_seconds(int64_t since) { return (double)(time_mono_ns() - since) / 1e9; }

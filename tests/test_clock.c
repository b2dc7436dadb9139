// SPDX-License-Identifier: Apache-2.0
// For tests of what takes days, and for tools/hours: with this in LD_PRELOAD the wall clock of a process is
// SOSIA_CLOCK_AHEAD seconds ahead (less than 0: behind), for all that asks the C library. The monotonic clock is as it
// is.
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead_s;

__attribute__((constructor)) static void read_ahead(void) {
    const char *text = getenv("SOSIA_CLOCK_AHEAD");
    if (text) ahead_s = strtol(text, NULL, 10);
}

int clock_gettime(clockid_t id, struct timespec *t) {
    long err = syscall(SYS_clock_gettime, id, t);
    if (!err && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += ahead_s;
    return (int)err;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    *out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
    return 0;
}

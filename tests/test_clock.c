// SPDX-License-Identifier: Apache-2.0
// For tests of what takes days: with this in LD_PRELOAD the wall clock of a process is SOSIA_CLOCK_AHEAD seconds ahead.
// The monotonic clock is as it is.
#include <stdlib.h>
#include <sys/syscall.h>
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

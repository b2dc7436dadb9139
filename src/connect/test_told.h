// SPDX-License-Identifier: Apache-2.0
// For tests: the answer to one question to connections, kept and waited for.
#pragma once
#include <pthread.h>
#include "sosia/connect.h"

typedef struct Told {
    pthread_mutex_t lock; // guards the rest until `count` is seen
    pthread_cond_t done;
    int count, status; // count: answers so far
    SosiaErr err;
    int64_t retry;
    const char *said; // the message of an error without a body of its own, else the body
    char body[4096], message[1024];
} Told;

// No answer yet, before its first use.
void told_init(Told *t);
// A SosiaToldFn, arg: a Told.
void told_on(void *arg, const SosiaTold *told);
// Wait for the first answer.
void told_wait(Told *t);

// SPDX-License-Identifier: Apache-2.0
#include "connect/test_told.h"
#include <stdio.h>
#include <string.h>
#include "base/str.h"

void told_init(Told *t) {
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->done, NULL);
}

void told_on(void *arg, const SosiaTold *told) {
    Told *t = arg;
    pthread_mutex_lock(&t->lock);
    t->count++;
    t->err = told->err;
    t->status = told->status;
    t->retry = told->retry_after_s;
    snprintf(t->body, sizeof t->body, "%.*s", STR_ARG(told->body));
    snprintf(t->message, sizeof t->message, "%.*s", STR_ARG(told->message));
    t->said = told->err && !told->bare ? t->message : t->body;
    pthread_cond_broadcast(&t->done);
    pthread_mutex_unlock(&t->lock);
}

void told_wait(Told *t) {
    pthread_mutex_lock(&t->lock);
    while (!t->count) pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

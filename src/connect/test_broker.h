// SPDX-License-Identifier: Apache-2.0
// For tests and benches: a mosquitto of their own on a free port, with its files in a scratch folder. One thread.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

typedef struct Broker {
    pid_t pid;
    int port;
    char folder[64];
} Broker;

// Start one with these further lines of configuration ("" for none). False when mosquitto is not installed.
bool broker_open(Broker *b, const char *options);
// Send it a signal: SIGKILL, then broker_again; SIGSTOP and SIGCONT.
void broker_signal(Broker *b, int sig);
// Start it again on the same port after it ended.
void broker_again(Broker *b);
// Whether its log has this text.
bool broker_logged(const Broker *b, const char *text);
// End it and remove its files.
void broker_close(Broker *b);

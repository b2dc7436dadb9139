// SPDX-License-Identifier: Apache-2.0
#include "connect/test_broker.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/check.h"
#include "base/thread.h"
#include "base/time.h"

static const char *const places[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"};

static const char *program(void) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!access(places[i], X_OK)) return places[i];
    return NULL;
}

static struct sockaddr_in address(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
}

static int free_port(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = address(0);
    socklen_t size = sizeof sa;
    CHECK(fd >= 0);
    CHECK(!bind(fd, (struct sockaddr *)&sa, sizeof sa));
    CHECK(!getsockname(fd, (struct sockaddr *)&sa, &size));
    close(fd);
    return ntohs(sa.sin_port);
}

static bool answers(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = address(port);
    bool ok = !connect(fd, (struct sockaddr *)&sa, sizeof sa);
    close(fd);
    return ok;
}

static void write_config(const Broker *b, const char *options) {
    char name[96];
    snprintf(name, sizeof name, "%s/conf", b->folder);
    FILE *f = fopen(name, "w");
    CHECK(f);
    fprintf(f,
            "listener %d 127.0.0.1\nallow_anonymous true\nlog_dest file %s/log\n%sset_tcp_nodelay true\n"
            "max_queued_messages 0\nuser root\n%s\n",
            b->port, b->folder, strstr(options, "log_type") ? "" : "log_type all\n", options);
    fclose(f);
}

void broker_again(Broker *b) {
    char name[96];
    snprintf(name, sizeof name, "%s/conf", b->folder);
    const char *path = program();
    b->pid = fork();
    CHECK(b->pid >= 0);
    if (!b->pid) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (!freopen("/dev/null", "w", stderr)) _exit(126);
        execl(path, "mosquitto", "-c", name, (char *)NULL);
        _exit(127);
    }
    int64_t end = time_mono_ns() + 60 * NS_PER_S;
    while (!answers(b->port)) {
        CHECK(waitpid(b->pid, NULL, WNOHANG) == 0);
        CHECK(time_mono_ns() < end);
        thread_sleep_ns(10 * NS_PER_MS);
    }
}

bool broker_open(Broker *b, const char *options) {
    *b = (Broker){0};
    if (!program()) return false;
    snprintf(b->folder, sizeof b->folder, "/tmp/sosia-broker-XXXXXX");
    CHECK(mkdtemp(b->folder));
    b->port = free_port();
    write_config(b, options);
    broker_again(b);
    return true;
}

void broker_signal(Broker *b, int sig) {
    kill(b->pid, sig);
    if (sig != SIGKILL && sig != SIGTERM) return;
    waitpid(b->pid, NULL, 0);
    b->pid = 0;
}

bool broker_logged(const Broker *b, const char *text) {
    char name[96], part[4096];
    snprintf(name, sizeof name, "%s/log", b->folder);
    FILE *f = fopen(name, "r");
    if (!f) return false;
    bool found = false;
    while (!found && fgets(part, sizeof part, f)) found = strstr(part, text) != NULL;
    fclose(f);
    return found;
}

void broker_close(Broker *b) {
    if (b->pid) broker_signal(b, SIGKILL);
    static const char *const files[] = {"conf", "log", "mosquitto.db", "mosquitto.db.new"};
    char name[96];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(name, sizeof name, "%s/%s", b->folder, files[i]);
        unlink(name);
    }
    rmdir(b->folder);
}

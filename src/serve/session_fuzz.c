// SPDX-License-Identifier: Apache-2.0
// Bytes in, the value of a cookie out: part of the header, of a session's characters only; and nothing that was not
// given out is ever a session.
#include "base/check.h"
#include "serve/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Sessions *sessions;
    static char id[SESSION_ID_SIZE + 1];
    uint8_t token[32] = {1};
    if (!sessions) {
        sessions = sessions_new(0, 0);
        sessions_open(sessions, token, 0, id);
    }
    Str all = {(const char *)data, (int64_t)size}, value = cookie_find(all, STR(SESSION_COOKIE));
    if (value.n) CHECK(value.p >= all.p && value.p + value.n <= all.p + all.n);
    for (int64_t i = 0; i < value.n; i++) CHECK(value.p[i] > ' ' && value.p[i] < 127 && value.p[i] != '"');
    CHECK(!sessions_find(sessions, value, 1, token));
    CHECK(!sessions_find(sessions, all, 1, token));
    sessions_close(sessions, value);
    CHECK(sessions_find(sessions, (Str){id, SESSION_ID_SIZE}, 1, token));
    return 0;
}

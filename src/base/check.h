// SPDX-License-Identifier: Apache-2.0
// CHECK: broken invariants stop the process, in release builds too. DEBUG_CHECK: costly ones, debug builds only.
#pragma once

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (__builtin_expect(!(cond), 0)) check_failed(#cond, __FILE__, __LINE__);                                     \
    } while (0)

#ifdef SOSIA_DEBUG
#define DEBUG_CHECK(cond) CHECK(cond)
#else
#define DEBUG_CHECK(cond) ((void)0)
#endif

// Prints the condition and its place to stderr and aborts.
__attribute__((noreturn, cold)) void check_failed(const char *cond, const char *file, int line);

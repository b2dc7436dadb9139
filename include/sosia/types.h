// SPDX-License-Identifier: Apache-2.0
// The few types that every floor and every embedder shares.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// A borrowed piece of UTF-8 text: not NUL-terminated, may hold zero bytes.
typedef struct SosiaStr {
    const char *p;
    int64_t n;
} SosiaStr;

// A growing byte buffer; see sosia_buf_free. `full` tells that something was dropped at the maximum.
typedef struct SosiaBuf {
    char *p;
    int64_t n, cap;
    int64_t max;
    bool full;
} SosiaBuf;

// One code a failure, from err.def. SOSIA_OK is 0.
typedef enum SosiaErr {
#define ERR(name, http, exit, wire, text) SOSIA_##name,
#include "sosia/err.def"
#undef ERR
    SOSIA_ERR_COUNT
} SosiaErr;

// SPDX-License-Identifier: Apache-2.0
// SHA-256: FIPS 180-4, for names that must not be read off what is kept. Any thread.
#pragma once
#include "base/str.h"

// The hash of s. Cost: about 4 ns a byte.
void sha256(Str s, uint8_t out[32]);
// The same as 64 lower-case hexadecimal digits and a NUL.
void sha256_hex(Str s, char out[65]);

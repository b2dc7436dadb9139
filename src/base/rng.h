// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 counter-based random numbers: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011. A value is a function of (key, counter): no hidden state, the same on every machine.
#pragma once
#include <stdint.h>

typedef struct Rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t out[4];
    int32_t left; // unread words of out
} Rng;

// The Philox4x32-10 block function.
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
// Stream `stream` of seed `seed`; streams do not overlap within 2^66 draws.
Rng rng_make(uint64_t seed, uint64_t stream);
uint32_t rng_u32(Rng *r);
uint64_t rng_u64(Rng *r);
// Uniform in [0, n), n > 0, without modulo bias.
uint64_t rng_below(Rng *r, uint64_t n);
// Uniform in [0, 1), 53 bits.
double rng_f64(Rng *r);
// Standard normal (Box-Muller 1958).
double rng_normal(Rng *r);

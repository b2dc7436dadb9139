// SPDX-License-Identifier: Apache-2.0
// How loops over arrays are built for the machine they run on. Any thread. A function marked WIDE is compiled twice,
// for any x86-64 and for one with AVX2, and chosen when the program is loaded; results are the same to the last bit,
// because no product is fused with a sum (ISO C mode; AVX2 alone has no fused operations). Under sanitizers, other
// compilers and other machines there is one version.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define WIDE
#endif

// SPDX-License-Identifier: Apache-2.0
// Shared by the files of records only.
#pragma once
#include <stdint.h>

// How many an array of n, to which one may be added, has room for.
int32_t record_room(int32_t n);

// SPDX-License-Identifier: Apache-2.0
#include "engine/compare.h"
void compare_svg(const Compare *c, Buf *out) { (void)c, (void)out; }

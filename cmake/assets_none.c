// SPDX-License-Identifier: Apache-2.0
// Instead of the table that the build of web/ writes, where that was not built: no file.
#include "serve/assets.h"

const Asset assets[] = {{.path = 0}};
const int assets_count = 0;

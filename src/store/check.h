// SPDX-License-Identifier: Apache-2.0
// Looking through a stored world, row by row. One thread; nothing is written.
#pragma once
#include "store/store.h"

// store_check. sample: what a fresh copy is looked through for: formats, the root, the chain of the journal, and blocks
// of the world and of history here and there, without loading the world. Errors: as store_check.
MUST Err check_file(Str path, bool sample, StoreCheck *c, Buf *why);

// SPDX-License-Identifier: Apache-2.0
// Scrub: what was erased from a world leaves its file. Batches in the journal are written again without it, and nothing
// that was ever deleted from the file can be found in it, nor in its log.
#pragma once
#include "store/store.h"

// Copy the batches in `bytes` to `out` without what is erased; out stays empty when there is nothing of it in them.
// world: 0: live; else as in StoreBatch, whose sequences are its own. Store thread; must not block. Errors: CORRUPT.
typedef Err (*StoreForgetFn)(void *ctx, uint64_t world, Str bytes, Buf *out);
// err: why it could not be done (STORAGE, STORAGE_FULL, CORRUPT; CLOSED: the store closes first). rows: of the journal,
// written again; zeroed: bytes of free pages that were overwritten.
typedef void (*StoreScrubFn)(void *arg, Err err, int64_t rows, int64_t zeroed);

// 1. Wait for a root at `seq` or behind it. 2. Write journal rows with batches up to `seq`, and the journals of other
// worlds, again (forget NULL: none); a row may hold later batches too. 3. Let go of what no root names. 4. Fill the
// file's free pages with zeros. 5. Move the log into the file and empty it. 6. Zero what pages in use have behind the
// ends of their rows. All in slices between commits; readers are waited for. `done` runs exactly once, on the store's
// thread. Any thread.
void store_scrub(Store *s, uint64_t seq, StoreForgetFn forget, void *ctx, StoreScrubFn done, void *arg);

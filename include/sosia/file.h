// SPDX-License-Identifier: Apache-2.0
// World files as a whole: copying one while it is in use, and looking through one. No engine is needed, and whoever has
// the file open goes on undisturbed. Any thread.
#pragma once
#include <sosia/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// How far it is; false stops it. total 0: not known.
typedef bool (*SosiaFileProgress)(void *ctx, SosiaStr what, int64_t done, int64_t total);

// Copy the world file at `from` as it is at this instant to a new file `to`, for its owner alone, look through the copy
// and only then give it its name. replace: a file of that name, unless somebody has it open.
//   why  a sentence on failure; may be NULL
// Errors: STORAGE, STORAGE_FULL, CORRUPT, EXISTS, CLOSED (stopped). On failure there is no new file.
typedef struct SosiaBackup {
    SosiaStr from, to;
    bool replace;
    SosiaFileProgress progress; // may be NULL; in bytes
    void *ctx;
} SosiaBackup;
SosiaErr sosia_backup(const SosiaBackup *b, SosiaBuf *why);

// Look through a world file, reading only: SQLite's own check, the checks of all rows, blocks, journal and history, and
// the invariants of the world they make. Holds the world in memory meanwhile.
//   finding  once for each thing that is wrong: where ("journal row 17") and what ("does not match its check")
// Errors: STORAGE (it cannot be read at all, or is none), CLOSED (stopped). Damage is a finding, not an error.
typedef struct SosiaCheck {
    SosiaStr file;
    void (*finding)(void *ctx, SosiaStr where, SosiaStr what);
    SosiaFileProgress progress; // may be NULL; in rows
    void *ctx;
} SosiaCheck;
typedef struct SosiaChecked {
    int64_t blocks, journal_rows, batches, history_blocks, history_points, twins, relationships, findings;
} SosiaChecked;
SosiaErr sosia_check(const SosiaCheck *c, SosiaChecked *out, SosiaBuf *why);

#ifdef __cplusplus
}
#endif

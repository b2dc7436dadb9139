// SPDX-License-Identifier: Apache-2.0
// History over random worlds by seed: what was ever told is there, once, as it was told; past worlds are what the world
// was; through sealing at any moment, tiny bounds, restarts, failing disks and power cuts.
//
//   SOSIA_SEED=n  the first seed        SOSIA_HISTORY_SEEDS=n  how many
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/mem.h"
#include "history/test_lab.h"

#define VFS "history"

static uint64_t env(const char *name, uint64_t otherwise) {
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

static uint64_t below(HistoryLab *l, uint64_t n) { return rng_below(&l->rng, n); }

static void bounds(HistoryLab *l) {
    static const int64_t heads[] = {0, 4096, 30000, 200000};
    l->open.head_bytes_max = heads[l->seed % 4];
    l->open.cache_bytes_max = l->seed % 3 ? 0 : 5000;
}

// A life between two openings: batches, turns of the work in the background, checkpoints, looks.
static void live(HistoryLab *l, int batches) {
    for (int i = 0; i < batches; i++) {
        assert_int_equal(history_lab_write(l, 1 + (int64_t)below(l, 30)), ERR_OK);
        for (uint64_t turns = below(l, 3); turns > 0; turns--) history_lab_turn(l);
        if (below(l, 6) == 0) history_lab_moment(l);
        if (below(l, 25) == 0) history_lab_checkpoint(l);
        if (below(l, 20) == 0) history_lab_check(l, 2);
    }
}

static void what_was_told_is_there(void **state) {
    (void)state;
    uint64_t first = env("SOSIA_SEED", 1), n = env("SOSIA_HISTORY_SEEDS", 3);
    for (uint64_t seed = first; seed < first + n; seed++) {
        HistoryLab l;
        TestVfs *disk = test_vfs_new(VFS);
        history_lab_init(&l, seed, STR("plant.sosia"), VFS);
        bounds(&l);
        for (int lives = 0; lives < 4; lives++) {
            assert_int_equal(history_lab_open(&l), ERR_OK);
            history_lab_check(&l, 4);
            live(&l, 60);
            if (lives == 2) history_lab_rest(&l);
            history_lab_check_all(&l);
            history_lab_close(&l);
        }
        history_lab_free(&l);
        test_vfs_free(disk);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Bytes in, what a client of /watch asks for out: within its bounds, or a sentence why not; the same both times.
#include "base/check.h"
#include "base/time.h"
#include "serve/watch_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const Str *names, int32_t count, int32_t max) {
    CHECK(count >= 0 && count <= max);
    for (int32_t i = 0; i < count; i++) CHECK(names[i].n > 0);
}

static void check_ask(const WatchAsk *a) {
    CHECK(a->id.n > 0 && a->id.n <= WATCH_ID_MAX);
    check_names(a->twins, a->twin_count, WATCH_TWINS_MAX);
    check_names(a->models, a->model_count, WATCH_NAMES_MAX);
    check_names(a->properties, a->property_count, WATCH_NAMES_MAX);
    CHECK(a->interval_ns >= WATCH_INTERVAL_MS_MIN * NS_PER_MS);
    CHECK(a->interval_ns <= WATCH_INTERVAL_MS_MAX * NS_PER_MS);
    CHECK(a->what && a->what < 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena keep;
    WatchSay say, again;
    const char *why = NULL;
    arena_init(&keep, 0);
    Str text = {(const char *)data, (int64_t)size};
    Err err = watch_parse(text, &keep, &say, &why);
    CHECK((err == ERR_OK) == (why == NULL));
    CHECK(watch_parse(text, &keep, &again, &why) == err);
    if (err == ERR_OK) {
        CHECK(say.count == again.count && say.count <= WATCH_INTERESTS_MAX);
        CHECK((say.count == 0) == (say.unsubscribe.n > 0));
        for (int32_t i = 0; i < say.count; i++) {
            WatchAsk copy = watch_ask_copy(&say.subscribe[i], &keep);
            check_ask(&copy);
            CHECK(str_eq(copy.id, again.subscribe[i].id));
        }
    }
    arena_free(&keep);
    return 0;
}

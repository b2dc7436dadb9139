// SPDX-License-Identifier: Apache-2.0
// Bytes in, what is kept of an ensemble out (first byte 0: its head, else its outcome): refused, or the same bytes
// again, and documents of it that can be made.
#include "base/check.h"
#include "codec/json.h"
#include "engine/ensemble_outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void documents(const EnsembleHead *h, const EnsembleOutcome *o) {
    Buf text = {0}, page = {0};
    Arena a;
    Json v;
    arena_init(&a, 0);
    buf_byte(&text, '{');
    ensemble_head_show(h, &text);
    if (o) ensemble_show(h, o, true, &text);
    buf_byte(&text, '}');
    CHECK(json_parse(buf_str(&text), NULL, &a, &v, NULL) == ERR_OK);
    buf_reset(&text);
    ensemble_runs_show(h, o, &text);
    CHECK(json_parse(buf_str(&text), NULL, &a, &v, NULL) == ERR_OK);
    ensemble_page(h, o, &page);
    ensemble_svg(h, o, &page);
    buf_reset(&page);
    if (o) ensemble_say(h, o, &page);
    buf_free(&text);
    buf_free(&page);
    arena_free(&a);
}

static void head(Str bytes) {
    Arena a;
    EnsembleHead h, again;
    Buf once = {0}, twice = {0};
    arena_init(&a, 0);
    if (ensemble_head_decode(&a, bytes, &h)) {
        ensemble_head_encode(&h, &once);
        CHECK(ensemble_head_decode(&a, buf_str(&once), &again));
        ensemble_head_encode(&again, &twice);
        CHECK(str_eq(buf_str(&once), buf_str(&twice)));
        for (int32_t i = 0; i < h.name_count; i++) CHECK(ensemble_head_names(&h, h.names[i]));
        documents(&h, NULL);
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(&a);
}

static void outcome(Str bytes) {
    EnsembleWorld world = {STR("live"), 0};
    EnsembleHead h = {.worlds = &world, .world_count = 1, .state = ENSEMBLE_DONE, .replications = 2, .level = 0.95};
    EnsembleOutcome *o = ensemble_outcome_decode(bytes);
    if (!o) return;
    Buf once = {0}, twice = {0};
    ensemble_outcome_encode(o, &once);
    EnsembleOutcome *again = ensemble_outcome_decode(buf_str(&once));
    CHECK(again != NULL);
    ensemble_outcome_encode(again, &twice);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    documents(&h, o);
    ensemble_outcome_free(again);
    ensemble_outcome_free(o);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 14) return 0;
    Str bytes = {(const char *)data + 1, (int64_t)size - 1};
    if (data[0]) outcome(bytes);
    else head(bytes);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Bytes in, a public key or a receipt out. A key that was taken is written and taken again; a key verifies what it
// signed.
#include "base/check.h"
#include "serve/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_key(Str text) {
    ReceiptKey key, again;
    Buf why = {0}, out = {0};
    Err err = receipt_key_parse(text, &key, &why);
    CHECK((err == ERR_OK) == (why.n == 0));
    if (!err) {
        receipt_key_pem(&key, &out);
        CHECK(receipt_key_parse(buf_str(&out), &again, &why) == ERR_OK);
        CHECK(memcmp(&key, &again, sizeof key) == 0);
    }
    if (receipt_key_load(text, &key) == ERR_OK) {
        buf_reset(&out);
        receipt_key_seed(&key, &out);
        CHECK(str_eq(buf_str(&out), text));
    }
    buf_free(&why);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ReceiptKey key;
    Str all = {(const char *)data, (int64_t)size};
    Buf why = {0}, text = {0};
    Arena arena;
    Json receipt;
    if (!key.kid[0]) CHECK(receipt_key_load(STR("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), &key) == ERR_OK);
    arena_init(&arena, 0);
    try_key(all);
    if (receipt_verify(all, &key, &arena, &receipt, &why) == ERR_OK) CHECK(receipt.type == JSON_OBJECT);
    else CHECK(why.n > 0);
    buf_reset(&why);
    bool object = json_parse(all, &(JsonLimits){.depth_max = 16, .size_max = 8192}, &arena, &receipt, NULL) == ERR_OK &&
                  receipt.type == JSON_OBJECT && !receipt.dup;
    if (object && receipt_sign(&key, all, &text) == ERR_OK)
        CHECK(receipt_verify(buf_str(&text), &key, &arena, &receipt, &why) == ERR_OK);
    arena_free(&arena);
    buf_free(&why);
    buf_free(&text);
    return 0;
}

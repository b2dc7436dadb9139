// SPDX-License-Identifier: Apache-2.0
// Receipts: the vectors of RFC 8037, round trips, and whatever was changed is noticed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "serve/receipt.c"

// RFC 8037, appendix A.
#define SEED STR("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
#define OPEN "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define KID "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

#define DOC STR("{\"id\":\"1-1\",\"twin\":\"r\xc3\xb6hre \\\"7\\\"\",\"values\":12,\"part\":0.5}")

static Err verify(Str text, const ReceiptKey *key, Buf *why) {
    Arena arena;
    Json receipt;
    arena_init(&arena, 0);
    buf_reset(why);
    Err err = receipt_verify(text, key, &arena, &receipt, why);
    assert_int_equal(err == ERR_OK, why->n == 0);
    if (!err) assert_string_equal(arena_str(&arena, json_get(&receipt, STR("id"))->s).p, "1-1");
    arena_free(&arena);
    return err;
}

#define X25519_PEM                                                                                                     \
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAoEp76hpu5kL97qJniYG6qVdGKJhW1vo6jFSpDnD/edc=\n"                       \
    "-----END PUBLIC KEY-----"

static void the_vectors_of_rfc_8037(void **state) {
    (void)state;
    ReceiptKey key;
    uint8_t signature[64];
    Buf text = {0};
    int64_t dot;
    assert_int_equal(receipt_key_load(SEED, &key), ERR_OK);
    assert_string_equal(key.kid, KID);
    put_base64url(&text, key.open, 32);
    assert_true(str_eq(buf_str(&text), STR(OPEN)));
    buf_reset(&text);
    put_signed_text(STR("{\"alg\":\"EdDSA\"}"), STR("Example of Ed25519 signing"), &text, &dot);
    assert_true(str_eq(buf_str(&text), STR("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")));
    assert_true(sign(&key, buf_str(&text), signature));
    assert_true(signed_by(&key, buf_str(&text), signature));
    buf_reset(&text);
    put_base64url(&text, signature, 64);
    assert_true(str_eq(buf_str(&text), STR("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7"
                                           "sVvpAr_MuM0KAg")));
    buf_free(&text);
}

static void keys_go_out_and_come_back(void **state) {
    (void)state;
    ReceiptKey key, again;
    Buf text = {0}, why = {0};
    assert_int_equal(receipt_key_make(&key), ERR_OK);
    receipt_key_seed(&key, &text);
    assert_int_equal(receipt_key_load(buf_str(&text), &again), ERR_OK);
    assert_memory_equal(&key, &again, sizeof key);
    for (int form = 0; form < 3; form++) {
        buf_reset(&text);
        if (form == 0) receipt_key_jwk(&key, &text);
        else if (form == 1) receipt_key_pem(&key, &text);
        else put_base64url(&text, key.open, 32);
        buf_byte(&text, '\n');
        assert_int_equal(receipt_key_parse(buf_str(&text), &again, &why), ERR_OK);
        assert_memory_equal(key.open, again.open, 32);
        assert_string_equal(key.kid, again.kid);
        uint8_t none[32] = {0};
        assert_memory_equal(again.seed, none, 32);
        assert_true(str_find_str(buf_str(&text), STR("\"d\"")) < 0); // of a private JWK
    }
    receipt_key_forget(&key);
    assert_int_equal(key.kid[0], 0);
    buf_free(&text);
    buf_free(&why);
}

static void bad_keys_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" OPEN "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" OPEN "A\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":12}",
        OPEN "=",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", // its unused bits are not zero
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----",
        X25519_PEM,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ReceiptKey key;
        Buf why = {0};
        assert_int_equal(receipt_key_parse(str_of(bad[i]), &key, &why), ERR_SYNTAX);
        assert_true(why.n > 0);
        assert_int_equal(receipt_key_load(str_of(bad[i]), &key), ERR_CORRUPT);
        buf_free(&why);
    }
}

static void a_receipt_is_verified(void **state) {
    (void)state;
    ReceiptKey key, open, other;
    Buf text = {0}, why = {0}, jwk = {0};
    assert_int_equal(receipt_key_load(SEED, &key), ERR_OK);
    assert_int_equal(receipt_key_make(&other), ERR_OK);
    assert_int_equal(receipt_sign(&key, DOC, &text), ERR_OK);
    receipt_key_jwk(&key, &jwk);
    assert_int_equal(receipt_key_parse(buf_str(&jwk), &open, &why), ERR_OK);
    assert_int_equal(verify(buf_str(&text), &open, &why), ERR_OK);
    assert_int_equal(verify(buf_str(&text), &other, &why), ERR_CORRUPT);
    assert_true(str_find_str(buf_str(&why), STR("another key")) >= 0);
    Arena arena; // set in another way, as jq would
    arena_init(&arena, 0);
    Json doc;
    Buf pretty = {0};
    assert_int_equal(json_parse(buf_str(&text), NULL, &arena, &doc, NULL), ERR_OK);
    json_put_pretty(&pretty, &doc, 0);
    assert_int_equal(verify(buf_str(&pretty), &open, &why), ERR_OK);
    Str shown = STR("\"values\": 12");
    int64_t at = str_find_str(buf_str(&pretty), shown);
    assert_true(at > 0);
    pretty.p[at + shown.n - 1] = '3';
    assert_int_equal(verify(buf_str(&pretty), &open, &why), ERR_CORRUPT);
    assert_true(str_find_str(buf_str(&why), STR("shows")) >= 0);
    buf_free(&pretty);
    arena_free(&arena);
    buf_free(&text);
    buf_free(&why);
    buf_free(&jwk);
}

// Every bit of the envelope counts, but for what the letters of "receipt" and unknown members say.
static void any_change_is_noticed(void **state) {
    (void)state;
    ReceiptKey key;
    Buf text = {0}, why = {0};
    assert_int_equal(receipt_key_load(SEED, &key), ERR_OK);
    assert_int_equal(receipt_sign(&key, DOC, &text), ERR_OK);
    int64_t named = str_find_str(buf_str(&text), STR("receipt"));
    for (int64_t i = 0; i < text.n; i++) {
        if (i >= named && i < named + 7) continue; // then it is a member that nobody knows
        for (int bit = 0; bit < 8; bit++) {
            text.p[i] = (char)(text.p[i] ^ 1 << bit);
            assert_int_not_equal(verify(buf_str(&text), &key, &why), ERR_OK);
            text.p[i] = (char)(text.p[i] ^ 1 << bit);
        }
        assert_int_not_equal(verify(str_sub(buf_str(&text), 0, i), &key, &why), ERR_OK);
    }
    assert_int_equal(verify(buf_str(&text), &key, &why), ERR_OK);
    buf_free(&text);
    buf_free(&why);
}

static void put_envelope(const ReceiptKey *key, Str head, Str payload, Buf *out) {
    uint8_t signature[64];
    Buf text = {0};
    int64_t dot;
    put_signed_text(head, payload, &text, &dot);
    assert_true(sign(key, buf_str(&text), signature));
    buf_printf(out, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"", (int)dot, text.p,
               (int)(text.n - dot - 1), text.p + dot + 1);
    put_base64url(out, signature, 64);
    buf_str_put(out, STR("\"}"));
    buf_free(&text);
}

// The key signed something, but not a receipt.
static void only_receipts_are(void **state) {
    (void)state;
    static const char *const heads[] = {"{\"alg\":\"none\",\"typ\":\"" RECEIPT_TYPE "\",\"kid\":\"" KID "\"}",
                                        "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"" KID "\"}",
                                        "{\"alg\":\"EdDSA\",\"kid\":\"" KID "\"}",
                                        "{\"alg\":\"EdDSA\",\"typ\":\"" RECEIPT_TYPE "\"}",
                                        "{\"alg\":\"EdDSA\",\"typ\":\"" RECEIPT_TYPE "\",\"kid\":\"" KID
                                        "\",\"crit\":[\"exp\"],\"exp\":1}",
                                        "[]",
                                        "x"};
    ReceiptKey key;
    Buf text = {0}, why = {0};
    assert_int_equal(receipt_key_load(SEED, &key), ERR_OK);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        buf_reset(&text);
        put_envelope(&key, str_of(heads[i]), DOC, &text);
        assert_int_not_equal(verify(buf_str(&text), &key, &why), ERR_OK);
    }
    Str head = STR("{\"alg\":\"EdDSA\",\"typ\":\"" RECEIPT_TYPE "\",\"kid\":\"" KID "\"}");
    buf_reset(&text);
    put_envelope(&key, head, STR("no JSON"), &text);
    assert_int_equal(verify(buf_str(&text), &key, &why), ERR_SYNTAX);
    buf_reset(&text);
    put_envelope(&key, head, DOC, &text);
    assert_int_equal(verify(buf_str(&text), &key, &why), ERR_OK);
    buf_free(&text);
    buf_free(&why);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_8037), cmocka_unit_test(keys_go_out_and_come_back),
        cmocka_unit_test(bad_keys_are_refused),    cmocka_unit_test(a_receipt_is_verified),
        cmocka_unit_test(any_change_is_noticed),   cmocka_unit_test(only_receipts_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

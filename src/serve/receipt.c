// SPDX-License-Identifier: Apache-2.0
#include "serve/receipt.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include "base/check.h"

#define KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define B64_OF(n) (((n)*4 + 2) / 3) // without padding

// ---- base64 -------------------------------------------------------------------------------------------------------

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_base64url(Buf *out, const uint8_t *p, int64_t n) {
    for (int64_t i = 0; i < n; i += 3) {
        int64_t have = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;
        if (have > 1) v |= (uint32_t)p[i + 1] << 8;
        if (have > 2) v |= p[i + 2];
        for (int64_t k = 0; k <= have; k++) buf_byte(out, DIGITS[v >> (18 - 6 * k) & 63]);
    }
}

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

// Strict: no padding, no blanks, unused bits are zero. room: 3 bytes for 4 digits. False when it is anything else.
static bool take_base64url(Str s, uint8_t *room, int64_t *n) {
    uint32_t bits = 0;
    int32_t have = 0;
    *n = 0;
    for (int64_t i = 0; i < s.n; i++) {
        int d = digit_of(s.p[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        room[(*n)++] = (uint8_t)(bits >> have & 0xff);
    }
    return have < 6 && !(bits & ((1u << have) - 1));
}

static bool take_32(Str s, uint8_t out[KEY_BYTES]) {
    uint8_t room[KEY_BYTES];
    int64_t n;
    if (s.n != B64_OF(KEY_BYTES) || !take_base64url(s, room, &n) || n != KEY_BYTES) return false;
    memcpy(out, room, KEY_BYTES);
    explicit_bzero(room, sizeof room);
    return true;
}

// ---- keys ---------------------------------------------------------------------------------------------------------

// RFC 7638: of the members that make the key, in order of their names.
static void put_kid(ReceiptKey *key) {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    Buf text = {0}, kid = {0};
    buf_str_put(&text, STR("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\""));
    put_base64url(&text, key->open, KEY_BYTES);
    buf_str_put(&text, STR("\"}"));
    SHA256((const uint8_t *)text.p, (size_t)text.n, hash);
    put_base64url(&kid, hash, sizeof hash);
    CHECK(kid.n < (int64_t)sizeof key->kid);
    memcpy(key->kid, kid.p, (size_t)kid.n);
    key->kid[kid.n] = 0;
    buf_free(&text);
    buf_free(&kid);
}

static bool of_seed(const uint8_t seed[KEY_BYTES], ReceiptKey *out) {
    ReceiptKey key = {0};
    size_t n = KEY_BYTES;
    memcpy(key.seed, seed, KEY_BYTES);
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_BYTES);
    bool ok = k && EVP_PKEY_get_raw_public_key(k, key.open, &n) == 1 && n == KEY_BYTES;
    EVP_PKEY_free(k);
    if (ok) put_kid(&key);
    if (ok) *out = key;
    explicit_bzero(&key, sizeof key);
    return ok;
}

Err receipt_key_make(ReceiptKey *out) {
    uint8_t seed[KEY_BYTES];
    bool ok = RAND_priv_bytes(seed, sizeof seed) == 1 && of_seed(seed, out);
    explicit_bzero(seed, sizeof seed);
    return ok ? ERR_OK : ERR_IO;
}

Err receipt_key_load(Str text, ReceiptKey *out) {
    uint8_t seed[KEY_BYTES];
    bool ok = take_32(text, seed) && of_seed(seed, out);
    explicit_bzero(seed, sizeof seed);
    return ok ? ERR_OK : ERR_CORRUPT;
}

void receipt_key_seed(const ReceiptKey *key, Buf *out) { put_base64url(out, key->seed, KEY_BYTES); }

void receipt_key_forget(ReceiptKey *key) { explicit_bzero(key, sizeof *key); }

// What comes before the 32 bytes in DER: SEQUENCE { SEQUENCE { 1.3.101.112 } BIT STRING }.
static const uint8_t DER_HEAD[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
#define DER_BYTES ((int64_t)sizeof DER_HEAD + KEY_BYTES)
#define PEM_HEAD STR("-----BEGIN PUBLIC KEY-----")
#define PEM_FOOT STR("-----END PUBLIC KEY-----")

void receipt_key_pem(const ReceiptKey *key, Buf *out) {
    uint8_t der[DER_BYTES];
    memcpy(der, DER_HEAD, sizeof DER_HEAD);
    memcpy(der + sizeof DER_HEAD, key->open, KEY_BYTES);
    buf_str_put(out, PEM_HEAD);
    buf_byte(out, '\n');
    int64_t at = out->n;
    put_base64url(out, der, DER_BYTES);
    for (int64_t i = at; i < out->n; i++) { // the other alphabet, with padding
        if (out->p[i] == '-') out->p[i] = '+';
        if (out->p[i] == '_') out->p[i] = '/';
    }
    while ((out->n - at) % 4) buf_byte(out, '=');
    buf_byte(out, '\n');
    buf_str_put(out, PEM_FOOT);
    buf_byte(out, '\n');
}

void receipt_key_jwk(const ReceiptKey *key, Buf *out) {
    Buf pem = {0};
    receipt_key_pem(key, &pem);
    buf_str_put(out, STR("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\""));
    put_base64url(out, key->open, KEY_BYTES);
    buf_printf(out, "\",\"kid\":\"%s\",\"alg\":\"EdDSA\",\"use\":\"sig\",\"pem\":", key->kid);
    json_put_str(out, buf_str(&pem));
    buf_byte(out, '}');
    buf_free(&pem);
}

// The digits between the lines of a PEM, as base64url without padding.
static bool parse_pem(Str text, uint8_t out[KEY_BYTES]) {
    uint8_t der[DER_BYTES + 3];
    char digits[B64_OF(DER_BYTES)];
    int64_t n = 0, size, from = str_find_str(text, PEM_HEAD), to = str_find_str(text, PEM_FOOT);
    if (from < 0 || to < from + PEM_HEAD.n) return false;
    for (int64_t i = from + PEM_HEAD.n; i < to; i++) {
        char c = text.p[i];
        if (c == '\n' || c == '\r' || c == '=' || c == ' ') continue;
        if (n == (int64_t)sizeof digits || c == '-' || c == '_') return false;
        digits[n++] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    if (n != (int64_t)sizeof digits || !take_base64url((Str){digits, n}, der, &size) || size != DER_BYTES) return false;
    memcpy(out, der + sizeof DER_HEAD, KEY_BYTES);
    return memcmp(der, DER_HEAD, sizeof DER_HEAD) == 0;
}

static Str text_of(const Json *doc, Str name) {
    const Json *v = json_get(doc, name);
    return v && v->type == JSON_STRING ? v->s : (Str){0};
}

static bool is_ed25519(const Json *doc) {
    return str_eq(text_of(doc, STR("kty")), STR("OKP")) && str_eq(text_of(doc, STR("crv")), STR("Ed25519"));
}

static bool parse_jwk(Str text, uint8_t out[KEY_BYTES]) {
    Arena arena;
    Json doc;
    arena_init(&arena, 0);
    bool ok = json_parse(text, &(JsonLimits){.depth_max = 8}, &arena, &doc, NULL) == ERR_OK && is_ed25519(&doc) &&
              take_32(text_of(&doc, STR("x")), out);
    arena_free(&arena);
    return ok;
}

Err receipt_key_parse(Str text, ReceiptKey *out, Buf *why) {
    ReceiptKey key = {0};
    text = str_trim(text);
    bool fits = text.n <= RECEIPT_BYTES_MAX;
    bool ok = fits && (str_starts(text, STR("{"))          ? parse_jwk(text, key.open)
                       : str_find_str(text, PEM_HEAD) >= 0 ? parse_pem(text, key.open)
                                                           : take_32(text, key.open));
    if (!ok) {
        buf_str_put(why, STR("it is no public key of Ed25519: neither a JWK, nor PEM, nor 32 bytes as base64url"));
        return ERR_SYNTAX;
    }
    put_kid(&key);
    *out = key;
    return ERR_OK;
}

// ---- signing ------------------------------------------------------------------------------------------------------

static bool sign(const ReceiptKey *key, Str text, uint8_t out[SIGNATURE_BYTES]) {
    size_t n = SIGNATURE_BYTES;
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->seed, KEY_BYTES);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = k && m && EVP_DigestSignInit(m, NULL, NULL, NULL, k) == 1 &&
              EVP_DigestSign(m, out, &n, (const uint8_t *)text.p, (size_t)text.n) == 1 && n == SIGNATURE_BYTES;
    EVP_MD_CTX_free(m);
    EVP_PKEY_free(k);
    return ok;
}

static bool signed_by(const ReceiptKey *key, Str text, const uint8_t signature[SIGNATURE_BYTES]) {
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->open, KEY_BYTES);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = k && m && EVP_DigestVerifyInit(m, NULL, NULL, NULL, k) == 1 &&
              EVP_DigestVerify(m, signature, SIGNATURE_BYTES, (const uint8_t *)text.p, (size_t)text.n) == 1;
    EVP_MD_CTX_free(m);
    EVP_PKEY_free(k);
    return ok;
}

// PROTECTED.PAYLOAD; *dot: where the payload begins.
static void put_signed_text(Str protected, Str payload, Buf *out, int64_t *dot) {
    put_base64url(out, (const uint8_t *)protected.p, protected.n);
    *dot = out->n;
    buf_byte(out, '.');
    put_base64url(out, (const uint8_t *)payload.p, payload.n);
}

Err receipt_sign(const ReceiptKey *key, Str payload, Buf *out) {
    uint8_t signature[SIGNATURE_BYTES];
    Buf head = {0}, text = {0};
    int64_t dot;
    buf_printf(&head, "{\"alg\":\"EdDSA\",\"typ\":\"" RECEIPT_TYPE "\",\"kid\":\"%s\"}", key->kid);
    put_signed_text(buf_str(&head), payload, &text, &dot);
    bool ok = sign(key, buf_str(&text), signature);
    if (ok) {
        Str all = buf_str(&text);
        buf_str_put(out, STR("{\"receipt\":"));
        buf_str_put(out, payload);
        buf_str_put(out, STR(",\"payload\":\""));
        buf_str_put(out, str_sub(all, dot + 1, all.n));
        buf_str_put(out, STR("\",\"protected\":\""));
        buf_str_put(out, str_sub(all, 0, dot));
        buf_str_put(out, STR("\",\"signature\":\""));
        put_base64url(out, signature, SIGNATURE_BYTES);
        buf_str_put(out, STR("\"}"));
    }
    buf_free(&head);
    buf_free(&text);
    return ok ? ERR_OK : ERR_IO;
}

// ---- verifying ----------------------------------------------------------------------------------------------------

static Err no(Buf *why, Err err, const char *text) {
    buf_str_put(why, str_of(text));
    return err;
}

// A member of base64url, decoded into memory of the arena.
static bool take_member(const Json *doc, Str name, Arena *arena, Str *raw, Str *out) {
    *raw = text_of(doc, name);
    uint8_t *room = NEW(arena, uint8_t, raw->n + 4);
    int64_t n;
    if (!raw->n || !take_base64url(*raw, room, &n)) return false;
    *out = (Str){(const char *)room, n};
    return true;
}

static Err check_head(Str head, const ReceiptKey *key, Arena *arena, Buf *why) {
    Json doc;
    if (json_parse(head, &(JsonLimits){.depth_max = 8}, arena, &doc, NULL) || doc.type != JSON_OBJECT)
        return no(why, ERR_SYNTAX, "it is no receipt: \"protected\" holds no JSON");
    if (!str_eq(text_of(&doc, STR("alg")), STR("EdDSA")) || json_get(&doc, STR("crit")))
        return no(why, ERR_SYNTAX, "it is signed in a way that receipts are not: EdDSA is wanted");
    if (!str_eq(text_of(&doc, STR("typ")), STR(RECEIPT_TYPE)))
        return no(why, ERR_SYNTAX, "what was signed is no receipt of an erasure");
    if (str_eq(text_of(&doc, STR("kid")), str_of(key->kid))) return ERR_OK;
    buf_printf(why, "another key signed it, not %s", key->kid);
    return ERR_CORRUPT;
}

Err receipt_verify(Str text, const ReceiptKey *key, Arena *arena, Json *receipt, Buf *why) {
    JsonLimits limits = {.depth_max = 32, .size_max = RECEIPT_BYTES_MAX};
    Json doc, inner;
    Str head, payload, signature, raw_head, raw_payload, raw_signature;
    if (json_parse(text, &limits, arena, &doc, NULL) || doc.type != JSON_OBJECT)
        return no(why, ERR_SYNTAX, "it is no receipt: not a JSON object");
    if (!take_member(&doc, STR("payload"), arena, &raw_payload, &payload) ||
        !take_member(&doc, STR("protected"), arena, &raw_head, &head) ||
        !take_member(&doc, STR("signature"), arena, &raw_signature, &signature) || signature.n != SIGNATURE_BYTES)
        return no(why, ERR_SYNTAX, "it is no receipt: payload, protected and signature are wanted, as base64url");
    TRY(check_head(head, key, arena, why));
    Buf both = {0};
    buf_str_put(&both, raw_head);
    buf_byte(&both, '.');
    buf_str_put(&both, raw_payload);
    bool ok = signed_by(key, buf_str(&both), (const uint8_t *)signature.p);
    buf_free(&both);
    if (!ok) return no(why, ERR_CORRUPT, "the signature is not that of this text: it was changed");
    if (json_parse(payload, &limits, arena, &inner, NULL) || inner.type != JSON_OBJECT)
        return no(why, ERR_SYNTAX, "what was signed is no JSON object");
    const Json *shown = json_get(&doc, STR("receipt"));
    if (shown && !json_equal(shown, &inner))
        return no(why, ERR_CORRUPT, "what it shows as \"receipt\" is not what was signed");
    *receipt = inner;
    return ERR_OK;
}

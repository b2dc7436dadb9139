// SPDX-License-Identifier: Apache-2.0
// Receipts: JSON signed with Ed25519 (RFC 8032), so that whoever holds one can show, without asking the server, what it
// stated. Pure functions of their arguments (but for receipt_key_make); any thread.
//
// The envelope is a flattened JWS (RFC 7515, 7.2.2) with EdDSA (RFC 8037), which every library for JOSE verifies:
//     {"receipt":{...},"payload":"B64","protected":"B64","signature":"B64"}
// payload      base64url of the receipt's exact bytes, without padding
// protected    base64url of {"alg":"EdDSA","typ":"sosia-erasure+json","kid":"..."}
// signature    of the ASCII text PROTECTED.PAYLOAD, 64 bytes
// receipt      the payload once more, for people; not signed, so receipt_verify compares it
// kid is the thumbprint of the public key (RFC 7638). The public key is told as a JWK:
//     {"kty":"OKP","crv":"Ed25519","x":"B64","kid":"...","alg":"EdDSA","use":"sig","pem":"-----BEGIN PUBLIC KEY..."}
#pragma once
#include "base/buf.h"
#include "codec/json.h"

#define RECEIPT_TYPE "sosia-erasure+json"
#define RECEIPT_BYTES_MAX 65536 // of a text that is verified, and of a key

typedef struct ReceiptKey {
    uint8_t seed[32]; // the private key; zeros where it is not known
    uint8_t open[32]; // the public key
    char kid[48];
} ReceiptKey;

// A new key. Errors: IO (no random numbers).
MUST Err receipt_key_make(ReceiptKey *out);
// The key of a seed as receipt_key_seed wrote it. Errors: CORRUPT; *out is untouched then.
MUST Err receipt_key_load(Str seed, ReceiptKey *out);
// The private key as base64url, for the store alone.
void receipt_key_seed(const ReceiptKey *key, Buf *out);
// Overwrite it.
void receipt_key_forget(ReceiptKey *key);
// The public key as a JWK; as PEM (SubjectPublicKeyInfo, RFC 8410), with its last line ended.
void receipt_key_jwk(const ReceiptKey *key, Buf *out);
void receipt_key_pem(const ReceiptKey *key, Buf *out);

// Sign a JSON object and append the envelope. Cost: about 100 us. Errors: IO (OpenSSL failed).
MUST Err receipt_sign(const ReceiptKey *key, Str payload, Buf *out);

// A public key from a JWK, PEM, or 32 bytes as base64url. Errors: SYNTAX with a sentence in *why.
MUST Err receipt_key_parse(Str text, ReceiptKey *out, Buf *why);
// Check an envelope.
//   receipt  out, what was signed, parsed; lives in `arena`
// Errors: SYNTAX (it is no receipt), CORRUPT (another key signed it, or it was changed); a sentence in *why.
MUST Err receipt_verify(Str text, const ReceiptKey *key, Arena *arena, Json *receipt, Buf *why);

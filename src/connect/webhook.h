// SPDX-License-Identifier: Apache-2.0
// Webhook: CloudEvents over HTTP(S) POST, and commands, through libcurl; nobody else in src/connect includes curl. One
// thread at a time; keeps its connection open between events. Redirects are not followed; proxies of the environment
// are not used.
//
// Signature, when there is a key:   sosia-signature: t=SECONDS,v1=HEX
//   HEX = HMAC-SHA256(key, SECONDS "." BODY); a receiver compares it and refuses times that are minutes away.
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define WEBHOOK_URL_MAX 2048
#define WEBHOOK_TIMEOUT_MAX_NS INT64_C(120000000000)
#define WEBHOOK_REPLY_MAX 256 // bytes of a refusal kept for people

typedef struct Webhook Webhook;

typedef struct WebhookConfig {
    Str url;
    Str key; // of the signature, or ""
    Str ca;  // PEM text or path of a file, "" the system's
    bool insecure;
    Str origin; // of the handshake
    int64_t timeout_ns;
    const Str *names, *values; // further headers
    int32_t header_count;
    bool (*stopping)(void *ctx); // asked several times a second
    void *ctx;
} WebhookConfig;

typedef struct WebhookReply {
    int status;             // 0: none came
    int64_t retry_after_ns; // 0: none was asked for
    bool allowed;           // handshake: WebHook-Allowed-Origin names us
    bool sent;              // a connection came about: the peer may have seen the request, whatever came back
    char why[WEBHOOK_REPLY_MAX + 64];
} WebhookReply;

// The texts of the configuration outlive it. Errors: ARGUMENT, IO; why gets a sentence.
MUST Err webhook_open(const WebhookConfig *c, Webhook **out, Buf *why);
void webhook_close(Webhook *w); // NULL is fine
// POST `body` (batch: it is a JSON array of events).
void webhook_post(Webhook *w, Str body, bool batch, WebhookReply *out);
// A request of any kind, for commands. Over a connection of its own: what was sent once is never repeated below.
typedef struct WebhookCall {
    Str url;  // in place of the configuration's
    bool put; // PUT; else POST
    Str body; // JSON or any text; the signature covers it
    Str id;   // for the header sosia-correlation
    int64_t timeout_ns;
    Buf *reply; // gets the answer's body, up to its maximum (then it is `full`)
} WebhookCall;
void webhook_call(Webhook *w, const WebhookCall *call, WebhookReply *out);
// CloudEvents' abuse protection: OPTIONS with WebHook-Request-Origin.
void webhook_handshake(Webhook *w, WebhookReply *out);
// The value of the signature header.
void webhook_sign(Str key, int64_t seconds, Str body, Buf *out);
// http:// or https://, a host, no user and no fragment.
bool webhook_url_ok(Str url);

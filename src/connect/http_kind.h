// SPDX-License-Identifier: Apache-2.0
// Connections of kind "http": commands go to devices (or their gateway) as HTTP(S) requests; nothing comes in by them.
// Speaks WoT's invokeaction by HTTP too: input is the body, output the answer's body.
//
// A command waits in a queue for one of SENDERS threads, each with a libcurl handle of its own. It is sent once over a
// connection of its own; what became of it:
//   2xx               answered; the body is the payload
//   3xx               the device refused it: redirects are not followed
//   400 and more      the device refused it; the body is the payload
//   no connection     DEVICE_OFFLINE: nothing was sent; the state says so until a command gets through again
//   no answer         DEVICE: whether the device acted is not known
// Its time-out counts from when it was asked for, waiting in the queue included.
#pragma once
#include "connect/command_rule.h"
#include "connect/connect_doc.h"

#define HTTP_RULES_MAX 64          // of "commands"
#define HTTP_SENDERS 4             // threads of one connection: so many devices may be slow at once
#define HTTP_COMMANDS_MAX 64       // waiting for them
#define HTTP_HEADERS_MAX 16        // of "headers"
#define HTTP_HEADER_BYTES_MAX 8192 // of one value

typedef struct HttpRule {
    CommandMatch match;
    Str path, payload; // texts with names in braces
    bool put;
} HttpRule;

typedef struct HttpRules {
    HttpRule items[HTTP_RULES_MAX];
    int32_t count;
} HttpRules;

// Read the whole document with its secrets in place; *rules may be NULL. Texts are borrowed from it. Errors: ARGUMENT.
MUST Err http_document(const Json *doc, Diag *d, Arena *arena, HttpRules *rules);
// The address a command goes to.
void http_address(const Json *doc, const HttpRule *r, const Command *cmd, Buf *out);

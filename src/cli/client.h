// SPDX-License-Identifier: Apache-2.0
// The HTTP client of the command line: one connection to a running server (libcurl), its errors turned back into Err.
// A Client belongs to one thread; several may live at once.
#pragma once
#include <curl/curl.h>
#include "cli/command.h"
#include "codec/json.h"

#define URL_DEFAULT "http://127.0.0.1:7474"

typedef struct Client Client;
struct Client {
    CURL *curl;
    struct curl_slist *auth;    // headers of every request
    Str url;                    // scheme://host:port, without a slash at the end
    Str world;                  // "" or the name of a fork or past world
    Arena names;                // of it
    Arena keep;                 // url, paths of the current call, parsed bodies; see client_reset
    Buf body;                   // of the last answer
    Buf message;                // sentence of the last failure
    Buf code;                   // wire code of the last failure
    int64_t status;             // 0: no answer
    int32_t retry_after_s;      // 0: none asked for
    char etag[64];              // "" when there was none
    Buf link;                   // the Link header, empty when there was none
    bool untrusted;             // no answer because of the server's certificate
    void (*waiting)(void *arg); // called now and then while an answer is awaited; NULL: not
    void *waiting_arg;
};

typedef struct Call {
    const char *method; // NULL: GET
    Str path;           // from client_path
    Str body;
    const char *type; // content type; NULL: application/json
    Str if_match;
    Str if_none_match;
    int64_t page_size; // max-items-per-page; 0: the server's own
    bool patient;      // wait for the answer as long as it takes, not 5 minutes
} Call;

// Take the options and the environment (SOSIA_URL, SOSIA_TOKEN). Nothing is sent yet. Errors: ARGUMENT, IO; told.
MUST Err client_open(Client *c, const Common *common);
void client_close(Client *c);
// Use another world: "live", a fork, or one of the past, whose instant is resolved now (live@-1h). The name is kept in
// `keep`. Errors: ARGUMENT; told.
MUST Err client_world(Client *c, Str name, Arena *keep);
// Forget parsed bodies and paths; call it between the pages or rounds of a long command.
void client_reset(Client *c);
// "/digitaltwins/{}/components/{}" below the client's world, each {} replaced by the next part, percent-encoded; the
// api-version is added. "": the world itself. Patterns that begin with "//" stay outside the world: "//worlds". Lives
// until client_reset.
Str client_path(Client *c, const char *pattern, const Str *parts);
// Send and wait. ERR_OK for 2xx; otherwise the failure by its wire code, with status and message. Tells nothing.
MUST Err client_call(Client *c, const Call *call);
// client_call, then tell the failure with a hint what to do next.
MUST Err client_do(Client *c, const Call *call);
// Tell the last failure.
Err client_tell(const Client *c, Err err);
// Parse the last answer into c->keep. Errors: SYNTAX (told: not a Sosia server).
MUST Err client_json(Client *c, Json *out);
// Print the last answer as it came, with an end of line: what --json shows.
MUST Err client_say(Client *c);

typedef Err (*ClientItemFn)(void *arg, const Json *item);

// Walk a list page by page from `path`: each item goes to fn, at most `limit` of them; *count grows with each. Links of
// the server are followed by their path only, so that a token never leaves for another host. Resets c->keep for each
// page. Errors: those of the calls and of fn; told.
MUST Err client_each(Client *c, Str path, int64_t limit, int64_t *count, ClientItemFn fn, void *arg);

// A GET that never ends (SSE), fed by client_stream_step.
typedef struct Stream {
    Client *client;
    CURLM *multi;
    Buf bytes; // received and not yet taken
    struct curl_slist *headers;
    bool open;
} Stream;

// Begin. `path` from client_path.
MUST Err client_stream_open(Stream *s, Client *c, Str path);
// Wait up to wait_ns for more bytes. Errors: UNREACHABLE (cut or refused), or what the server answered; not told.
MUST Err client_stream_step(Stream *s, int64_t wait_ns);
void client_stream_close(Stream *s);

// Answer of /ingest and /import: {"accepted","rejected","errors":[{"line","code","message"}]}.
typedef struct Verdict {
    int64_t accepted, rejected, late;
    const Json *errors; // array, in c->keep; may be NULL
} Verdict;

// Send a batch and read what became of its lines, also when all were refused. Waits and asks again while the server
// says that it is busy (503, 429), at most `patience_ns`. Errors: of the request as a whole; told.
MUST Err client_batch(Client *c, const Call *call, int64_t patience_ns, Verdict *out);

// Percent-encode everything but unreserved characters (RFC 3986 section 2.3).
void url_escape(Str s, Buf *out);
// The Err that a status and a wire code stand for: the first row of err.def that has both, else the first with the
// status, else IO.
Err err_from_wire(int64_t status, Str wire);

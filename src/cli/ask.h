// SPDX-License-Identifier: Apache-2.0
// Ask: send a question to the server, page by page, and print the answer: for `sosia query` and its shell. One thread.
#pragma once
#include "cli/client.h"
#include "cli/grid.h"
#include "cli/units.h"

typedef enum AskForm { ASK_TABLE, ASK_JSON, ASK_NDJSON, ASK_CSV } AskForm;

typedef struct Ask {
    Client *client;
    AskForm form;
    bool explain;      // the plan instead of the rows
    bool all;          // do not stop after each screen, also on a terminal
    bool quiet;        // no line with rows and time
    int64_t limit;     // rows in all; 0: no limit
    int64_t page_size; // 0: what suits the output
    Units units;       // of the client's world; see ask_init
} Ask;

// Begin; `client` is open. ask_free releases what it learnt.
void ask_init(Ask *a, Client *client);
void ask_free(Ask *a);
// Ask and print to stdout; notes, times and failures go to stderr. Tables come page by page; on a terminal each page
// fits the screen and waits for a key. Errors: those of the call, told, a QUERY with the place in the text; CLOSED:
// interrupted.
MUST Err ask_run(Ask *a, Str text);

// "SQL query parse failed: SQL Parser Error, Line=2, Position=7, Message=..." -> 2, 7 and the message. False when it
// has another form.
bool ask_place(Str message, int64_t *line, int64_t *position, Str *text);
// Append the line of `query` (from 1) with a mark below the code point at `position` (from 0), and below the rest of
// the word there; cut to `width` columns around it. Two lines, each begins with two blanks and ends with \n.
void ask_caret(Str query, int64_t line, int64_t position, int32_t width, Buf *out);
// "0.4 ms", "83 ms", "1.23 s".
void ask_time(int64_t ns, Buf *out);

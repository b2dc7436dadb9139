// SPDX-License-Identifier: Apache-2.0
// The peer every machine has: SQLite in memory, in this process, prepared statements, indexes for what is asked.
#pragma once
#include "question.h"

typedef struct SqlitePeer SqlitePeer;

// Load the city.
SqlitePeer *sqlite_peer_open(const City *c);
void sqlite_peer_close(SqlitePeer *p);
// Ask one variant; the time is of the statement alone.
//   ms  out, milliseconds
Answer sqlite_peer_ask(SqlitePeer *p, const Question *q, const QuestionIds *ids, double *ms);

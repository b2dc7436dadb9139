// SPDX-License-Identifier: Apache-2.0
// Question: what is asked of the city, in the words of Sosia and of each peer, and answers reduced to something that
// can be compared: how many rows, and the sum of all numbers and of a hash of all texts in them.
#pragma once
#include "city.h"

#define QUESTION_VARIANTS_MAX 64

typedef enum QuestionVary { VARY_NOTHING, VARY_NUMBER, VARY_BUILDING, VARY_CITY, VARY_INTO, VARY_ACROSS } QuestionVary;

typedef struct Question {
    const char *name, *unit;
    double goal;         // 0: none
    bool per_row;        // the figure is processor time a twin, in ns; else the time of the answer, in ms
    int32_t variants;    // a round asks each once
    int32_t rounds;      // of Sosia
    int32_t peer_rounds; // of a peer
    QuestionVary vary;
    bool breadth_first; // SQL: not one statement; `sql` gives the next twins of a twin
    const char *sosia;  // {a}, {b}: what varies
    const char *sql;    // ?1, ?2
    const char *cypher; // $a, $b
} Question;

typedef struct QuestionIds {
    char a[CITY_ID_MAX], b[CITY_ID_MAX];
} QuestionIds;

typedef struct Answer {
    int64_t rows;
    double sum;
} Answer;

extern const Question questions[];       // of a million twins; ends with a NULL name
extern const Question depth_questions[]; // of a million and a half

// What variant `n` of a question asks about.
QuestionIds question_ids(const City *c, const Question *q, int32_t n);
// Sosia's text.
void question_text(const Question *q, const QuestionIds *ids, Buf *out);
// Add one text of an answer: FNV-1a, below a million, so that sums are exact.
void answer_text(Answer *a, Str s);
// Read Sosia's page of rows. False when it is none, or not the only one.
bool answer_read(Str body, Answer *out);
bool answer_same(const Answer *a, const Answer *b);

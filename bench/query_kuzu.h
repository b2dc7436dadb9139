// SPDX-License-Identifier: Apache-2.0
// The graph peer, npm `kuzu`, run by node beside us when it is there or can be installed into the build folder.
#pragma once
#include "question.h"

typedef struct KuzuResult {
    const char *name; // of the question
    double ms;        // median; < 0: it could not answer
    int32_t count;
    Answer answers[QUESTION_VARIANTS_MAX];
} KuzuResult;

// Feed the city and ask all questions of a list; one result each in `out`. Returns how many; 0 with a message to stderr
// when there is no node or no kuzu.
//   build   folder with node_modules      folder  for files
int32_t kuzu_ask(const City *c, const Question *list, const char *build, const char *folder, KuzuResult *out,
                 int32_t max);

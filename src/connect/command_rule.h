// SPDX-License-Identifier: Apache-2.0
// What rules for commands have in common, whatever carries them: whom they are for, and texts with names in braces. Any
// thread; may ask the engine a question.
#pragma once
#include "connect/command.h"

#define RULE_TEXT_MAX 1024
#define RULE_PAYLOAD_MAX (16 << 10)

// Whom a rule is for: patterns with `*` for any text; model "" is any.
typedef struct CommandMatch {
    Str twin, name, model;
} CommandMatch;

typedef enum RuleText {
    RULE_PLAIN,  // names as they are
    RULE_URL,    // escaped as one segment of a path
    RULE_FILTER, // each name becomes '+'; no command is needed
} RuleText;

// Whether the rule is for that command; a model counts with those that extend it.
bool command_match(const CommandMatch *m, SosiaConnect *k, const Command *cmd);
// Append the text with {twin}, {component}, {command}, {correlation} and {payload} ("null" when there is none) filled
// in; other braces stay.
void command_expand(Str text, const Command *cmd, RuleText how, Buf *out);

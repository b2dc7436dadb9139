// SPDX-License-Identifier: Apache-2.0
// Names: what the words of a parsed query stand for. Called by query_parse alone.
#pragma once
#include "query/query.h"

// Finish a query whose clauses were parsed: star, whole aliases, aggregates, names of columns, groups, what HAVING and
// ORDER BY speak of. Before it a column has `expr`, `at` and the name of its AS ("" without one), an order has `expr`.
// Errors: SYNTAX with at and end.
MUST Err query_settle(Arena *a, Query *q, Diag *d);
// The number of the alias `name`, or -1. "" is nobody's name.
int32_t query_alias(const Query *q, Str name);
// Room for one more element behind `count` ones: `items` itself, or a copy of twice the size.
void *query_room(Arena *a, void *items, int32_t count, int64_t size);

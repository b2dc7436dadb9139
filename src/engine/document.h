// SPDX-License-Identifier: Apache-2.0
// Documents of a world by collection and name: definitions of derived values, policies of retention. The writer changes
// them in batches like anything else; readers see them through views.
#pragma once
#include "engine/engine.h"

// 1 to `max` letters, digits and, but first, '-', '_' and '.'.
bool document_name_ok(Str s, int64_t max);
// One document into the open batch; "" removes it. Errors: LIMIT.
MUST Err document_do(World *w, Str collection, Str name, Str json, Diag *d);
// Append {"name":...} with the members of one document, or of all of a collection as an array ("" for the name). False:
// there is none of that name.
bool document_show(View *v, Str collection, Str name, Buf *out);

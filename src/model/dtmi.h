// SPDX-License-Identifier: Apache-2.0
// Forms of DTDL texts: identifiers, names, language tags, topics. Pure functions; any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

// Parts of a DTMI.
typedef struct Dtmi {
    Str path;       // "dtmi:com:ex:Room", without version and fragment
    int32_t major;  // 0: none given
    int32_t minor;  // 0: none given
    Str fragment;   // behind '#', or ""
    int32_t labels; // segments behind "dtmi:"
    bool system;    // some segment begins with '_' (made by tools, not for users)
} Dtmi;

// Split any DTMI: version optional, fragment and system segments allowed. False when malformed; out untouched then.
bool dtmi_parse(Str s, Dtmi *out);
// An identifier a model of DTDL `version` may define or refer to: v2 wants a whole version number, v3 and v4 take
// none, a major one, or major and minor. No fragment, no system segment. Length is not looked at.
bool dtmi_ok(Str s, int version);
// Letter, then letters, digits and '_', not ending in '_'. Length is not looked at.
bool dtdl_name_ok(Str s);
// "en", "en-US", "zh-Hans-CN", "es-419".
bool lang_ok(Str s);
// Has a URI scheme: letter, letters, digits, "+-.", then ':'.
bool iri_like(Str s);
// mqtt extension: a topic pattern, and a group id.
bool mqtt_topic_ok(Str s);
bool mqtt_label_ok(Str s);
// Characters (UTF-16 units, as the reference parser counts) of valid UTF-8.
int64_t text_length(Str s);

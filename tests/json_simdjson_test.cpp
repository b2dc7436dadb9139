// SPDX-License-Identifier: Apache-2.0
// Differential test: on random, damaged and nested documents our reader and simdjson's DOM give the same verdict and
// the same values. A failure prints its seed. Usage: json_simdjson_test [seed] [rounds].
//
// Known, intended differences, allowed for below: none in verdicts within the limits (depth 512, 64-bit and double
// numbers); simdjson reads integers above 2^63 - 1 as uint64 where we read a double, and integers beyond 2^64 - 1 it
// refuses in this version, where we read a double.
#include <simdjson.h>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
extern "C" {
#include "codec/json.h"
}

namespace dom = simdjson::dom;
using Random = std::mt19937_64;

static uint64_t below(Random &r, uint64_t n) { return r() % n; }

static std::string random_number(Random &r) {
    char t[64];
    switch (below(r, 6)) {
    case 0: snprintf(t, sizeof t, "%" PRId64, int64_t(r()) >> below(r, 64)); break;
    case 1: snprintf(t, sizeof t, "%.*g", int(1 + below(r, 20)), double(int64_t(r())) / 1e12); break;
    case 2: snprintf(t, sizeof t, "%" PRIu64 ".%" PRIu64 "e%d", r() >> 30, r() >> 20, int(below(r, 600)) - 300); break;
    case 3: snprintf(t, sizeof t, "%" PRIu64 "e%d", r() >> below(r, 64), int(below(r, 700)) - 350); break;
    case 4: snprintf(t, sizeof t, "%" PRIu64, r()); break;
    default: {
        uint64_t bits = r();
        double d;
        memcpy(&d, &bits, sizeof d);
        snprintf(t, sizeof t, "%.17g", d - d == 0 ? d : 0.5);
    }
    }
    return t;
}

static std::string random_string(Random &r) {
    static const char *const pieces[] = {"a",
                                         "key",
                                         "\\n",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\xC3\xA4",
                                         "\xE2\x82\xAC",
                                         "\\\"",
                                         "0123456789abcdef",
                                         " ",
                                         "\xF0\x9F\x98\x80",
                                         "\\/",
                                         "\\\\",
                                         "{",
                                         "]"};
    std::string s = "\"";
    for (uint64_t n = below(r, 12); n; n--) s += pieces[below(r, sizeof pieces / sizeof *pieces)];
    return s + "\"";
}

static void random_value(Random &r, std::string &out, int depth) {
    uint64_t kind = below(r, depth > 5 ? 5 : 8);
    if (kind < 2) out += random_number(r);
    else if (kind == 2) out += random_string(r);
    else if (kind == 3) out += below(r, 2) ? "true" : "false";
    else if (kind == 4) out += "null";
    else {
        bool object = below(r, 2);
        out += object ? '{' : '[';
        for (uint64_t n = below(r, 6), i = 0; i < n; i++) {
            if (i) out += below(r, 2) ? "," : " ,\n\t  ";
            if (object) out += random_string(r) + (below(r, 2) ? ":" : " : ");
            random_value(r, out, depth + 1);
        }
        out += object ? '}' : ']';
    }
}

static void damage(Random &r, std::string &s) {
    static const char bytes[] = "{}[]\",:\\u0123456789eE+-. \n\ttruefalsn\x80\xC3\xE2\xF0\xFF\x1f";
    for (uint64_t n = 1 + below(r, 3); n && !s.empty(); n--) {
        size_t at = below(r, s.size());
        switch (below(r, 4)) {
        case 0: s[at] = bytes[below(r, sizeof bytes - 1)]; break;
        case 1: s.erase(at, 1 + below(r, 4)); break;
        case 2: s.insert(at, 1, bytes[below(r, sizeof bytes - 1)]); break;
        default: s.resize(at);
        }
    }
}

static bool same(dom::element e, const Json &v);

static bool same_number(dom::element e, const Json &v) {
    switch (e.type()) {
    case dom::element_type::INT64: return v.type == JSON_INT && v.i == int64_t(e);
    case dom::element_type::UINT64: return v.type == JSON_DOUBLE && v.d == double(uint64_t(e));
    default: {
        double d = double(e);
        return v.type == JSON_DOUBLE && memcmp(&d, &v.d, sizeof d) == 0;
    }
    }
}

static bool same_text(std::string_view a, Str b) {
    return a.size() == size_t(b.n) && (a.empty() || memcmp(a.data(), b.p, a.size()) == 0);
}

static bool same_object(dom::object o, const Json &v) {
    int32_t i = 0;
    for (auto field : o) {
        if (i >= v.count || !same_text(field.key, v.members[i].key) || !same(field.value, v.members[i].value))
            return false;
        i++;
    }
    return i == v.count;
}

static bool same_array(dom::array a, const Json &v) {
    int32_t i = 0;
    for (dom::element e : a) {
        if (i >= v.count || !same(e, v.items[i])) return false;
        i++;
    }
    return i == v.count;
}

static bool same(dom::element e, const Json &v) {
    switch (e.type()) {
    case dom::element_type::NULL_VALUE: return v.type == JSON_NULL;
    case dom::element_type::BOOL: return v.type == (bool(e) ? JSON_TRUE : JSON_FALSE);
    case dom::element_type::STRING: return v.type == JSON_STRING && same_text(std::string_view(e), v.s);
    case dom::element_type::ARRAY: return v.type == JSON_ARRAY && same_array(dom::array(e), v);
    case dom::element_type::OBJECT: return v.type == JSON_OBJECT && same_object(dom::object(e), v);
    default: return same_number(e, v);
    }
}

struct Counts {
    long accepted = 0, refused = 0, beyond_uint64 = 0;
};

// True when both agree on the text.
static bool check(dom::parser &parser, Arena *arena, const std::string &s, Counts &n) {
    // Exactly as long as the text: reading beyond it is seen by the sanitizer.
    std::unique_ptr<char[]> copy(new char[s.size() ? s.size() : 1]);
    memcpy(copy.get(), s.data(), s.size());
    Str text = {copy.get(), int64_t(s.size())};
    Json v;
    arena_reset(arena);
    Err own = json_parse(text, nullptr, arena, &v, nullptr);
    JsonScan scan;
    json_scan_init(&scan, text);
    bool scanned = json_scan_skip(&scan, nullptr) && json_scan_end(&scan);
    if (scanned != (own == ERR_OK)) return false;
    dom::element e;
    auto peer = parser.parse(s).get(e);
    if (peer == simdjson::NUMBER_ERROR && own == ERR_OK) { // whole numbers beyond 64 bits
        n.beyond_uint64++;
        return true;
    }
    if (s.compare(0, 3, "\xEF\xBB\xBF") == 0) return own == ERR_SYNTAX; // a byte order mark we always refuse
    (own == ERR_OK ? n.accepted : n.refused)++;
    if ((own == ERR_OK) != (peer == simdjson::SUCCESS)) return false;
    return own != ERR_OK || same(e, v);
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], nullptr, 10) : 20261122;
    long rounds = argc > 2 ? atol(argv[2]) : 150000;
    dom::parser parser;
    if (parser.allocate(1 << 20, JSON_DEPTH_MAX)) return 2;
    Arena arena;
    arena_init(&arena, 0);
    Counts n;
    for (long i = 0; i < rounds; i++) {
        Random r(seed + uint64_t(i));
        std::string s;
        random_value(r, s, 0);
        if (i % 3) damage(r, s);
        if (!check(parser, &arena, s, n)) {
            fprintf(stderr, "seed %" PRIu64 ": the readers differ on: %s\n", seed + uint64_t(i), s.c_str());
            return 1;
        }
    }
    arena_free(&arena);
    printf("json/simdjson: %ld accepted by both, %ld refused by both, %ld with numbers beyond 64 bits\n", n.accepted,
           n.refused, n.beyond_uint64);
    return n.accepted > rounds / 4 && n.refused > rounds / 4 ? 0 : 1;
}

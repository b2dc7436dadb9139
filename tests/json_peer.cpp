// SPDX-License-Identifier: Apache-2.0
// The work of src/codec/json_bench.c done by simdjson: On-Demand over the lines, DOM over the document.
#include <simdjson.h>

extern "C" double peer_scan_lines(const char *const *lines, const size_t *sizes, int count);
extern "C" double peer_dom(const char *text, size_t size);

static double scan_line(simdjson::ondemand::parser &parser, const char *line, size_t size) {
    double sum = 0;
    auto doc = parser.iterate(line, size, size + simdjson::SIMDJSON_PADDING);
    for (auto field : doc.get_object()) {
        std::string_view key = field.unescaped_key(), text;
        sum += key.size() == 0;
        simdjson::ondemand::value v = field.value();
        if (v.type() == simdjson::ondemand::json_type::string) {
            text = v.get_string();
            sum += double(text.size());
        } else {
            sum += double(v.get_double());
        }
    }
    return sum;
}

double peer_scan_lines(const char *const *lines, const size_t *sizes, int count) {
    static simdjson::ondemand::parser parser;
    double sum = 0;
    for (int i = 0; i < count; i++) sum += scan_line(parser, lines[i], sizes[i]);
    return sum;
}

double peer_dom(const char *text, size_t size) {
    static simdjson::dom::parser parser;
    simdjson::dom::element doc = parser.parse(text, size);
    return double(simdjson::dom::array(doc).size());
}

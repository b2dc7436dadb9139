// SPDX-License-Identifier: Apache-2.0
#include "connect/command_rule.h"

// `*` stands for any text.
static bool fits(Str pattern, Str s) {
    int64_t p = 0, i = 0, star = -1, mark = 0;
    while (i < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = i;
        } else if (p < pattern.n && pattern.p[p] == s.p[i]) {
            p++;
            i++;
        } else if (star >= 0) {
            p = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

// The twin is of that model, or of one that extends it.
static bool is_of_model(SosiaConnect *k, const Command *cmd, Str model) {
    Buf text = {0};
    buf_printf(&text, "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.$dtId = '");
    for (int64_t i = 0; i < cmd->twin.n; i++) {
        if (cmd->twin.p[i] == '\'' || cmd->twin.p[i] == '\\') buf_byte(&text, '\\');
        buf_byte(&text, cmd->twin.p[i]);
    }
    buf_printf(&text, "' AND IS_OF_MODEL(T, '%.*s')", STR_ARG(model));
    SosiaAnswer answer = {0};
    SosiaErr err = sosia_query(k->engine, NULL, &(SosiaQuery){.world = cmd->world, .text = buf_str(&text)}, &answer);
    bool yes = !err && answer.rows > 0;
    sosia_answer_free(&answer);
    buf_free(&text);
    return yes;
}

bool command_match(const CommandMatch *m, SosiaConnect *k, const Command *cmd) {
    return fits(m->twin, cmd->twin) && fits(m->name, cmd->name) && (!m->model.n || is_of_model(k, cmd, m->model));
}

static void put_escaped(Str s, Buf *out) {
    for (int64_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (alnum || c == '-' || c == '_' || c == '~' || (c == '.' && s.n > 2)) buf_byte(out, (char)c);
        else buf_printf(out, "%%%02X", c); // also the dots of ".", ".."
    }
}

void command_expand(Str text, const Command *cmd, RuleText how, Buf *out) {
    static const Str names[] = {
        {"{twin}", 6}, {"{component}", 11}, {"{command}", 9}, {"{correlation}", 13}, {"{payload}", 9}};
    static const Command nothing;
    const Command *c = how == RULE_FILTER ? &nothing : cmd;
    const Str values[] = {c->twin, c->component, c->name, str_of(c->correlation),
                          c->payload.n ? c->payload : STR("null")};
    while (text.n) {
        size_t i = 0, count = sizeof names / sizeof *names;
        while (i < count && !str_starts(text, names[i])) i++;
        if (i == count) buf_byte(out, text.p[0]);
        else if (how == RULE_FILTER) buf_byte(out, '+');
        else if (how == RULE_URL) put_escaped(values[i], out);
        else buf_str_put(out, values[i]);
        text = str_sub(text, i == count ? 1 : names[i].n, text.n);
    }
}

// SPDX-License-Identifier: Apache-2.0
// The closed loop as embedders see it. So far it refuses everything; what is said of it in sosia.h is on its way.
#include "engine/engine.h"

void sosia_commander(Sosia *s, SosiaCommander fn, void *ctx) {
    (void)s;
    (void)fn;
    (void)ctx;
}

SosiaErr sosia_decisions(Sosia *s, const SosiaCaller *who, const SosiaDecisions *d, SosiaOut *out) {
    (void)s;
    (void)who;
    (void)d;
    (void)out;
    return SOSIA_UNSUPPORTED;
}

SosiaErr sosia_decision(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out) {
    (void)s;
    (void)who;
    (void)id;
    (void)out;
    return SOSIA_UNSUPPORTED;
}

SosiaErr sosia_decide(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaStr verb, SosiaStr note, SosiaOut *out) {
    (void)verb;
    (void)note;
    return sosia_decision(s, who, id, out);
}

SosiaErr sosia_decision_replay(Sosia *s, const SosiaCaller *who, uint64_t id, SosiaOut *out) {
    return sosia_decision(s, who, id, out);
}

SosiaErr sosia_propose(Sosia *s, const SosiaCaller *who, SosiaStr rule, SosiaStr twin, SosiaOut *out) {
    (void)rule;
    (void)twin;
    return sosia_decision(s, who, 0, out);
}

SosiaErr sosia_decisions_stop(Sosia *s, const SosiaCaller *who, bool stop) {
    (void)s;
    (void)who;
    (void)stop;
    return SOSIA_UNSUPPORTED;
}

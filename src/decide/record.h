// SPDX-License-Identifier: Apache-2.0
// Records of decisions: everything from what set a rule off to what came of it, so that people can read it, the guard
// can check it and a replay can repeat it. A Decision is the record in memory; JSON is how it is kept.
//
//   proposing -> waiting -> approved -> sending -> watching -> kept | left | rolledBack
//        |          |          |           `--> failed | unknown
//        |          `--> refused | expired | stopped        (a choice without a command goes from approved to watching)
//        `--> nothing | noneWithin | stale | shadow | failed | refused (busy) | stopped
//
// Whose memory: texts and arrays of a Decision live in the arena given with each call, or are borrowed from what was
// read. One thread at a time. No clock.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "decide/rule.h"

#define DECISION_KIND STR("sosia.decision") // items: by number in 16 hex digits
#define DECISION_LOG_MAX 200                // entries; the last one says that more came
#define DECISION_VALUES_MAX 100             // of a trigger; further ones are not kept
#define DECISION_VERDICTS_MAX 16            // of an approval
#define DECISION_INSTANTS_MAX 1000          // of a watch
#define DECISION_STEPS_MAX 16               // a way from state to state has fewer; the last one stays the present one
#define DECISION_LEVEL 0.95                 // of all intervals

typedef enum DecisionState { // ORDER DECISION_STATE: names in record.c
    DECISION_PROPOSING,
    DECISION_WAITING, // for approval
    DECISION_APPROVED,
    DECISION_SENDING, // durable before its command leaves
    DECISION_WATCHING,
    DECISION_KEPT, // the first that has ended
    DECISION_LEFT,
    DECISION_ROLLED_BACK,
    DECISION_REFUSED,
    DECISION_EXPIRED,
    DECISION_NOTHING,     // nothing was best
    DECISION_NONE_WITHIN, // all break a limit
    DECISION_STALE,
    DECISION_SHADOW,
    DECISION_FAILED,
    DECISION_UNKNOWN, // the process died while sending
    DECISION_STOPPED,
    DECISION_STATES
} DecisionState;

typedef struct DecisionValue {
    Str twin, property;
    Str value;       // JSON, compact
    int64_t time_ns; // of its source
} DecisionValue;

typedef struct DecisionLimit {
    Str kpi;
    double min, max;
    double worst;        // the value nearest to the bound, or furthest beyond it; NaN: one was not known
    int32_t replication; // where that was
    bool holds;          // in all replications
    double *samples;     // by replication
} DecisionLimit;

typedef struct DecisionAlternative {
    Str action;                       // "nothing" first, then as declared
    double mean, low, high;           // of the objective with the cost of the action
    double gain, gain_low, gain_high; // more money than "nothing", paired by replication; > 0 is better
    double *samples;                  // of the objective with the cost of the action, by replication
    DecisionLimit *limits;            // as declared
    Str dropped;                      // why; "": it is within all limits
} DecisionAlternative;

typedef struct DecisionVerdict {
    Str who, verdict, note; // verdict: "approve" or "refuse"
    Str hash;               // of what was seen
    int64_t at_ns;
} DecisionVerdict;

typedef struct DecisionCommand {
    RuleCommand c;                // name "": none
    int64_t sent_ns, answered_ns; // 0: not yet
    int32_t status;               // of the answer
    Str error;                    // wire code; "": it succeeded, or there is no answer yet
    Str answer;                   // JSON or text, at most DECISION_ANSWER_MAX bytes are kept
    int64_t asked_ns;             // rollback: when it was asked for; 0: it was not
    Str by;                       // rollback: by whom; "": by itself
} DecisionCommand;
#define DECISION_ANSWER_MAX 4096

// A KPI watched against its predicted band: decide/band.h.
typedef struct DecisionWatch {
    Str kpi, unit;
    int64_t begin_ns, until_ns; // of the watch
    int32_t count, patience;
    int64_t *times; // ascending, after begin_ns
    double *low, *high, *mean;
    double *seen; // of the first seen_count instants; NaN: not known
    int32_t seen_count;
    int32_t outside; // instants in a row, up to the last seen
    int64_t left_ns; // 0: it did not leave
    double margin;
} DecisionWatch;

typedef struct DecisionStep {
    DecisionState state;
    int64_t at_ns;
} DecisionStep;

typedef struct DecisionLog {
    int64_t at_ns;
    Str what;
} DecisionLog;

typedef struct Decision {
    uint64_t id;
    Str rule, twin;
    DecisionState state;
    RuleMode mode; // as it was set off: never bolder than the rule's
    Str by;        // who asked for it; "": the rule itself
    Str world;     // "live@TIME"
    uint64_t sequence;
    // What set it off.
    int64_t since_ns, at_ns;
    DecisionValue *values;
    int32_t value_count;
    // What was tried.
    Str definition; // the rule as it was, JSON, compact (as definitions are kept)
    uint64_t seed;
    int32_t replications;
    int64_t ahead_ns;
    Str objective, unit; // KPI, and its unit
    int better;          // 1: more is better, -1: less
    DecisionAlternative *alternatives;
    int32_t alternative_count, limit_count; // limits of each
    Str choice, why;                        // "": there is none
    Str hash;                               // decision_seal; "": not sealed yet
    // What became of it.
    int64_t due_ns; // of approval; 0: none is asked for
    DecisionVerdict *verdicts;
    int32_t verdict_count;
    DecisionCommand command, rollback;
    DecisionWatch watch; // count 0: none
    DecisionStep *steps; // the states it has been in, ascending by time; room for DECISION_STEPS_MAX
    int32_t step_count;  // 0: nobody wrote them down
    DecisionLog *log;
    int32_t log_count;
    int64_t ended_ns; // 0: under way
} Decision;

// "proposing", ... Static memory.
const char *decision_state_name(DecisionState s);
// False when there is no such state.
bool decision_state_of(Str name, DecisionState *out);
// Nothing more will happen.
bool decision_ended(DecisionState s);

// Append the record as JSON, compact: the same Decision gives the same bytes.
void decision_put(const Decision *x, Buf *out);
// Append the short form for lists: id, rule, twin, state, at, choice, why, gain with its interval, due.
void decision_put_short(const Decision *x, Buf *out);
// Read what decision_put wrote; arrays and texts in `a` and of `v`. All bounds are checked: numbers of samples agree
// with replications, of limits with each other, instants ascend. Errors: ARGUMENT, LIMIT, told.
MUST Err decision_of(Arena *a, const Json *v, Decision *out, Diag *d);

// Set hash: SHA-256 over what was decided, and by what: world, sequence, rule, twin, mode, by, trigger, definition,
// seed, replications, ahead, objective, alternatives, choice, why and command (as it is sent). None of them may change
// any more. Approvals are bound to it, the guard computes it again.
void decision_seal(Decision *x, Arena *a);
// The same of a record as JSON: 64 hex digits and a NUL.
void decision_hash(const Json *record, char out[65]);

// It has come to x->state: append that to the steps, when the last one is another. Returns whether it was.
bool decision_step(Decision *x, Arena *a, int64_t at_ns);
// The state that it was in then; `present` when the steps do not tell.
DecisionState decision_state_at(const DecisionStep *steps, int32_t count, int64_t at_ns, DecisionState present);
// Append to the log; past DECISION_LOG_MAX nothing is added.
void decision_log(Decision *x, Arena *a, int64_t at_ns, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
// The device answered, or did not: error "" is success, else a wire code. Of the answer DECISION_ANSWER_MAX bytes are
// kept.
void decision_answered(DecisionCommand *c, Arena *a, int64_t at_ns, int32_t status, Str error, Str answer);
// Somebody's verdict, bound to the hash as it is. Errors: ARGUMENT (neither "approve" nor "refuse"), NOT_ALLOWED
// (not waiting, not sealed, too late, or that person already said something), LIMIT.
MUST Err decision_verdict(Decision *x, Arena *a, Str who, Str verdict, Str note, int64_t at_ns);
// Different people that approved this hash in time, and nobody refused; -1: somebody refused.
int32_t decision_approvals(const Decision *x);

// Does the record (JSON) name the twin anywhere: as a value, or as a word within a text?
bool decision_names(const Json *record, Str twin);
// Append the record without that twin: "" where it was the value, "(erased)" within texts. The hash stays: who checks
// it sees that something was taken out.
void decision_forget(const Json *record, Str twin, Buf *out);

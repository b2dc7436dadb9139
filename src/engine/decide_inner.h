// SPDX-License-Identifier: Apache-2.0
// Inside of the closed loop, for src/engine/decide*.c only: records at work, rules that are watched, mail.
#pragma once
#include "decide/band.h"
#include "decide/choose.h"
#include "decide/guard.h"
#include "decide/trigger.h"
#include "engine/decide.h"
#include "expr/expr.h"

// ---- records ------------------------------------------------------------------------------------------------------

// What was erased while somebody had the record: no record tells of it.
typedef struct Gone {
    struct Gone *next;
    Str twin, property; // property "": all of it
} Gone;

// A record that is not at its end, in memory.
typedef struct Work {
    Arena keep; // owns everything of x and rule
    Decision x;
    Rule rule;       // x.definition, for x.twin; read when `ruled`
    bool ruled;      // it could be read
    bool busy;       // the trying thread's
    Arena keep_gone; // of `gone`: the trying thread does not touch it
    Gone *gone;      // newest first
    bool dirty;      // x has what is not durable
    int64_t try_ns;  // mono: not before, when the disk refused
    bool in_flight;  // a command is on its way: its answer comes as mail
    bool undo;       // that is the undo
    int64_t late_ns; // then: no answer is waited for behind this
    Str failed;      // busy: why it could not be tried; "": it could
} Work;

// One of the table. What others look at is changed under the lock.
typedef struct Deed {
    uint64_t id;
    DecisionState state;
    int64_t at_ns, sent_ns; // when it was set off; when its command left, 0: it did not
    bool asked;             // by a person, not by the rule
    DecisionStep steps[DECISION_STEPS_MAX];
    int32_t step_count;
    Str rule, twin; // owned, in one piece at rule.p
    Buf brief;      // short form, as it is durable
    Buf json;       // the same of all of it, while there is `work`
    Work *work;     // the loop's; NULL: it is at its end
} Deed;

// ---- rules --------------------------------------------------------------------------------------------------------

// Numbers of twins, each perhaps several times, and when they were touched.
typedef struct Touch {
    uint64_t twin;
    int64_t time_ns;
} Touch;
typedef struct Twins {
    Touch *items;
    int64_t count, cap;
} Twins;

// A rule of live.
typedef struct Watcher {
    Arena keep; // the definition
    Str name, json;
    Rule rule;
    Trigger trigger;
    // Bound for the catalog at hand.
    Arena bounds;
    Expr *expr;
    const Bound **bound; // by table; NULL: no twin of it is watched
    int32_t table_count;
    uint64_t twin;   // of a rule for one twin; 0: it is not there
    bool clock;      // the condition looks at the time
    bool wide;       // or at other twins
    Twins touched;   // to be looked at
    bool all;        // all are
    bool stale;      // wide: something has changed
    int64_t look_ns; // clock, wide: all of them, not before
    bool full;       // more twins hold than a trigger can tell apart
    bool kept;       // while the list is made anew
} Watcher;

// ---- mail ---------------------------------------------------------------------------------------------------------

typedef enum MailKind { MAIL_DECIDE, MAIL_PROPOSE, MAIL_STOP, MAIL_FORGET, MAIL_ANSWER, MAIL_TRIED } MailKind;
typedef struct Mail {
    struct Mail *next;
    MailKind kind;
    uint64_t id;      // DECIDE, ANSWER, TRIED: of the record
    Str a, b, c;      // DECIDE: verb, note, who; PROPOSE: rule, twin, who; FORGET: twin, property; ANSWER: answer
    bool flag;        // STOP: on; ANSWER: of an undo
    int32_t status;   // ANSWER
    Err err;          // ANSWER: the device's; else what came of it
    Buf text;         // what came of it: the record; or why not
    bool waits, over; // somebody waits on it, and owns it; it is carried out
} Mail;

// A command that was handed over: lives until its answer came, or the decider goes.
typedef struct Ticket {
    struct Ticket *next;
    struct Decider *decider;
    uint64_t id;
    bool undo, told;
} Ticket;

struct Decider {
    Sosia *engine;
    Thread loop, trier;
    _Atomic bool stop;

    pthread_mutex_t send_lock; // guards the two
    SosiaCommander commander;
    void *commander_ctx;
    bool carried; // there was one

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t wake;  // the loop: mail, news of live
    pthread_cond_t more;  // the trying thread
    pthread_cond_t moved; // who waits for mail, or for a later revision
    Mail *first, *last;
    bool news, poked; // of live's feed; rules may have changed
    bool ended;       // no mail is taken any more
    Work *queue[DECISION_QUEUE_MAX];
    int32_t queued;
    uint64_t revision;
    bool stopped; // the kill switch
    Deed **deeds; // ascending by id; the loop's to change
    int32_t count, cap;
    Ticket *tickets;

    // The loop's own.
    uint64_t last_id;
    SosiaFeed *feed; // NULL: there are no rules
    Watcher **watchers;
    int32_t watcher_count;
    const Catalog *catalog; // what they are bound for; compared, never read
    uint64_t since;
    Arena scratch;
    Twins seen;                     // numbers in a batch
    int64_t begun_ns;               // mono: the start
    _Atomic int64_t proposed, sent; // since then
};

// ---- decide.c: the loop -------------------------------------------------------------------------------------------

// What time it is.
int64_t decider_now(const Decider *x);
// Hand over mail of one's own and wait for it. Errors: CLOSED; what came of it is in m->err.
MUST Err decider_ask(Decider *x, Mail *m);
// Mail that nobody waits for: taken over, freed.
void decider_tell(Decider *x, Mail *m);
// Mail with copies of the texts.
Mail *mail_new(MailKind kind, uint64_t id, Str a);
void mail_free(Mail *m);

// ---- decide_keep.c: records ---------------------------------------------------------------------------------------

// Read what the file has. Before the loop runs.
MUST Err deeds_open(Decider *x);
void deeds_free(Decider *x);
Deed *deed_find(Decider *x, uint64_t id);
// A new one, set off at `at_ns`, not durable yet: state proposing, its rule read.
Deed *deed_new(Decider *x, Str rule, Str json, Str twin, int64_t since_ns, int64_t at_ns);
// Its record, as it is now, durable; then seen by others, and at its end out of memory. Errors: those of items: it is
// tried again later (dirty).
MUST Err deed_put(Decider *x, Deed *d);
// One that never was durable.
void deed_drop(Decider *x, Deed *d);
// At its end: d->work again, from the file. Errors: those of items, CORRUPT.
MUST Err deed_load(Decider *x, Deed *d);
// Its record is not changed any more: d->work goes when it is at its end.
void deed_close(Decider *x, Deed *d);
// The oldest that are at their end go while there are too many: what sent nothing before what did.
void deeds_prune(Decider *x);
// Append the record of one as it is durable. Any thread. Errors: DECISION_NOT_FOUND, those of items.
MUST Err deed_show(Decider *x, uint64_t id, Buf *out);
// Behind trying: does it name a twin that was erased meanwhile? Values that were erased go.
bool deed_erased(Deed *d);
// No record names the twin (or, property not "", has a value of that property of it) any more.
MUST Err deeds_forget(Decider *x, Str twin, Str property);
// Make the kill switch durable.
MUST Err switch_put(Decider *x, bool on);

// ---- decide_rules.c: what sets rules off --------------------------------------------------------------------------

// Look at what is new: rules, batches, time; begin what is due.
void rules_poll(Decider *x, int64_t now);
// When to look again if nothing happens; INT64_MAX: not.
int64_t rules_next(Decider *x);
void rules_free(Decider *x);
// Is that still a rule of live, word for word?
bool rules_stand(Decider *x, Str name, Str json);
// Begin a proposal now. by: who asked for it, "": the rule itself. Errors: as sosia_propose; why gets a sentence.
MUST Err rules_propose(Decider *x, Str rule, Str twin, Str by, uint64_t *id, Buf *why);

// ---- decide_values.c ----------------------------------------------------------------------------------------------

// The values that the condition reads at the instant, into w->x; *stale: a sentence when one is older than the rule
// allows, else "". Errors: TWIN_NOT_FOUND, those of expr_bind.
MUST Err work_values(View *v, Work *w, int64_t now, Str *stale);

// ---- decide_try.c: what could be done -----------------------------------------------------------------------------

// The thread that tries.
void *trier_main(void *arg);
// Try a rule (filled in for its twin) on a view of live as it was at begin_ns, with x->seed, x->replications and
// x->ahead_ns: fills in what choose() does and the band. Memory in a. Errors: those of an ensemble, CLOSED.
MUST Err decide_try(Sosia *e, View *v, int64_t begin_ns, const Rule *rule, const _Atomic bool *stop, Arena *a,
                    Decision *x, ChooseEnd *end, Diag *d);

// ---- decide_act.c: what becomes of it -----------------------------------------------------------------------------

// Go on with everything that is due.
void deeds_poll(Decider *x, int64_t now);
int64_t deeds_next(const Decider *x);
// Behind trying: what the choice and the rule's mode say.
void act_tried(Decider *x, Deed *d);
// Somebody's word. Errors: as sosia_decide.
MUST Err act_decide(Decider *x, const Mail *m, Buf *why);
// The answer of a device.
void act_answer(Decider *x, const Mail *m);
// It begins: to the trying thread, or refused for being busy. Durable when this returns OK.
MUST Err act_begin(Decider *x, Deed *d);
// At the start: what stood when the process ended.
void act_resume(Decider *x, Deed *d);

// ---- decide_live.c ------------------------------------------------------------------------------------------------

// What a KPI's expression is in live at that instant (0: now), in its unit; of an integral per second. NaN: not known.
// over: how it is counted (KpiOver).
MUST Err live_kpi(Sosia *e, int64_t at_ns, Str kpi, double *out, int *over);
// What is compared with the band at instant k (from 1 on): `seen` so far, the value there, and how it is counted.
double live_count(int over, const double *seen, int32_t n, double value, double step_s);

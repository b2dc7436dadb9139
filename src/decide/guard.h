// SPDX-License-Identifier: Apache-2.0
// The guard: the last look before a command leaves. Whoever sends a command of a rule calls it with the very record
// that is durable and the very bytes that will leave; unless it says OK, nothing leaves.
//
// It is separate from what makes decisions (rule.c, choose.c): it reads the JSON of the record by itself, trusts no
// conclusion in it and checks again, by the stored samples and the stored definition, that
//  1. the kill switch is off; the record is sealed and its hash is that of its content;
//  2. the choice is an action that the definition declares, it was tried, and it was not dropped; what leaves is the
//     declared command for the record's twin, in every byte that means something;
//  3. every declared limit holds in every replication, every replication is there and known, and by them it is better
//     than "nothing", or "nothing" breaks a limit;
//  4. every number that the envelope names is in the payload, and within its bounds;
//  5. the mode allows it: shadow never; approve with enough different people, in time, bound to this hash, nobody
//     against it, or after a time-out that is declared to act; auto at once;
//  6. it is sent soon after it was allowed (GUARD_SEND_NS), and not more often than mostPerHour.
// The record has its command's `sent` when it is made durable, just before; not yet its `answered`. Approval is due no
// later than `within` and five minutes after the trigger.
// An undo needs 1, 2 (the declared undo), 4, that the command has been sent, and that a person asked for it (rollback's
// `asked` and `by`, who may be called anything but "") or the rule says rollback and the KPI left its band, within
// GUARD_SEND_NS. What cannot be read is refused. Pure; any thread.
#pragma once
#include "base/err.h"
#include "decide/rule.h"

#define GUARD_SEND_NS (INT64_C(60) * 1000000000) // from being allowed to leaving

typedef struct GuardAsk {
    Str record;          // JSON as it is durable: state "sending"; of an undo "watching", "kept", "left", "unknown"
    RuleCommand leaving; // what will leave, to the byte; the time-out is not looked at
    bool undo;           // it is the undo of what was sent
    bool stopped;        // the kill switch
    int64_t now_ns;
    int32_t sent_last_hour; // commands that this rule sent within the hour before now, without this one and undos
} GuardAsk;

// May it leave? Errors: NOT_ALLOWED, with the reason.
MUST Err guard_allows(const GuardAsk *ask, Diag *d);

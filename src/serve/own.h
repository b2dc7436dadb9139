// SPDX-License-Identifier: Apache-2.0
// Sosia's own resources, in the same error shape as the dialect. One handler an operation, called on an I/O thread.
#pragma once
#include "serve/call.h"

// bulk.c: many values or entities in one request
void own_ingest(Call *c);
void own_import(Call *c);

// bulk_ws.c: GET /ingest with an upgrade. Each text message is NDJSON (?format=csv: CSV) as the body of POST /ingest
// (?source=NAME); each is answered in order, when it is durable:
//     {"n":1,"seq":42,"accepted":2,"rejected":0,"errors":[]}
// or {"n":1,"error":{"code":"...","message":"..."}} when it was refused as a whole. While 64 messages (or 16 MiB) are
// under way the socket is not read. A message that is not text: 1003.
void own_ingest_socket(Call *c);

// history.c: GET .../history?properties=a,b&from=&to=&step=&fn=&fill=&order=&limit=&with=source,arrival&format=
void own_history(Call *c);
// What history takes, by model and property.
void own_history_stats(Call *c);
void own_history_deleted(Call *c);
void own_link_history(Call *c);

// derived.c
void own_derived_list(Call *c);
void own_derived_get(Call *c);
void own_derived_put(Call *c);
void own_derived_delete(Call *c);

// retention.c
void own_retention_list(Call *c);
void own_retention_get(Call *c);
void own_retention_put(Call *c);
void own_retention_delete(Call *c);

// files.c: plans, scenes and maps that pages draw twins on. GET /files lists them, GET, PUT and DELETE /files/NAME.
void own_files(Call *c);
void own_file_get(Call *c);
void own_file_put(Call *c);
void own_file_delete(Call *c);

// definition.c: what people define for simulation, below /behaviours, /mappings, /kpis, /whatifs and
// /rules.
void own_definition_list(Call *c);
void own_definition_get(Call *c);
void own_definition_put(Call *c);
void own_definition_delete(Call *c);

// run.c: POST /worlds/NAME/run {"for" or "until","speed","output","steps","solver","rtol","atol","changes":[{"at",
// "twin","property","value"}]} lets a fork move, POST /worlds/NAME/pause has it stand, GET /worlds/NAME/run tells how
// far it is.
void own_run(Call *c);
void own_run_pause(Call *c);
void own_run_status(Call *c);
void own_run_trace(Call *c);

// ensemble.c: POST, GET and DELETE /worlds/NAME/ensemble begin one, tell of the newest, have it end; GET /ensembles
// lists all, GET /ensembles/ID?format=json|html|svg&samples=true shows one, POST /ensembles/ID/stop has it
// end, DELETE forgets it.
void own_ensemble(Call *c);
void own_ensemble_look(Call *c);
void own_ensemble_stop(Call *c);
void own_ensembles(Call *c);
void own_ensemble_get(Call *c);
void own_ensemble_end(Call *c);
void own_ensemble_delete(Call *c);

// whatif.c: POST /whatifs/NAME/run {"name","baseline","again"} forks two worlds and lets them run; {"replications"}
// begins an ensemble instead; see sosia_whatif.
void own_whatif_run(Call *c);

#define DECISION_WAITS_MAX 64 // requests that wait for news; others are answered at once

// decision.c: GET /decisions?state=&rule=&twin=&after=&limit=&wait=30s&revision=N lists decisions, or waits until
// something is newer than that revision; GET /decisions/ID; POST /decisions/ID/approve, refuse, rollback {"note"}, POST
// /decisions/ID/replay; POST /decisions/stop, resume; POST /rules/NAME/try {"twin"}. See sosia_decisions and below.
void own_decisions(Call *c);
void own_decision(Call *c);
void own_decide(Call *c);
void own_decision_replay(Call *c);
void own_decisions_stop(Call *c);
void own_decisions_resume(Call *c);
void own_rule_try(Call *c);
// Nobody waits yet.
struct Deciders *deciders_new(Sosia *engine);
// The server stops: who waits is answered, and nobody waits any more. Any thread, also more than once.
void deciders_hurry(struct Deciders *w);
// When no request is left.
void deciders_free(struct Deciders *w);

// erasure.c: POST /erasures {"twin":"ID"[,"property":"PATH"]} is answered with the signed receipt (receipt.h) when
// nothing of it is left, whether the client is still there or not. GET /erasures lists receipts without names,
// GET /erasures/key tells the public key (?format=pem: as PEM).
void own_erase(Call *c);
void own_erasures(Call *c);
void own_erasure_key(Call *c);
struct Erasures *erasures_new(void);
// The server has waited long enough: who still waits is told that the erasure goes on with the next start. Any thread.
void erasures_hurry(struct Erasures *x);
// Nobody waits any more; an erasure that is under way still may end after it.
void erasures_free(struct Erasures *x);

// worlds.c
void own_twins(Call *c);
void own_worlds(Call *c);
void own_world(Call *c);
void own_world_add(Call *c);
void own_world_delete(Call *c);
void own_world_retell(Call *c);

// graph.c: GET /graph?label=&values=a,b&expression=&twins=CONDITION&limit=&links=false, in columns; see sosia_graph.
void own_graph(Call *c);
// GET /stale?older=PT5M&limit=: see sosia_stale.
void own_stale(Call *c);
// happened.c: GET /events?from=&to=&kinds=born,gone&limit=: see sosia_happened.
void own_events(Call *c);

// diff.c: GET /worlds/NAME/diff?against=&model=&twin=&property=&tolerance=&relative= is a page of what differs (see
// sosia_diff); POST /worlds/NAME/merge {"into","only":[{"twin","property"}],"dryRun","skipConflicts","tolerance",
// "relative"} merges (see sosia_merge); 409 with a detail for each conflict.
void own_diff(Call *c);

// compare.c: GET /kpis, GET /compare?worlds=A,B&kpis=x,y&format=json|html|svg&points=N; POST /compare {"worlds",
// "replications","for","kpis","level"} has them run many times over: 202 with an ensemble.
void own_kpis(Call *c);
void own_compare(Call *c);
void own_compare_many(Call *c);
// The parameter `format` as SOSIA_COMPARE_*. False when it was answered.
bool own_format(Call *c, int32_t *out);
// Answer 200 with a document of that format, taken from *body; pages and charts with a policy that allows no scripts.
void own_document(Call *c, int32_t format, Buf *body);
void own_merge(Call *c);

// changes.c: what changes, as server-sent events or, with an upgrade, through a WebSocket. A stream begins with
//     event: ready
//     data: {"world":"live","since":41}
// then one message a batch (its id is the sequence, so a browser resumes by itself):
//     data: {"seq":42,"prev":41,"time":"2026-01-01T00:00:00.0000000Z","source":"plc","changes":[
//            {"op":"set","twin":"room1","model":"dtmi:a:Room;1","path":"temperature","value":21.5,"sourceTime":"..."}]}
//     id: 42
// A WebSocket carries the same JSON, a message each; "event":"ready" and "event":"cut" stand inside.
// `prev` is the sequence of the message before on this subscription (of "ready" at first). Who checks that each prev is
// the seq before has proof that nothing that passes the filter was missed up to that seq; when nothing passes for
// `heartbeat` seconds (15) a message with no changes tells how far that is. A batch of many changes comes in several
// messages of the same seq, all but the last with "more":true and without id: resume behind the last whole one.
// op and its members: set, unset (twin, path[, value][, sourceTime][, late]); twin_put (twin, model), twin_delete
// (twin); link_put, link_delete (twin, link, name, target), link_set, link_unset (twin, link, name, path[, value]);
// model (model[, value]); telemetry (twin[, component][, message], value). `model` is the twin's, where it is known.
// The end, when the server ends it: event: cut, data: {"reason":"...","last":N,"resume":N,"oldest":N}: since=resume
// goes on without a gap while it is not below oldest. Close codes: 1001 stopping, 1013 too slow.
// Query: since=SEQ (or header Last-Event-ID; 410 with "oldest" when that is no longer kept); filters, repeatable, each
// kind lets pass what one of its values does, all kinds must: twin=ID (and relationships at either end), model=DTMI
// (and subtypes), property=PATH (and what lies inside), relationship=NAME, op=OP, where=CONDITION on the twin
// (as WHERE of a question, looked at when the change is sent).
// mode=latest&rate=10: the newest of each value, rate messages a second.
// slow=conflate: the same, while the client does not keep up; slow=cut: everything, until it is no longer kept.
// snapshot=true: first what is there, as messages with "snapshot":true of one sequence, then what came behind it.
void own_changes(Call *c);

// watch.c: one WebSocket for everything a page shows. GET /watch[?since=SEQ]; the client says
//     {"subscribe":{"id":"a","twins":[IDS],"models":[DTMIS],"properties":[PATHS],"where":"CONDITION",
//                   "what":["values","twins","links","linkValues"],"interval_ms":250}}
//     {"unsubscribe":"a"}
// and is told {"ready":"live","seq":41,"since":41}, {"subscribed":"a","seq":41,...}, {"error":{"id","code","message"}},
// then, at most once an interval, what an interest wants:
//     {"id":"a","seq":57,"since":57,"time":"...","changes":[["pump1","flow",12.5,1793520000000],{"gone":"pump2"}]}
void own_watch(Call *c);

// outer.c: passed on to ServeConfig.connect
void own_connections(Call *c);
void own_endpoints(Call *c);
void own_write(Call *c);
void own_command(Call *c);
void own_component_command(Call *c);

// influx.c: what clients that write to InfluxDB ask beside /write
void own_ping(Call *c);
// A form sent to /query, which only InfluxDB's clients do; own_influx_query answers it.
bool own_is_influx_query(Call *c);
void own_influx_query(Call *c);

// login.c: POST /session {"token":"..."} gives a cookie that stands for the token, DELETE /session ends it,
// GET /session is {"required":bool,"principal":"token-3" or null}.
void own_login(Call *c);
void own_logout(Call *c);
void own_session(Call *c);
// What the guard is asked about every request: its headers but for `authorization`, the time.
GuardAsk login_ask(Call *c);

// health.c
void own_healthz(Call *c);
void own_readyz(Call *c);
void own_metrics(Call *c);

// openapi.c
void own_openapi(Call *c);

// page.c
void own_page(Call *c);
void own_page_css(Call *c);
void own_page_js(Call *c);

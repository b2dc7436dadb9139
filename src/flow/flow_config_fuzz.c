// SPDX-License-Identifier: Apache-2.0
// Bytes as a config: read, or refused with a reason. What is read is made into a model, its kinds in a row, and that is
// a model or refused with a reason; a model runs for a while.
#include "base/check.h"
#include "flow/config.h"

static void run(const FlowModel *m) {
    Flow *f = flow_open(m);
    Diag d = {0};
    Err e = flow_start(f, &(FlowStart){.seed = 1, .items_max = 200}, &d);
    for (int i = 0; i < 300 && e == ERR_OK; i++) {
        double t = flow_event_time(f);
        if (t > 1e9) break;
        e = flow_until(f, t, &d);
        if (flow_events(f) > 5000) break;
    }
    if (e == ERR_OK) flow_verify(f);
    else CHECK(d.count > 0);
    diag_free(&d);
    flow_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    FlowConfig *c = NULL;
    FlowModel *m = NULL;
    Diag d = {0};
    FlowNode nodes[8];
    FlowEdge edges[8] = {{0}};
    if (flow_config_read((Str){(const char *)data, (int64_t)size}, &c, &d) != ERR_OK) {
        CHECK(d.count > 0);
        diag_free(&d);
        return 0;
    }
    FlowDef def = c->def;
    for (uint32_t i = 0; i < c->kind_count && i < 8; i++) {
        if (c->kinds[i].resource) continue;
        nodes[def.node_count] = c->kinds[i].node;
        nodes[def.node_count++].twin = i;
    }
    for (uint32_t i = 0; i + 1 < def.node_count; i++) {
        edges[i] = i < c->way_count ? c->ways[i].edge : (FlowEdge){.weight = 1};
        edges[i].from = i;
        edges[i].to = i + 1;
        def.edge_count++;
    }
    def.nodes = nodes;
    def.edges = edges;
    // Items that go round for nothing stop by a limit, which takes its time.
    bool slow = false;
    for (uint32_t i = 0; i < def.node_count; i++) slow |= nodes[i].kind == FLOW_SOURCE;
    if (flow_make(&def, &m, &d) != ERR_OK) CHECK(d.count > 0);
    else if (!slow || nodes[0].gap) run(m);
    flow_model_free(m);
    flow_config_free(c);
    diag_free(&d);
    return 0;
}

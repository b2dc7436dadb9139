// SPDX-License-Identifier: Apache-2.0
// The engine "flow" of simulations: items over a graph of twins (docs/flow.md). Its model is made at the first react,
// from the mapping's config (flow/config.h), the graph and the parameters of the twins, and lies in the state with what
// moves; so a fork of a run takes both along.
#pragma once
#include <sosia/sosia_engine.h>

extern const sim_engine flow_engine;

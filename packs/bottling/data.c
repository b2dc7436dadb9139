// SPDX-License-Identifier: Apache-2.0
// Models, graph, derived values and what simulations go by inside the program, as files on disk are.
__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global bottling_models, bottling_models_end, bottling_graph, bottling_graph_end, bottling_derived, "
        "bottling_derived_end, bottling_simulation, bottling_simulation_end, bottling_definitions, "
        "bottling_definitions_end\n"
        "bottling_models: .incbin \"" BOTTLING_MODELS "\"\n"
        "bottling_models_end: .byte 0\n"
        "bottling_graph: .incbin \"" BOTTLING_GRAPH "\"\n"
        "bottling_graph_end: .byte 0\n"
        "bottling_derived: .incbin \"" BOTTLING_DERIVED "\"\n"
        "bottling_derived_end: .byte 0\n"
        "bottling_simulation: .incbin \"" BOTTLING_SIMULATION "\"\n"
        "bottling_simulation_end: .byte 0\n"
        "bottling_definitions: .incbin \"" BOTTLING_DEFINITIONS "\"\n"
        "bottling_definitions_end: .byte 0\n"
        ".global bottling_files, bottling_files_end\n"
        "bottling_files: .incbin \"" BOTTLING_FILES "\"\n"
        "bottling_files_end: .byte 0\n"
        ".previous\n");

extern const int bottling_data_present; // a translation unit needs a declaration

// SPDX-License-Identifier: Apache-2.0
// Models, graph, derived values and definitions inside the program, as files on disk are.
__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global hospital_models, hospital_models_end, hospital_graph, hospital_graph_end, hospital_derived, "
        "hospital_derived_end, hospital_definitions, hospital_definitions_end\n"
        "hospital_models: .incbin \"" HOSPITAL_MODELS "\"\n"
        "hospital_models_end: .byte 0\n"
        "hospital_graph: .incbin \"" HOSPITAL_GRAPH "\"\n"
        "hospital_graph_end: .byte 0\n"
        "hospital_derived: .incbin \"" HOSPITAL_DERIVED "\"\n"
        "hospital_derived_end: .byte 0\n"
        "hospital_definitions: .incbin \"" HOSPITAL_DEFINITIONS "\"\n"
        "hospital_definitions_end: .byte 0\n"
        ".global hospital_files, hospital_files_end\n"
        "hospital_files: .incbin \"" HOSPITAL_FILES "\"\n"
        "hospital_files_end: .byte 0\n"
        ".previous\n");

extern const int hospital_data_present; // a translation unit needs a declaration

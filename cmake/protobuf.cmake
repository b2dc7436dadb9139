# SPDX-License-Identifier: Apache-2.0
# sosia_protobuf(FLOOR FILE): generate X.pb-c.[ch] from src/FLOOR/X.proto into the build folder and compile them into
# the floor. What protoc-c writes is not ours to keep free of warnings.
find_program(SOSIA_PROTOC_C protoc-c)
function(sosia_protobuf floor file)
  if(NOT SOSIA_PROTOC_C)
    message(FATAL_ERROR "protoc-c not found: tools/deps build")
  endif()
  get_filename_component(name ${file} NAME_WE)
  get_filename_component(from ${CMAKE_SOURCE_DIR}/${file} DIRECTORY)
  set(to ${CMAKE_BINARY_DIR}/protobuf/${floor}) # included as "FLOOR/X.pb-c.h"
  file(MAKE_DIRECTORY ${to})
  add_custom_command(
    OUTPUT ${to}/${name}.pb-c.c ${to}/${name}.pb-c.h
    COMMAND ${SOSIA_PROTOC_C} --c_out=${to} -I${from} ${CMAKE_SOURCE_DIR}/${file}
    DEPENDS ${CMAKE_SOURCE_DIR}/${file}
    COMMENT "Generating ${name}.pb-c.c")
  # A target of its own: what includes the header may not be compiled before it is there.
  add_custom_target(protobuf_${name} DEPENDS ${to}/${name}.pb-c.c ${to}/${name}.pb-c.h)
  add_dependencies(sosia_${floor} protobuf_${name})
  target_sources(sosia_${floor} PRIVATE ${to}/${name}.pb-c.c)
  set_source_files_properties(${to}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
  target_include_directories(sosia_${floor} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/protobuf)
endfunction()

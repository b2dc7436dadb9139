# SPDX-License-Identifier: Apache-2.0
# sosia_embed(FLOOR FILE...): each file becomes `const unsigned char NAME_EXT[]` and `NAME_EXT_size` in sosia_FLOOR.
# As a script (cmake -DIN=... -DOUT=... -DNAME=... -P embed.cmake) it writes that C file.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${IN} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes "${bytes}")
  file(WRITE ${OUT} "extern const unsigned char ${NAME}[];\nextern const unsigned int ${NAME}_size;\n"
                    "const unsigned char ${NAME}[] = {\n${bytes}0};\n"
                    "const unsigned int ${NAME}_size = sizeof ${NAME} - 1;\n")
  return()
endif()

set(SOSIA_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(sosia_embed floor)
  foreach(file ${ARGN})
    get_filename_component(base ${file} NAME)
    string(REPLACE "." "_" name ${base})
    set(out ${CMAKE_BINARY_DIR}/embed/${name}.c)
    add_custom_command(OUTPUT ${out}
      COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_SOURCE_DIR}/${file} -DOUT=${out} -DNAME=${name} -P ${SOSIA_EMBED_SCRIPT}
      DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${SOSIA_EMBED_SCRIPT} VERBATIM)
    target_sources(sosia_${floor} PRIVATE ${out})
  endforeach()
endfunction()

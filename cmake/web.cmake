# SPDX-License-Identifier: Apache-2.0
# The browser app: web/ is built by node and npm (tools/web) and embedded in sosia_serve. Without it, or where it is not
# wanted, the table of files is empty and the server shows its plain page.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SOSIA_SANITIZE AND NOT SOSIA_FUZZ AND NOT SOSIA_COVERAGE)
  set(SOSIA_WEB_DEFAULT ON)
else()
  set(SOSIA_WEB_DEFAULT OFF)
endif()
option(SOSIA_WEB "build the browser app and embed it" ${SOSIA_WEB_DEFAULT})
find_program(SOSIA_NODE NAMES node nodejs)
find_program(SOSIA_NPM npm)
if(SOSIA_WEB AND NOT (SOSIA_NODE AND SOSIA_NPM))
  message(WARNING "node and npm not found: the server shows its plain page (tools/deps build)")
endif()
if(SOSIA_WEB AND SOSIA_NODE AND SOSIA_NPM)
  set(SOSIA_ASSETS_TABLE ${CMAKE_BINARY_DIR}/web/assets_table.c)
  file(GLOB_RECURSE SOSIA_WEB_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/* ${CMAKE_SOURCE_DIR}/web/public/*)
  set(SOSIA_WEB_TOP web/index.html web/package.json web/package-lock.json web/tsconfig.json web/vite.config.ts
      web/tools/pack.mjs tools/web src/expr/func.def)
  list(TRANSFORM SOSIA_WEB_TOP PREPEND ${CMAKE_SOURCE_DIR}/)
  add_custom_command(OUTPUT ${SOSIA_ASSETS_TABLE}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/web ${CMAKE_BINARY_DIR}/web
    DEPENDS ${SOSIA_WEB_FILES} ${SOSIA_WEB_TOP}
    BYPRODUCTS ${CMAKE_BINARY_DIR}/web/assets.bin
    COMMENT "Building the browser app" VERBATIM)
  # Names made by the assembler are not seen by an optimiser of the whole program.
  set_source_files_properties(${SOSIA_ASSETS_TABLE} PROPERTIES COMPILE_OPTIONS "-fno-lto" GENERATED ON)
else()
  set(SOSIA_ASSETS_TABLE ${CMAKE_SOURCE_DIR}/cmake/assets_none.c)
endif()
target_sources(sosia_serve PRIVATE ${SOSIA_ASSETS_TABLE})

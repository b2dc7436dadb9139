# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=... -DWHERE=memory|file -DDATA=... -DEXPECTED=... -P compare.cmake
# Run a program, on a fresh world file when WHERE is file, and compare what it prints.
set(arguments)
if(WHERE STREQUAL "file")
  file(REMOVE ${DATA} ${DATA}-wal ${DATA}-shm)
  set(arguments ${DATA})
endif()
execute_process(COMMAND ${PROGRAM} ${arguments} OUTPUT_VARIABLE got ERROR_VARIABLE errors RESULT_VARIABLE code)
file(READ ${EXPECTED} want)
if(NOT code EQUAL 0 OR NOT got STREQUAL want)
  message(FATAL_ERROR "exit ${code}\n${errors}--- expected\n${want}--- got\n${got}")
endif()

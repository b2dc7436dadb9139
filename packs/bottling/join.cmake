# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=... -DOUT=... -P join.cmake   All JSON files of a folder as one JSON array.
file(GLOB files ${FOLDER}/*.json)
set(all "[")
set(comma "")
foreach(f ${files})
  file(READ ${f} text)
  string(APPEND all "${comma}${text}")
  set(comma ",")
endforeach()
file(WRITE ${OUT} "${all}]")

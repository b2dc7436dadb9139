# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=... -DOUT=... -P join_definitions.cmake   One JSON array of what people define for simulation, in the
# order in which one needs the other: {"path":"/kpis/NAME","body":{...}}.
set(all "[")
set(comma "")
foreach(kind behaviour mapping kpi whatif rule)
  file(GLOB files ${FOLDER}/${kind}s/*.${kind})
  foreach(f ${files})
    get_filename_component(name ${f} NAME_WE)
    file(READ ${f} text)
    string(APPEND all "${comma}{\"path\":\"/${kind}s/${name}\",\"body\":${text}}")
    set(comma ",")
  endforeach()
endforeach()
file(WRITE ${OUT} "${all}]")

# SPDX-License-Identifier: Apache-2.0
# libsosia.a: the floors up to the engine in one archive, for those who embed it, with sosia.pc and the public headers.
set(parts)
set(script "create ${CMAKE_BINARY_DIR}/libsosia.a\n")
foreach(floor base codec num model world store expr query history sim flow decide engine)
  get_target_property(type sosia_${floor} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND parts sosia_${floor})
    string(APPEND script "addlib ${CMAKE_BINARY_DIR}/libsosia_${floor}.a\n")
  endif()
endforeach()
string(APPEND script "save\nend\n")
file(WRITE ${CMAKE_BINARY_DIR}/libsosia.mri "${script}")
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/libsosia.a
  COMMAND ${CMAKE_AR} -M < ${CMAKE_BINARY_DIR}/libsosia.mri
  DEPENDS ${parts} ${CMAKE_BINARY_DIR}/libsosia.mri
  COMMENT "Merging libsosia.a")
add_custom_target(libsosia ALL DEPENDS ${CMAKE_BINARY_DIR}/libsosia.a)
add_dependencies(product libsosia)

configure_file(${CMAKE_SOURCE_DIR}/cmake/sosia.pc.in ${CMAKE_BINARY_DIR}/sosia.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libsosia.a DESTINATION lib)
install(FILES ${CMAKE_BINARY_DIR}/sosia.pc DESTINATION lib/pkgconfig)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/sosia DESTINATION include)

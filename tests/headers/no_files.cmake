# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=… -DROOT=<include folder> -DFOLDERS=<folders of ROOT/weft> -DINCLUDES=<list> -P no_files.cmake
# Fails when a header in one of the folders includes, however indirectly, console, file or JSON headers.
cmake_minimum_required(VERSION 3.25)

list(TRANSFORM INCLUDES PREPEND -I)
string(MD5 program "${ROOT}")
set(program ${CMAKE_CURRENT_BINARY_DIR}/no_files_${program}.cpp)

# The forbidden header that these headers reach, or nothing.
function(reached out)
  list(TRANSFORM ARGN REPLACE "(.+)" "#include \"\\1\"\n")
  string(CONCAT text ${ARGN})
  file(WRITE ${program} "${text}")
  execute_process(COMMAND ${COMPILER} -std=c++20 -I${ROOT} ${INCLUDES} -M ${program}
    OUTPUT_VARIABLE dependencies COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "/(iostream|fstream|filesystem|rapidjson/[a-z]+\\.h)[ \n]" found "${dependencies}")
  set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

list(TRANSFORM FOLDERS REPLACE "(.+)" "${ROOT}/weft/\\1/*.hpp")
file(GLOB_RECURSE headers RELATIVE ${ROOT} ${FOLDERS})
list(FILTER headers EXCLUDE REGEX "cuda|thrust")
if(NOT headers)
  return()
endif()
reached(file_header ${headers})
if(file_header)
  foreach(header IN LISTS headers)
    reached(file_header ${header})
    if(file_header)
      message(SEND_ERROR " ${header} includes ${file_header}")
    endif()
  endforeach()
endif()

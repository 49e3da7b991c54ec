# SPDX-License-Identifier: Apache-2.0
# How this project builds its own programs. Nothing here reaches a program that uses the library.

option(WEFT_NATIVE "Build tests, examples and benchmarks for this machine's processor" ON)
option(WEFT_WARNINGS_AS_ERRORS "Treat warnings as errors" ${PROJECT_IS_TOP_LEVEL})
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers, separated by commas, for instance address,undefined")

add_library(weft_developer INTERFACE)
set(warnings -Wall -Wextra $<$<BOOL:${WEFT_WARNINGS_AS_ERRORS}>:-Werror>)
target_compile_options(weft_developer INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${warnings}>)

if(WEFT_NATIVE)
  include(${CMAKE_CURRENT_LIST_DIR}/WeftNative.cmake)
  weft_native_flags(native)
  message(STATUS "Flags for this machine: ${native}")
  target_compile_options(weft_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${native}>")
endif()

if(WEFT_SANITIZE)
  target_compile_options(weft_developer INTERFACE
    -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>) # with instrumented code g++ 12 sees accesses that cannot happen
  target_link_options(weft_developer INTERFACE -fsanitize=${WEFT_SANITIZE})
endif()

if(WEFT_NO_EXCEPTIONS)
  target_compile_options(weft_developer INTERFACE -fno-exceptions -fno-rtti)
endif()

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

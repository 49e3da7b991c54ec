# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=… -DSOURCE=… -DINCLUDES=<list> -P check.cmake: one compile-fail test, see CMakeLists.txt.
cmake_minimum_required(VERSION 3.25)

list(TRANSFORM INCLUDES PREPEND -I)
set(compile ${COMPILER} -std=c++20 -fsyntax-only -fdiagnostics-color=never ${INCLUDES})

# message(FATAL_ERROR) alone would wrap the compiler's lines.
function(refuse text)
  message(NOTICE "${text}")
  message(FATAL_ERROR "compile-fail test: not as it should be")
endfunction()

file(STRINGS ${SOURCE} expectations REGEX "^// expect: ")
if(NOT expectations)
  refuse("${SOURCE} has no line \"// expect: <regular expression>\"")
endif()

execute_process(COMMAND ${compile} ${SOURCE} RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
  refuse("${SOURCE} must compile without WEFT_MUST_FAIL. ${COMPILER} says:\n${said}")
endif()

execute_process(COMMAND ${compile} -DWEFT_MUST_FAIL ${SOURCE} RESULT_VARIABLE result ERROR_VARIABLE said)
if(result EQUAL 0)
  refuse("${SOURCE} must not compile with WEFT_MUST_FAIL")
endif()
foreach(expectation IN LISTS expectations)
  string(REPLACE "// expect: " "" expectation "${expectation}")
  if(NOT said MATCHES "${expectation}")
    refuse("What ${COMPILER} says of ${SOURCE} does not match \"${expectation}\":\n${said}")
  endif()
endforeach()

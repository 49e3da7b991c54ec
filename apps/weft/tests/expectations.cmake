# SPDX-License-Identifier: Apache-2.0
# What the tests of the program share: PROGRAM is run, what it says is compared.

# ask OUT COMMAND ARGUMENT...: what it says.
macro(ask out)
  execute_process(COMMAND ${PROGRAM} ${ARGN} OUTPUT_VARIABLE ${out} ERROR_VARIABLE err TIMEOUT 60 RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(SEND_ERROR " ${ARGN}: exit code ${code}\n${err}")
  endif()
endmacro()

# expect WHAT FOUND EXPECTED
function(expect what found expected)
  if(NOT found STREQUAL expected)
    message(SEND_ERROR " ${what}: expected\n${expected}\nfound\n${found}")
  endif()
endfunction()

# expect_same_files WHAT FOUND_FOLDER EXPECTED_FOLDER NAME...
function(expect_same_files what found_folder expected_folder)
  foreach(name IN LISTS ARGN)
    file(SHA256 ${expected_folder}/${name} expected)
    file(SHA256 ${found_folder}/${name} found)
    expect("${name} of ${what}" "${found}" "${expected}")
  endforeach()
endfunction()

# expect_one_note WHAT STDERR PATTERN
function(expect_one_note what err pattern)
  string(REGEX MATCHALL "weft: note:" notes "${err}")
  list(LENGTH notes count)
  if(NOT count EQUAL 1 OR NOT err MATCHES "weft: note: [^\n]*${pattern}")
    message(SEND_ERROR " ${what}: one note that matches \"${pattern}\" is expected, found\n${err}")
  endif()
endfunction()

# expect_member WHAT JSON EXPECTED MEMBER...
function(expect_member what json expected)
  string(JSON found GET "${json}" ${ARGN})
  expect("${what}: ${ARGN}" "${found}" "${expected}")
endfunction()

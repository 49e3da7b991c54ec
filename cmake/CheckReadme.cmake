# SPDX-License-Identifier: Apache-2.0
# The README's complete program is examples/readme.cpp, letter for letter: cmake -DREADME=… -DPROGRAM=… -P CheckReadme.cmake

file(READ "${README}" readme)
file(READ "${PROGRAM}" program)
string(FIND "${readme}" "```cpp\n${program}```" found)
if(found EQUAL -1)
  message(FATAL_ERROR "${README} must show ${PROGRAM} as it is, in a block that begins with ```cpp")
endif()

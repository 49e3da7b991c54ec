# SPDX-License-Identifier: Apache-2.0
# Every block of a page that begins with ```cpp is the body of a function in one of the programs, but for the indentation
# and a last line that returns, and every such function, known by what it returns, is on the page:
# cmake -DPAGE=… "-DPROGRAMS=…;…" -DRESULT=<regular expression> -P CheckPage.cmake

set(code "")
foreach(program IN LISTS PROGRAMS)
  file(READ "${program}" text)
  string(APPEND code "${text}")
endforeach()
file(READ "${PAGE}" page)

set(blocks 0)
string(FIND "${page}" "```cpp\n" begin)
while(NOT begin EQUAL -1)
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${page}" ${begin} -1 page)
  string(FIND "${page}" "```" end)
  string(SUBSTRING "${page}" 0 ${end} block)
  math(EXPR end "${end} + 3")
  string(SUBSTRING "${page}" ${end} -1 page)

  string(REGEX REPLACE "\n([^\n])" "\n  \\1" body "\n${block}")
  string(FIND "${code}" " {${body}  return " found)
  if(found EQUAL -1)
    message(SEND_ERROR "${PAGE} shows an example that no function of the programs has:${body}")
  endif()
  math(EXPR blocks "${blocks} + 1")
  string(FIND "${page}" "```cpp\n" begin)
endwhile()

string(REGEX MATCHALL "\n  return ${RESULT}" functions "${code}")
list(LENGTH functions count)
if(NOT count EQUAL blocks)
  message(SEND_ERROR "The programs have ${count} examples, ${PAGE} shows ${blocks}")
endif()

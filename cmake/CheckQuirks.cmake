# SPDX-License-Identifier: Apache-2.0
# Every quirk of the reference that a source or a page of the documentation cites by its number has a row in
# docs/quirks.md: cmake -DROOT=… -P CheckQuirks.cmake
cmake_minimum_required(VERSION 3.25)

file(READ ${ROOT}/docs/quirks.md page)
string(REGEX MATCHALL "\n\\| [A-Z][0-9]+ \\|" rows "${page}")
list(TRANSFORM rows REPLACE "[^A-Z0-9]" "")

set(cited "")
file(GLOB_RECURSE files ${ROOT}/include/*.hpp ${ROOT}/apps/*.?pp ${ROOT}/examples/*.?pp ${ROOT}/tests/*.?pp
  ${ROOT}/tools/*.?pp ${ROOT}/bench/*.?pp ${ROOT}/docs/*.md)
foreach(file IN LISTS files ITEMS ${ROOT}/README.md ${ROOT}/CHANGELOG.md)
  file(READ ${file} text)
  string(REGEX MATCHALL "quirks?[ \n/]+[A-Z][0-9]+((,|:| and| to)[ \n/]+[A-Z][0-9]+)*" places "${text}")
  string(REGEX MATCHALL "[A-Z][0-9]+" numbers "${places}")
  list(APPEND cited ${numbers})
endforeach()
file(READ ${ROOT}/docs/layers.md text)
string(REGEX MATCHALL "[^A-Za-z0-9_][ACDFGLMP][0-9]+[^A-Za-z0-9_]" places "${text}")
list(TRANSFORM places REPLACE "[^A-Z0-9]" "")
list(APPEND cited ${places})

list(REMOVE_DUPLICATES cited)
list(LENGTH cited count)
if(count LESS 50)
  message(SEND_ERROR "only ${count} quirks are cited: does the pattern still fit the comments?")
endif()
list(REMOVE_ITEM cited ${rows})
if(cited)
  message(SEND_ERROR "docs/quirks.md has no row for ${cited}")
endif()

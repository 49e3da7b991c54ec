# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=<weft> -DGOLDENS=<tests/goldens> -DTEXT=<a text> -P plot.cmake
# Every kind of figure becomes a file of its kind, where gnuplot is there.
cmake_minimum_required(VERSION 3.25)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/plotted)
file(REMOVE_RECURSE ${folder})
file(MAKE_DIRECTORY ${folder})
set(models ${GOLDENS}/models)
file(WRITE ${folder}/metrics.jsonl "{\"step\":1,\"epoch\":0.5,\"loss\":4.5}\n{\"step\":2,\"epoch\":1.0,\"loss\":3.5}\n")
find_program(gnuplot gnuplot)

# drawn PICTURE ARGUMENT...
function(drawn picture)
  execute_process(COMMAND ${PROGRAM} plot ${ARGN} -o ${folder}/${picture} RESULT_VARIABLE code OUTPUT_VARIABLE out
    ERROR_VARIABLE err TIMEOUT 60)
  if(NOT gnuplot)
    if(NOT code EQUAL 1 OR NOT err MATCHES "gnuplot was not found")
      message(SEND_ERROR " ${ARGN}: without gnuplot a refusal is expected, found ${code}\n${err}")
    endif()
    return()
  endif()
  if(NOT code EQUAL 0 OR NOT EXISTS ${folder}/${picture})
    message(SEND_ERROR " ${ARGN}: a picture is expected, found exit code ${code}\n${err}")
    return()
  endif()
  file(READ ${folder}/${picture} head LIMIT 8 HEX)
  if((picture MATCHES "png$" AND NOT head STREQUAL "89504e470d0a1a0a") OR (picture MATCHES "svg$" AND NOT head MATCHES "^3c3f786d6c"))
    message(SEND_ERROR " ${ARGN}: ${picture} begins with ${head}")
  endif()
endfunction()

drawn(loss.png loss ${folder}/metrics.jsonl)
drawn(epoch.svg loss ${folder}/metrics.jsonl --by epoch)
drawn(mean.png loss ${folder}/metrics.jsonl --by mean --epochs 2)
drawn(without_last.png loss ${folder}/metrics.jsonl --by mean --drop-last)
drawn(lengths.png lengths ${GOLDENS}/tokenizers/llama3 ${TEXT})
drawn(parameters.svg parameters ${models}/gin_readme)
drawn(scales.png scales ${models}/sparse_gin_finetune ${models}/sparse_per_head_gcn)
drawn(adjacency.png adjacency ${models}/gin_readme "1 5 7 2" --ids --layer 0)
drawn(graph.svg graph ${models}/gin_readme "1 5 7 2" --ids --head 1 --threshold 0.2)

# An epoch may have any number.
file(WRITE ${folder}/far.jsonl "{\"step\":1,\"epoch\":1e9,\"loss\":4.5}\n{\"step\":2,\"epoch\":1e300,\"loss\":3.5}\n")
drawn(far.svg loss ${folder}/far.jsonl --by mean)

# Names are no commands.
set(command "\nsystem 'touch COMMAND'\n")
file(MAKE_DIRECTORY ${folder}/named)
file(COPY ${models}/sparse_gin_finetune DESTINATION ${folder})
file(RENAME ${folder}/sparse_gin_finetune "${folder}/%q${command}")
drawn("a${command}.svg" loss ${folder}/metrics.jsonl)
drawn("it's `touch COMMAND`.png" loss ${folder}/metrics.jsonl)
drawn(named.svg scales "${folder}/%q${command}")
execute_process(COMMAND ${PROGRAM} plot loss ../metrics.jsonl -o "|touch COMMAND.svg" WORKING_DIRECTORY ${folder}/named
  RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
if(gnuplot AND (NOT code EQUAL 0 OR NOT EXISTS "${folder}/named/|touch COMMAND.svg"))
  message(SEND_ERROR " a picture whose name begins with a pipe is expected, found exit code ${code}")
endif()
foreach(file IN ITEMS ${folder}/named/COMMAND.svg ${CMAKE_CURRENT_BINARY_DIR}/COMMAND)
  if(EXISTS ${file})
    message(SEND_ERROR " the name of a file or folder was run as a command: ${file}")
  endif()
endforeach()

# What is no whole picture, or cannot be written, leaves the file that was there.
file(MAKE_DIRECTORY ${folder}/bin)
file(WRITE ${folder}/kept.svg before)
function(not_drawn text script)
  file(WRITE ${folder}/bin/gnuplot "#!/bin/sh\n${script}\n")
  file(CHMOD ${folder}/bin/gnuplot PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env "PATH=${folder}/bin:$ENV{PATH}" ${PROGRAM} plot loss ${folder}/metrics.jsonl
    -o ${folder}/kept.svg RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  file(READ ${folder}/kept.svg kept)
  if(NOT code EQUAL 1 OR NOT err MATCHES "${text}" OR NOT out STREQUAL "" OR NOT kept STREQUAL "before")
    message(SEND_ERROR " ${script}: exit code 1, \"${text}\" and the old file are expected, found ${code}\n${out}${err}${kept}")
  endif()
endfunction()
not_drawn("not drawn, because gnuplot failed" "exit 0")
not_drawn("not drawn, because gnuplot failed" "echo part && exit 1")
not_drawn("not drawn, because gnuplot failed" "echo part && kill -9 $$")
file(MAKE_DIRECTORY ${folder}/kept.svg.partial) # in the way of the new file
not_drawn("cannot write .*kept.svg" "echo picture")

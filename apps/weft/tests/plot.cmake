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
drawn(lengths.png lengths ${GOLDENS}/tokenizers/llama3 ${TEXT})
drawn(parameters.svg parameters ${models}/gin_readme)
drawn(scales.png scales ${models}/sparse_gin_finetune ${models}/sparse_per_head_gcn)
drawn(adjacency.png adjacency ${models}/gin_readme "1 5 7 2" --ids --layer 0)
drawn(graph.svg graph ${models}/gin_readme "1 5 7 2" --ids --head 1 --threshold 0.2)

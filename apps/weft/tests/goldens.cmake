# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=<weft> -DGOLDENS=<tests/goldens> -P goldens.cmake
# Every model of the reference has the parameters, the answer and the loss that its golden file records.
cmake_minimum_required(VERSION 3.25)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/golden_texts)
file(MAKE_DIRECTORY ${folder})

# ask OUT COMMAND ARGUMENT...: the answer as JSON.
macro(ask out)
  execute_process(COMMAND ${PROGRAM} ${ARGN} --json RESULT_VARIABLE code OUTPUT_VARIABLE ${out} ERROR_VARIABLE err TIMEOUT 60)
  if(NOT code EQUAL 0)
    message(SEND_ERROR " ${ARGN}: exit code ${code}\n${err}")
  endif()
endmacro()

# expect NAME WHAT FOUND EXPECTED
function(expect name what found expected)
  if(NOT found STREQUAL expected)
    message(SEND_ERROR " ${name}: ${what}: expected ${expected}, found ${found}")
  endif()
endfunction()

# golden NAME PARAMETERS PROMPT ANSWER TEXT LOSS: distinct values of all parameters; a greedy continuation, without the
# token that ends it; a text and 100,000 times its mean loss.
function(golden name parameters prompt answer text loss)
  ask(json inspect ${GOLDENS}/models/${name} --length 100)
  string(JSON found GET "${json}" parameters total)
  expect(${name} "parameters" ${found} ${parameters})
  string(JSON bytes GET "${json}" memory_bytes weights)
  math(EXPR expected "4 * ${parameters}")
  expect(${name} "bytes of weights" ${bytes} ${expected})
  string(JSON incremental GET "${json}" architecture decodes_incrementally)
  string(JSON cache GET "${json}" memory_bytes cache)
  if((incremental AND cache EQUAL 0) OR (NOT incremental AND NOT cache EQUAL 0))
    message(SEND_ERROR " ${name}: a cache belongs to models that decode incrementally, found ${cache} bytes")
  endif()

  string(REGEX MATCHALL "[0-9]+" tokens "${answer}")
  list(LENGTH tokens count)
  execute_process(COMMAND ${PROGRAM} generate ${GOLDENS}/models/${name} --ids "${prompt}" --max-new-tokens ${count}
    OUTPUT_VARIABLE found ERROR_VARIABLE err COMMAND_ERROR_IS_FATAL ANY)
  expect(${name} "answer" "${found}" "${answer}\n")

  file(WRITE ${folder}/${name} "${text}")
  ask(json evaluate ${GOLDENS}/models/${name} ${folder}/${name} --ids)
  string(JSON found GET "${json}" loss)
  if(NOT found MATCHES "^([0-9]+)\\.([0-9][0-9][0-9][0-9][0-9])")
    message(SEND_ERROR " ${name}: a loss is expected, found ${found}")
  endif()
  string(JSON looks_ahead GET "${json}" looks_ahead)
  if((looks_ahead AND NOT name STREQUAL gin_diff_groupnorm) OR (NOT looks_ahead AND name STREQUAL gin_diff_groupnorm))
    message(SEND_ERROR " ${name}: only the group norm over a whole text looks ahead, found ${looks_ahead}")
  endif()
  math(EXPR off "${CMAKE_MATCH_1}${CMAKE_MATCH_2} - ${loss}")
  if(off GREATER 10 OR off LESS -10)
    message(SEND_ERROR " ${name}: loss: expected ${loss} / 100000, found ${found}")
  endif()
endfunction()

golden(cg_attention 19500 "27 12 7 5 22"
  "19 24 11"
  "22 22 29 23 29 8 22 26 29 12" 395118)
golden(cg_attention_interpolate 18880 "19 22 14 21 19"
  "21 18 17 28 36 27 17 28 36 27 7 35 12 26 7 35"
  "24 22 17 39 23 29 19 26 21 26" 449648)
golden(gin_diff_groupnorm 14874 "35 20 3 19 9"
  "38 18 1 23 25 38 28 37 38 28 34 38 28 37 38 28"
  "3 24 12 16 3 39 9 20 31 17" 379563)
golden(gin_readme 13362 "28 23 7 37 25"
  "26 37 31 26 37 8 14 14 14 14 14 37 8 14 37 8"
  "24 26 29 33 29 38 35 9 18 11" 427961)
golden(gin_scoring 7684 "24 3 16 27 3"
  "33 16 9 15 23 23 23 23 23 18 12 14 35 12 14 35"
  "6 3 7 6 31 36 21 5" 419936)
golden(gin_threshold_silu 7418 "26 23 24 4 27"
  "37 23 23 23 23 23 23 23 23 23 23 23 23 23 39 4"
  "29 16 34 13 21 21 26 23 18 21" 415300)
golden(mlp_linear 5700 "30 11 38 22 37"
  "33 30 10 33 30 34 14 4 33 4 14 4 14 4 14 4"
  "14 30 24 12 20 33 27 14 38 10" 456588)
golden(mlp_none 4900 "8 16 4 5 29"
  "4 10 15"
  "5 13 35 22 14 8 10 9 39 4" 398327)
golden(mlp_shallow 8220 "6 21 36 35 15"
  "27 6 38 6 38 20 38 27 6 38 6 38 20 38 38 38"
  "33 34 6 5 13 32 19 33 11 6" 405068)
golden(plain_llama 11256 "17 9 39 6 32"
  "38 8 21 9 30 17 21 21 21 28 24 37 11 11 20 11"
  "21 8 37 32 20 26 14 20 32 11" 433855)
golden(plain_original_attention 12600 "10 39 22 38 32"
  "4 4 4 4 4 4 4 4 35 9 3 26 7 35 28 28"
  "27 39 4 13 30 37 16 35 10 23" 439415)
golden(plain_tied 8900 "27 20 36 29 5"
  "5 5 19 19 19 19 19 19 19 19 19 19 19 19 19 19"
  "36 17 23 8 36 8 16 29 13 33" 601185)
golden(pna 12698 "37 24 8 9 18"
  "7 6 37 32 14 14 14 21 37 32 14 14 14 23 6 33"
  "13 27 32 28 6 31 36 8 26 4" 385550)
golden(pna_lm 16250 "7 27 7 38 4"
  "27 12 4 27 22 27 13 15 0 0 39 22 27 22 10 20"
  "12 29 16 10 6 28 20 16 16" 460195)
golden(sparse_after_mlp 11426 "17 23 21 20 34"
  "23 13 33 28 21 11 5 33 20 17 28 37 11 11 11 11"
  "8 39 6 34 5 23 4 13 20 7" 395437)
golden(sparse_gin_finetune 19710 "16 8 13 11 20"
  "30 16 7 15 15 9 30 16 7 35 38 35 38 35 38 35"
  "9 34 6 33 17 36 11 35 29 21" 413907)
golden(sparse_gin_forward_edges 11392 "30 16 25 35 25"
  "0 35 18 15 29 15 32 38 35 35 18 15 29 15 29 13"
  "11 15 14 14 7 24 8 18 20 3" 383664)
golden(sparse_parallel_recomb 9822 "10 25 23 38 16"
  "16 35 11 15 15 38 6 6 6 6 6 6 6 6 6 6"
  "8 8 10 26 10 21 37 9 10 30" 444751)
golden(sparse_per_head_gcn 14042 "27 36 12 31 26"
  "8 20 31 28 34 34 34 34 34 34 34 34 34 34 34 34"
  "17 25 36 23 22 31 21 20 25 16" 355128)

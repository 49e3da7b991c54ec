# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=<train_text> -DCOMPARE=<compare_variants> -DFINETUNE=<finetune_sparse_gin>
#   [-DPROTEINS=<protein_gin>] -DCORPUS=<text> -DOTHER=<a model's safetensors> -P bad_input.cmake
# Whatever is wrong with its input, a program says so in one line and fails; it leaves a checkpoint as it was, and no new
# folder.
cmake_minimum_required(VERSION 3.25)

set(folder ${CMAKE_CURRENT_BINARY_DIR}/bad_input)
file(REMOVE_RECURSE ${folder})
file(MAKE_DIRECTORY ${folder})

# refused NAME PATTERN ARGUMENT...: the run fails with one line, which matches the pattern.
function(refused name pattern)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err TIMEOUT 60)
  string(STRIP "${err}" err)
  if(code EQUAL 0 OR code MATCHES "[a-zA-Z]")
    message(SEND_ERROR " ${name}: must fail with an exit code, found ${code}")
  elseif(err MATCHES "\n" OR NOT err MATCHES "${pattern}")
    message(SEND_ERROR " ${name}: one line that matches \"${pattern}\" is expected, found\n${err}")
  endif()
endfunction()

# keeps_checkpoint NAME PATTERN FILE: --resume from a copy of FILE is refused, and the copy stays as it is.
function(keeps_checkpoint name pattern file)
  file(MAKE_DIRECTORY ${folder}/${name})
  file(COPY_FILE ${file} ${folder}/${name}/checkpoint.safetensors)
  refused(${name} "${pattern}" --corpus ${CORPUS} --output ${folder}/${name} --steps 3 --resume)
  file(SHA256 ${file} before)
  file(SHA256 ${folder}/${name}/checkpoint.safetensors after)
  if(NOT before STREQUAL after)
    message(SEND_ERROR " ${name}: the checkpoint changed")
  endif()
endfunction()

refused("no corpus" "no_such_file" --corpus ${folder}/no_such_file --output ${folder}/unused)
file(WRITE ${folder}/short.txt "In the beginning")
refused("a short corpus" "128" --corpus ${folder}/short.txt --output ${folder}/unused)
file(WRITE ${folder}/file "")
refused("an unwritable folder" "file/below" --corpus ${CORPUS} --output ${folder}/file/below)
refused("steps that are no number" "--steps.*many" --corpus ${CORPUS} --steps many)
refused("no steps" "--steps" --corpus ${CORPUS} --steps 0)
refused("nothing to resume" "checkpoint" --corpus ${CORPUS} --output ${folder}/unused --resume)
foreach(seed IN ITEMS -1 1.5 99999999999999999999 many)
  refused("the seed ${seed}" "--seed.*whole number" --corpus ${CORPUS} --steps 1 --seed ${seed} --output ${folder}/unused)
endforeach()

execute_process(COMMAND ${PROGRAM} --corpus ${CORPUS} --steps 1 --output ${folder}/good
  COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET ERROR_QUIET)
execute_process(COMMAND head -c 100000 ${folder}/good/checkpoint.safetensors OUTPUT_FILE ${folder}/first_bytes
  COMMAND_ERROR_IS_FATAL ANY)
file(SHA256 ${folder}/good/checkpoint.safetensors before)
refused("a short corpus beside a checkpoint" "128" --corpus ${folder}/short.txt --output ${folder}/good)
file(REMOVE ${folder}/good/metrics.jsonl)
file(MAKE_DIRECTORY ${folder}/good/metrics.jsonl)
refused("metrics that are a folder" "metrics.jsonl: it is a folder" --corpus ${CORPUS} --steps 1 --output ${folder}/good)
file(SHA256 ${folder}/good/checkpoint.safetensors after)
if(NOT before STREQUAL after)
  message(SEND_ERROR " a refused run replaced a checkpoint")
endif()
keeps_checkpoint("truncated" "checkpoint.safetensors" ${folder}/first_bytes)
keeps_checkpoint("another_shape" "checkpoint.safetensors" ${OTHER})

set(PROGRAM ${COMPARE})
refused("compare: no corpus" "no_such_file" --corpus ${folder}/no_such_file --output ${folder}/unused)
refused("compare: a short corpus" "128" --corpus ${folder}/short.txt --output ${folder}/unused)
refused("compare: no such variant" "\"GNN\".*\"GIN\"" --corpus ${CORPUS} --only GNN --output ${folder}/unused)
refused("compare: no variant beside a comma" "--only: must be names with a comma between them, found GIN," --corpus ${CORPUS}
  --only GIN, --output ${folder}/unused)
refused("compare: heads that do not fit" "hidden_size" --corpus ${CORPUS} --heads 3 --output ${folder}/unused)
refused("compare: a negative seed" "--seed" --corpus ${CORPUS} --seed -1 --output ${folder}/unused)
foreach(size IN ITEMS batch-size block-size hidden-size layers heads)
  refused("compare: too large a ${size}" "--${size}" --corpus ${CORPUS} --${size} 1000000000 --output ${folder}/unused)
endforeach()
refused("compare: an unwritable folder" "file/below" --corpus ${CORPUS} --only GIN --output ${folder}/file/below)

set(PROGRAM ${FINETUNE})
set(texts --base-corpus ${CORPUS} --corpus ${CORPUS})
refused("finetune: no text to tune on" "--corpus" --base-corpus ${CORPUS} --output ${folder}/unused)
refused("finetune: no base text" "no_such_file" --base-corpus ${folder}/no_such_file --corpus ${CORPUS}
  --output ${folder}/unused)
refused("finetune: a short text" "128" --base-corpus ${CORPUS} --corpus ${folder}/short.txt --output ${folder}/unused)
refused("finetune: an unwritable folder" "file/below" ${texts} --output ${folder}/file/below)
refused("finetune: no rate" "--lora-learning-rate" ${texts} --lora-learning-rate 0 --output ${folder}/unused)
refused("finetune: a negative seed" "--seed" ${texts} --seed -1 --output ${folder}/unused)

if(PROTEINS)
  set(PROGRAM ${PROTEINS})
  refused("proteins: no corpus" "no_such_file" --corpus ${folder}/no_such_file --output ${folder}/unused)
  refused("proteins: one sequence" "two sequences" --corpus ${folder}/short.txt --output ${folder}/unused)
  refused("proteins: an unwritable folder" "file/below" --corpus ${CORPUS} --output ${folder}/file/below)
  refused("proteins: fewer sequences than none" "--sequences" --corpus ${CORPUS} --sequences -1 --output ${folder}/unused)
endif()
if(EXISTS ${folder}/unused)
  message(SEND_ERROR " a refused run left a folder behind")
endif()

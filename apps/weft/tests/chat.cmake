# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=<weft> -DMAKE_LLAMA=<make_llama> -DGOLDENS=<tests/goldens> -DTEXT=<a text> -P chat.cmake
# A conversation over a pipe, in the template of Llama 3.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/expectations.cmake)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/chat)
file(REMOVE_RECURSE ${folder})
execute_process(COMMAND ${MAKE_LLAMA} ${folder} 512 COMMAND_ERROR_IS_FATAL ANY)

# The tokenizer of a test, with the tokens that it lacks.
file(READ ${GOLDENS}/tokenizers/llama3/tokenizer.json tokenizer)
file(WRITE ${folder}/tokenizer.json "${tokenizer}")
execute_process(COMMAND ${PROGRAM} chat ${folder} INPUT_FILE /dev/null RESULT_VARIABLE code ERROR_VARIABLE err)
if(NOT code EQUAL 1 OR NOT err MATCHES "needs the tokens <.begin_of_text.>, <.start_header_id.>, <.end_header_id.>\n$")
  message(SEND_ERROR " chat without the template's tokens: exit code 1 and their names are expected, found ${code}\n${err}")
endif()
set(added "")
set(id 504)
foreach(name IN ITEMS begin_of_text start_header_id end_header_id)
  string(APPEND added "{\"id\":${id},\"content\":\"<|${name}|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
    "\"normalized\":false,\"special\":true},")
  math(EXPR id "${id} + 1")
endforeach()
string(REPLACE "\"added_tokens\":[" "\"added_tokens\":[${added}" tokenizer "${tokenizer}")
file(WRITE ${folder}/tokenizer.json "${tokenizer}")

# A conversation that cannot be read has not ended.
execute_process(COMMAND sh -c "exec \"$0\" chat \"$1\" </" ${PROGRAM} ${folder} RESULT_VARIABLE code ERROR_VARIABLE err)
if(NOT code EQUAL 1 OR NOT err STREQUAL "weft: cannot read the standard input\n")
  message(SEND_ERROR " chat of a folder: exit code 1 and one line are expected, found ${code}\n${err}")
endif()

# Two turns. What the model is given is the template, written out; the second turn has the first and its answer.
file(WRITE ${folder}/turns "Hello\n\nAnd you\n")
execute_process(COMMAND ${PROGRAM} chat ${folder} --system " Short. " --max-new-tokens 5 --json
  INPUT_FILE ${folder}/turns OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "^([^\n]+)\n([^\n]+)\n$" lines "${said}")
set(first "${CMAKE_MATCH_1}")
set(second "${CMAKE_MATCH_2}")
set(text "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nShort.<|eot_id|>")
string(APPEND text "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
ask(ids tokenize ${folder} --ids --no-special "${text}")
string(REGEX MATCHALL "[0-9]+" prompt "${ids}")
list(LENGTH prompt count)
expect_member("the first turn" "${first}" ${count} prompt_tokens)
expect_member("the first turn" "${first}" Hello prompt)
ask(expected generate ${folder} --ids "${ids}" --max-new-tokens 5)
string(JSON tokens GET "${first}" tokens)
string(REGEX MATCHALL "[0-9]+" tokens "${tokens}")
string(REPLACE ";" " " answer "${tokens}")
expect("the first answer" "${answer}\n" "${expected}")
ask(ids tokenize ${folder} --ids --no-special
  "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd you<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
string(REGEX MATCHALL "[0-9]+" more "${ids}")
list(APPEND prompt ${tokens} ${more})
list(LENGTH prompt count)
expect_member("the second turn" "${second}" ${count} prompt_tokens)
string(REPLACE ";" " " ids "${prompt}")
ask(expected generate ${folder} --ids "${ids}" --max-new-tokens 5)
string(JSON tokens GET "${second}" tokens)
string(REGEX MATCHALL "[0-9]+" tokens "${tokens}")
string(REPLACE ";" " " answer "${tokens}")
expect("the second answer" "${answer}\n" "${expected}")

# Lines of a file from Windows are the same turns.
file(WRITE ${folder}/turns "Hello\r\n\r\nAnd you\r\n")
execute_process(COMMAND ${PROGRAM} chat ${folder} --system " Short. " --max-new-tokens 5 --json
  INPUT_FILE ${folder}/turns OUTPUT_VARIABLE again COMMAND_ERROR_IS_FATAL ANY)
foreach(text IN ITEMS said again)
  string(REGEX REPLACE ",\"tokens_per_second\":[^}]*" "" ${text} "${${text}}")
endforeach()
expect("turns that end in a carriage return" "${again}" "${said}")

# The name of a special token is text: it takes several tokens.
file(WRITE ${folder}/turns "<|eot_id|>\n")
execute_process(COMMAND ${PROGRAM} chat ${folder} --max-new-tokens 0 --json INPUT_FILE ${folder}/turns OUTPUT_VARIABLE spelled)
file(WRITE ${folder}/turns "a\n")
execute_process(COMMAND ${PROGRAM} chat ${folder} --max-new-tokens 0 --json INPUT_FILE ${folder}/turns OUTPUT_VARIABLE letter)
string(JSON long GET "${spelled}" prompt_tokens)
string(JSON short GET "${letter}" prompt_tokens)
if(NOT long GREATER short)
  message(SEND_ERROR " a special token that is spelled out became one: ${long} tokens, and ${short} with a letter")
endif()

# Adapters change the answers.
ask(said finetune ${folder} --text ${TEXT} --output ${folder}/adapter --method lora --steps 4 --learning-rate 0.5 --batch-size 2
  --block-size 16)
file(WRITE ${folder}/turns "Hello\n")
foreach(adapter IN ITEMS "" "--adapter;${folder}/adapter")
  execute_process(COMMAND ${PROGRAM} chat ${folder} ${adapter} --max-new-tokens 5 --json INPUT_FILE ${folder}/turns
    OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  string(JSON tokens GET "${said}" tokens)
  list(APPEND answers "${tokens}")
endforeach()
list(REMOVE_DUPLICATES answers)
list(LENGTH answers count)
expect("answers without and with an adapter that differ" "${count}" 2)

# A conversation that goes on beyond the 64 positions of config.json gets one note.
file(WRITE ${folder}/turns "Hello\nAnd you\nAnd you\n")
execute_process(COMMAND ${PROGRAM} chat ${folder} --max-new-tokens 64 INPUT_FILE ${folder}/turns OUTPUT_QUIET ERROR_VARIABLE err)
if(NOT err MATCHES "^weft: note: the text goes beyond the 64 positions of the model [^\n]*\n$")
  message(SEND_ERROR " chat: one note about the positions is expected, found\n${err}")
endif()

# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=<weft> -DMAKE_LLAMA=<make_llama> -DGOLDENS=<tests/goldens> -DTEXT=<a text> -P finetune.cmake
# A few steps from a plain Llama with bf16 weights, by each method: what is trained, what is left, and how a run goes on.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/expectations.cmake)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/finetune)
file(REMOVE_RECURSE ${folder})
set(llama ${folder}/llama)
execute_process(COMMAND ${MAKE_LLAMA} ${llama} 256 COMMAND_ERROR_IS_FATAL ANY)
set(small --text ${TEXT} --batch-size 2 --block-size 16 --schedule constant --learning-rate 0.01)

# expect_same_files WHAT FOUND EXPECTED NAME...
function(expect_same_files what found_folder expected_folder)
  foreach(name IN LISTS ARGN)
    file(SHA256 ${expected_folder}/${name} expected)
    file(SHA256 ${found_folder}/${name} found)
    expect("${name} of ${what}" "${found}" "${expected}")
  endforeach()
endfunction()

# Six steps at once, and three and three.
foreach(method IN ITEMS full sparse-gin lora)
  ask(said finetune ${llama} ${small} --method ${method} --output ${folder}/${method} --steps 6 --json)
  string(JSON ${method}_trained GET "${said}" trained_parameters)
  string(JSON ${method}_all GET "${said}" parameters)
  ask(said finetune ${llama} ${small} --method ${method} --output ${folder}/${method}-halves --steps 3)
  ask(said finetune --text ${TEXT} --output ${folder}/${method}-halves --steps 6 --resume)
  set(files checkpoint.safetensors)
  if(method STREQUAL lora)
    list(APPEND files adapter_config.json adapter_model.safetensors)
  else()
    list(APPEND files config.json model.safetensors)
  endif()
  expect_same_files("a run of ${method} in two halves" ${folder}/${method}-halves ${folder}/${method} ${files})
endforeach()
expect("trained parameters of the full method" "${full_trained}" "${full_all}")
math(EXPR added "${sparse-gin_all} - ${full_all}")
expect("trained parameters of sparse-gin" "${sparse-gin_trained}" "${added}")
math(EXPR added "${lora_all} - ${full_all}")
expect("trained parameters of lora" "${lora_trained}" "${added}")

# Of the bf16 weights, those that are frozen stay so.
foreach(file IN ITEMS model checkpoint)
  file(STRINGS ${folder}/sparse-gin/${file}.safetensors header LENGTH_MINIMUM 200 LIMIT_COUNT 1)
  foreach(name IN ITEMS q_proj v_proj)
    if(NOT header MATCHES "self_attn.${name}.weight\":{[^}]*\"BF16\"")
      message(SEND_ERROR " ${file}.safetensors of sparse-gin: ${name} is expected as BF16, found\n${header}")
    endif()
  endforeach()
endforeach()

# What was learned helps on the text, with the model that it belongs to.
function(loss_of out)
  ask(said evaluate ${ARGN} ${TEXT} --block 16 --limit-tokens 512 --json)
  string(JSON loss GET "${said}" loss)
  set(${out} ${loss} PARENT_SCOPE)
endfunction()
loss_of(before ${llama})
foreach(model IN ITEMS "${folder}/full" "${folder}/sparse-gin" "${llama};--adapter;${folder}/lora")
  loss_of(after ${model})
  if(NOT after LESS before)
    message(SEND_ERROR " ${model}: a loss below ${before} is expected, found ${after}")
  endif()
endforeach()

# Adapters merged into the weights, which are 16 bits wide, or 32, say what they said beside them.
ask(expected generate ${llama} "The License" --adapter ${folder}/lora --max-new-tokens 2)
ask(json convert ${llama} ${folder}/merged --adapter ${folder}/lora --dtype f32 --json)
expect_member("convert with adapters" "${json}" 14 merged)
ask(found generate ${folder}/merged "The License" --max-new-tokens 2)
expect("the answer with merged adapters" "${found}" "${expected}")
ask(text convert ${llama} ${folder}/merged-bf16 --adapter ${folder}/lora)
if(NOT text MATCHES "adapters +14 merged")
  message(SEND_ERROR " convert with adapters: \"14 merged\" is expected, found\n${text}")
endif()
loss_of(after ${folder}/merged-bf16)
if(NOT after LESS before)
  message(SEND_ERROR " merged adapters: a loss below ${before} is expected, found ${after}")
endif()

# Choices of adapters and of the graph network.
ask(said finetune ${llama} ${small} --method lora --output ${folder}/rank --steps 1 --rank 3 --alpha 9 --lora-dropout 0.25
  --target q_proj,up_proj)
file(READ ${folder}/rank/adapter_config.json config)
expect_member("chosen adapters" "${config}" 3 r)
expect_member("chosen adapters" "${config}" 9.0 lora_alpha)
expect_member("chosen adapters" "${config}" 0.25 lora_dropout)
string(JSON count LENGTH "${config}" target_modules)
expect("targets of chosen adapters" "${count}" 2)

file(READ ${folder}/sparse-gin/config.json config)
string(JSON config SET "${config}" gnn_config hidden_dim 12)
file(WRITE ${folder}/graph.json "${config}")
ask(said finetune ${llama} ${small} --method sparse-gin --graph ${folder}/graph.json --output ${folder}/wide --steps 1)
file(READ ${folder}/wide/config.json config)
expect_member("a chosen graph network" "${config}" 12 gnn_config hidden_dim)

# A model that has a graph network trains that one; each epoch leaves what was learned.
file(READ ${TEXT} text LIMIT 400)
file(WRITE ${folder}/short.txt "${text}")
ask(said finetune ${folder}/sparse-gin --text ${folder}/short.txt --batch-size 4 --block-size 16 --method sparse-gin
  --output ${folder}/more --steps 13 --validation 0 --keep-epochs --json)
expect_member("a graph network trained once more" "${said}" ${sparse-gin_trained} trained_parameters)
ask(said evaluate ${folder}/more/epoch-1 ${TEXT} --block 16 --limit-tokens 64)
ask(said evaluate ${folder}/more/epoch-2 ${TEXT} --block 16 --limit-tokens 64)

# A run goes on as what it was.
function(refused text)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE code ERROR_VARIABLE err OUTPUT_QUIET)
  if(NOT code EQUAL 1 OR NOT err MATCHES "${text}")
    message(SEND_ERROR " ${ARGN}: exit code 1 and \"${text}\" are expected, found ${code}\n${err}")
  endif()
endfunction()
set(go_on --text ${TEXT} --resume --output)
ask(said train --text ${TEXT} --batch-size 2 --block-size 16 --steps 1 --output ${folder}/new)
refused("has a run of weft train" finetune ${go_on} ${folder}/new)
refused("has a run of weft finetune" train ${go_on} ${folder}/lora)
refused("this run has the model .*llama, found .*full" finetune ${folder}/full ${go_on} ${folder}/lora)
refused("this run has --method lora, found full" finetune --method full ${go_on} ${folder}/lora)
refused("--rank belongs to a new run of --method lora" finetune --rank 2 ${go_on} ${folder}/lora)
refused("has a graph network already, and --graph would be another" finetune ${folder}/sparse-gin ${small}
  --method sparse-gin --graph ${folder}/graph.json --output ${folder}/unused)
# A base whose file and config.json do not belong together gets no graph network.
file(COPY ${llama} DESTINATION ${folder}/unlike)
file(READ ${llama}/config.json config)
string(JSON config SET "${config}" attention_bias true)
file(WRITE ${folder}/unlike/llama/config.json "${config}")
refused("there is no model.layers.0.self_attn.q_proj.bias, which the model needs" finetune ${folder}/unlike/llama ${small}
  --method sparse-gin --output ${folder}/unused)
string(JSON config SET "${config}" attention_bias false)
string(JSON config SET "${config}" num_hidden_layers 1)
file(WRITE ${folder}/unlike/llama/config.json "${config}")
refused("the model with a graph network has no model.layers.1" finetune ${folder}/unlike/llama ${small} --method sparse-gin
  --output ${folder}/unused)
string(JSON config SET "${config}" num_hidden_layers 100000)
file(WRITE ${folder}/unlike/llama/config.json "${config}")
refused("num_hidden_layers" finetune ${folder}/unlike/llama ${small} --method sparse-gin --output ${folder}/unused)
if(EXISTS ${folder}/unused)
  message(SEND_ERROR " a refused run left a folder")
endif()

# A run.json that is not one.
file(WRITE ${folder}/lora/run.json "{\"method\":\"lora\",\"model\":\"x\",\"validation\":2.0}")
refused("run.json: validation must be from 0 to 0.9, found 2" finetune ${go_on} ${folder}/lora)
file(WRITE ${folder}/lora/run.json "{\"method\":\"prompt\",\"model\":\"x\",\"validation\":0.5}")
refused("must be full, sparse-gin or lora, found prompt" finetune ${go_on} ${folder}/lora)
file(WRITE ${folder}/lora/run.json "{\"method\":\"lora\",\"model\":7,\"validation\":0.5}")
refused("run.json: model must be a text" finetune ${go_on} ${folder}/lora)

# Every model folder, by each method; their vocabularies are too small for bytes.
string(REPEAT "1 2 3 5 7 11 13 4 6 8 9 10 " 40 numbers)
file(WRITE ${folder}/numbers.txt "${numbers}")
file(GLOB models ${GOLDENS}/models/*)
foreach(model IN LISTS models)
  cmake_path(GET model FILENAME name)
  set(methods full sparse-gin lora)
  if(name MATCHES "^cg_") # has no attention weights for a graph network to work on, and says so
    list(REMOVE_ITEM methods sparse-gin)
  endif()
  foreach(method IN LISTS methods)
    ask(said finetune ${model} --text ${folder}/numbers.txt --ids --method ${method} --steps 1 --batch-size 2 --block-size 16
      --output ${folder}/${method}-${name})
    if((name STREQUAL gin_diff_groupnorm AND NOT err MATCHES "see later ones") OR
       (NOT name STREQUAL gin_diff_groupnorm AND err MATCHES "see later ones"))
      message(SEND_ERROR " ${name}: a note that tokens see later ones belongs to the norm over a whole text, found\n${err}")
    endif()
  endforeach()
  ask(said train ${model} --text ${folder}/numbers.txt --ids --steps 1 --batch-size 2 --block-size 16 --output ${folder}/new-${name})
endforeach()

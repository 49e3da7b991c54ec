# SPDX-License-Identifier: Apache-2.0
# weft_add_model(<target> <folder> [NAME <type>] [EMBED]): a model's folder as a C++ type.
#
# Programs that link <target> include "<target>.hpp", which defines <type> (default: the target's name) with the configuration in
# the folder's config.json, ready for weft::LlamaForCausalLMWithGNN<type> and weft::load_pretrained<type>(type::folder). With
# EMBED the weights, one model.safetensors, become part of the program: weft::load_embedded<type>() needs no file.

function(weft_add_model target folder)
  cmake_parse_arguments(PARSE_ARGV 2 model EMBED NAME "")
  if(model_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weft_add_model(<target> <folder> [NAME <type>] [EMBED]): found ${model_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET weft::io)
    message(FATAL_ERROR "weft_add_model(${target}): weft's component io is needed, which needs RapidJSON")
  endif()
  cmake_path(ABSOLUTE_PATH folder)
  if(NOT EXISTS ${folder}/config.json)
    message(FATAL_ERROR "weft_add_model(${target}): a folder with config.json is expected, found ${folder}")
  endif()
  if(NOT model_NAME)
    set(model_NAME ${target})
  endif()
  if(NOT TARGET weft_model_header)
    add_executable(weft_model_header EXCLUDE_FROM_ALL ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/model_header.cpp)
    target_link_libraries(weft_model_header PRIVATE weft::weft weft::io)
  endif()

  set(generated ${CMAKE_CURRENT_BINARY_DIR}/weft_models)
  file(MAKE_DIRECTORY ${generated})
  set(weights "")
  if(model_EMBED)
    set(weights ${folder}/model.safetensors)
    if(weights MATCHES "[\"\\]")
      message(FATAL_ERROR "weft_add_model(${target} ... EMBED): a path without quotes and backslashes is expected, ${weights}")
    endif()
    if(NOT EXISTS ${weights})
      message(FATAL_ERROR "weft_add_model(${target} ... EMBED): weights in one file are expected, ${weights}")
    endif()
  endif()
  add_custom_command(OUTPUT ${generated}/${target}.hpp
    COMMAND weft_model_header ${folder} ${model_NAME} ${generated}/${target}.hpp ${weights}
    DEPENDS ${folder}/config.json weft_model_header
    COMMENT "Writing ${target}.hpp" VERBATIM)
  add_custom_target(${target}_header DEPENDS ${generated}/${target}.hpp)

  if(model_EMBED)
    set(symbol weft_weights_of_${model_NAME})
    file(CONFIGURE OUTPUT ${generated}/${target}_weights.cpp @ONLY CONTENT [[
// The weights of a model, as they lie in their file.
asm(".section .rodata\n.balign 64\n.globl @symbol@_begin\n.globl @symbol@_end\n"
    "@symbol@_begin:\n.incbin \"@weights@\"\n@symbol@_end:\n.byte 0\n.previous\n");
]])
    set_source_files_properties(${generated}/${target}_weights.cpp PROPERTIES OBJECT_DEPENDS ${weights})
    add_library(${target} STATIC ${generated}/${target}_weights.cpp)
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${generated})
  target_link_libraries(${target} ${scope} weft::weft weft::io)
  add_dependencies(${target} ${target}_header)
endfunction()

# SPDX-License-Identifier: Apache-2.0
# cmake -DPARITY=<weft_parity> -DCHANGE=<change_goldens> -DGOLDENS=<tests/goldens> -P changed_goldens.cmake
# A golden file that is wrong fails with a sentence that says where; the program compares all that a file says.
cmake_minimum_required(VERSION 3.25)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/changed_goldens)
file(REMOVE_RECURSE ${folder})
execute_process(COMMAND ${CHANGE} ${GOLDENS} ${folder} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PARITY} ${folder} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
set(expected 0)

# expect VERDICT NAME PATTERN: the line of a file.
function(expect verdict name pattern)
  math(EXPR count "${expected} + 1")
  set(expected ${count} PARENT_SCOPE)
  if(NOT "\n${out}" MATCHES "\n${verdict} ${name} ([^\n]*)\n" OR NOT CMAKE_MATCH_1 MATCHES "${pattern}")
    message(SEND_ERROR " ${verdict} ${name} and \"${pattern}\" are expected, found\n${out}${err}")
  endif()
endfunction()

expect(FAIL constant_wrong "; weight must start from 2.0, found 1$")
expect(FAIL constant_of_nothing "; bias of init_const has no place in the layer$")
expect(FAIL constant_of_letters "; init_const of weight must be a number, found \"one\"$")
expect(PASS constant_by_second_name "GINLayer")
expect(FAIL constant_by_second_name_wrong "; mlp.2.weight must start from 0.5, found 1$")
expect(FAIL constant_where_drawn "; mlp.0.weight must start from 0.0, found values from -0.[0-9]+ to 0.[0-9]+$")
expect(FAIL constant_out_of_range
  "; sharpening_parameters.0 must start from 3.0, found values from 0.5[0-9]+ to 1.4[0-9]+$")
expect(FAIL constant_of_torch_out_of_range "; mlp.3.bias must start from 0.5, found 0$")
expect(FAIL constant_of_no_layer "; init_const was not compared$")
expect(FAIL model_of_wrong_constant "; model.norm.weight must start from 2.0, found 1$")

expect(FAIL gradient_of_parameter_undefined "; weight got a gradient, which the reference leaves undefined$")
expect(FAIL gradient_of_input_undefined "; in.x got a gradient, which the reference leaves undefined$")

expect(PASS infinity_equal "worst")
expect(FAIL infinity_of_other_sign "worst inf of .* in out.output")

expect(PASS index_none "LlamaAttentionGIN worst")
expect(FAIL index_none_of_lambda "differential attention needs layer_idx, from which lambda starts")
expect(FAIL index_none_of_scale "layer_idx must be a number where trainable_scale starts from it, found null$")
expect(PASS index_none_of_plain_layer "LlamaDecoderLayerWithGNN worst")
expect(FAIL index_of_letters "layer_idx must be an integer or null, found \"two\"$")

string(REGEX MATCHALL "(PASS|FAIL) " lines "${out}")
list(LENGTH lines found)
if(NOT code EQUAL 1 OR NOT found EQUAL expected)
  message(SEND_ERROR " exit code 1 and ${expected} lines are expected, found ${code} and\n${out}${err}")
endif()

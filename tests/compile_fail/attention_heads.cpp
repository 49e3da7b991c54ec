// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttention: key_value_heads must divide heads
#include "weft/attention/llama_attention.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int key_value_heads = 3;
#else
constexpr int key_value_heads = 2;
#endif

weft::LlamaAttention<64, 8, key_value_heads> attention;

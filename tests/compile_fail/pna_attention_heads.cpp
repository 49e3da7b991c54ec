// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttentionPNA: key_value_heads must divide heads
#include "weft/attention/llama_attention_pna.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int key_value_heads = 3;
#else
constexpr int key_value_heads = 4;
#endif

weft::LlamaAttentionPNA<64, 8, key_value_heads> attention;

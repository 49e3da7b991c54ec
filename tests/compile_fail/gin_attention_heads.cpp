// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttentionGIN: key_value_heads must divide heads
#include "weft/attention/llama_attention_gin.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int heads = 6;
#else
constexpr int heads = 8;
#endif

weft::LlamaAttentionGIN<64, heads, 4, 16> attention;

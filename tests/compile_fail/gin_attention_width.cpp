// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttentionGIN: key_value_heads \* head_dim must equal hidden_size
// expect: extents_agree(<32, 64>|[^;]*First = 32; Second = 64|<kKeyWidth, 64>)
#include "weft/attention/llama_attention_gin.hpp"

constexpr int hidden_size = 64;
constexpr int heads = 8;
#ifdef WEFT_MUST_FAIL
constexpr int key_value_heads = 4;
#else
constexpr int key_value_heads = 8;
#endif

weft::LlamaAttentionGIN<hidden_size, heads, key_value_heads> attention;

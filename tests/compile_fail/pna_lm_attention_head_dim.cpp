// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttentionPNA: head_dim must be even, because the rotary embedding turns pairs
#include "weft/attention/llama_attention_pna.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int head_dim = 7;
#else
constexpr int head_dim = 8;
#endif

weft::LlamaAttentionPNA_LM<42, 6, 6, head_dim> attention;

// SPDX-License-Identifier: Apache-2.0
// expect: LlamaAttention: head_dim must be even, because the rotary embedding turns pairs
#include "weft/attention/llama_attention.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int head_dim = 7;
#else
constexpr int head_dim = 8;
#endif

weft::LlamaAttention<64, 8, 8, head_dim> attention;

// SPDX-License-Identifier: Apache-2.0
// expect: perceiver: hidden_size must be at least heads
#include "weft/perceiver/cg_attention.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int heads = 65;
#else
constexpr int heads = 4;
#endif

auto attention(const weft::CGAttentionOptions& options) { return weft::CG_Attention<64, heads>(options); }

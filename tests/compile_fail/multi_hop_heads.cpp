// SPDX-License-Identifier: Apache-2.0
// expect: LlamaMLP_MultiHop: hidden_size must be a multiple of heads
#include "weft/mlp/llama_mlp_multi_hop.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int heads = 5;
#else
constexpr int heads = 4;
#endif

weft::LlamaMLP_MultiHop<64, 96, heads> mlp;

// SPDX-License-Identifier: Apache-2.0
// expect: LlamaMLP_HalfwayGIN: intermediate_size must be a multiple of heads
#include "weft/mlp/llama_mlp_halfway_gin.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int intermediate_size = 90;
#else
constexpr int intermediate_size = 96;
#endif

weft::LlamaMLP_HalfwayGIN<64, intermediate_size, 4> mlp;

// SPDX-License-Identifier: Apache-2.0
// expect: tensor\(i, j, \.\.\.\): one index for each axis
#include "weft/tensor/tensor.hpp"

#ifdef WEFT_MUST_FAIL
float first(const weft::Tensor<float, weft::Shape<8, 32>>& x) { return x(0); }
#else
float first(const weft::Tensor<float, weft::Shape<8, 32>>& x) { return x(0, 0); }
#endif

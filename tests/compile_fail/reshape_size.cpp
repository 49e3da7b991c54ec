// SPDX-License-Identifier: Apache-2.0
// expect: reshape\(shape\): the number of elements must not change
#include "weft/tensor/tensor.hpp"

#ifdef WEFT_MUST_FAIL
using Flat = weft::Shape<255>;
#else
using Flat = weft::Shape<256>;
#endif

auto flat(const weft::Tensor<float, weft::Shape<8, 32>>& x) { return x.reshape(Flat{}); }

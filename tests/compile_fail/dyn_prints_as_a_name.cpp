// SPDX-License-Identifier: Apache-2.0
// A shape in a message reads as it was written.
// expect: Shape<[A-Za-z:]*Dyn, ?32>
#include "weft/tensor/tensor.hpp"

using Tensor = weft::Tensor<float, weft::Shape<weft::Dyn, 32>>;

#ifdef WEFT_MUST_FAIL
int rows(const Tensor& x) { return x.rows(); }
#else
weft::Index rows(const Tensor& x) { return x.extent(0); }
#endif

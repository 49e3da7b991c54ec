// SPDX-License-Identifier: Apache-2.0
// Otherwise Shape<64> and Shape<64U> would be two types that print alike.
// expect: Shape: every extent must be an int or weft::Dyn
#include "weft/tensor/shape.hpp"

#ifdef WEFT_MUST_FAIL
weft::Shape<8, 64U> shape;
#else
weft::Shape<8, 64> shape;
#endif

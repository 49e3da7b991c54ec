// SPDX-License-Identifier: Apache-2.0
// -1 is not a second way to write Dyn.
// expect: Shape: an extent must not be negative
#include "weft/tensor/shape.hpp"

#ifdef WEFT_MUST_FAIL
weft::Shape<8, -1> shape;
#else
weft::Shape<8, weft::Dyn> shape(32);
#endif

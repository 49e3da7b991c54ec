// SPDX-License-Identifier: Apache-2.0
// expect: operation\(context, x, \.\.\.\): x lives on another device than the context
// expect: Elsewhere
#include "weft/ops/sum/sum.hpp"

/// A device by name only.
struct Elsewhere : weft::Cpu {};

#ifdef WEFT_MUST_FAIL
using Device = Elsewhere;
#else
using Device = weft::Cpu;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<8, 32>, Device>& x) {
  return weft::sum(context, x);
}

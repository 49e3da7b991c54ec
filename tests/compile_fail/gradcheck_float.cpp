// SPDX-License-Identifier: Apache-2.0
// expect: gradcheck\(f, inputs\): inputs must be double
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/sum/sum.hpp"

#ifdef WEFT_MUST_FAIL
using Element = float;
#else
using Element = double;
#endif

bool derivatives_agree(weft::Tensor<Element, weft::Shape<8>>& x) {
  return weft::gradcheck([](auto& context, const auto& input) { return weft::sum(context, input); }, std::tie(x))
      .passed;
}

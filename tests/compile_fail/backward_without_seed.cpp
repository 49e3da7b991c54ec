// SPDX-License-Identifier: Apache-2.0
// expect: backward\(loss\): the loss must be a scalar; pass a seed for other shapes
#include "weft/autograd/tape.hpp"

#ifdef WEFT_MUST_FAIL
void backward(weft::Tape& tape, const weft::Variable<float, weft::Shape<8>>& result) { tape.backward(result); }
#else
void backward(weft::Tape& tape, const weft::Variable<float, weft::Shape<8>>& result,
              const weft::Tensor<float, weft::Shape<8>>& seed) {
  tape.backward(result, seed.view());
}
void backward(weft::Tape& tape, const weft::Variable<float, weft::Shape<>>& loss) { tape.backward(loss); }
#endif

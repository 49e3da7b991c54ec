// SPDX-License-Identifier: Apache-2.0
// Built with -fno-exceptions -fno-rtti: what would be thrown arrives, with its text, at the handler.
#include "weft/tensor/tensor.hpp"

#include "expected_error.hpp"

int main() {
  return expect_error("slice(begin, count)", [] {
    weft::Tensor<float, weft::Shape<2, weft::Dyn>> rows(weft::Shape<2, weft::Dyn>(3));
    rows.slice(1, 5);
  });
}

// SPDX-License-Identifier: Apache-2.0
// Built with -fno-exceptions -fno-rtti: a file that is not there.
#include "weft/io.hpp"

#include "expected_error.hpp"

int main() {
  return expect_error("no_such_file: No such file", [] { const weft::SafetensorsFile file("no_such_file"); });
}

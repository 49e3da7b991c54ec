// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/tensor/error.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("numbers in a message are the shortest text that reads back as they are") {
  CHECK(concat(1.0000001, " ", 1.5, " ", 0.0, " ", 1e-310, " ", 0.1) == "1.0000001 1.5 0 1e-310 0.1");
  CHECK(concat(0.1F, " ", 1e-5F, " ", 16777216.0F) == "0.1 1e-05 16777216");
  CHECK(concat(std::numeric_limits<double>::quiet_NaN(), " ", -std::numeric_limits<float>::infinity()) == "nan -inf");
  CHECK(concat(-3, " ", std::size_t{7}, " ", true) == "-3 7 1");
}

// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/thrust.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "thrust/operation_results.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

/// Each sum rounds once a term, in either order; the functions of math libraries are good for a few units more.
template <class T>
double tolerance_of(const OperationResult& expected) {
  double largest = 1;
  for (double value : expected.values) largest = std::max(largest, std::abs(value));
  return static_cast<double>(expected.terms + 8) * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest;
}

template <class T>
void compare_with_cpu() {
  const auto expected = cpu_operation_results<T>();
  const auto found = operation_results<Thrust, T>();
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    CAPTURE(expected[k].name);
    REQUIRE(found[k].name == expected[k].name);
    CHECK(largest_difference(found[k].values, expected[k].values) <= tolerance_of<T>(expected[k]));
  }
}

}  // namespace

TEST_CASE("every operation with Thrust kernels gives what the CPU gives, forward and backward") {
  SECTION("float") { compare_with_cpu<float>(); }
  SECTION("double") { compare_with_cpu<double>(); }
}

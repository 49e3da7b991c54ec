// SPDX-License-Identifier: Apache-2.0
// Trains the perceptron on a GPU and compares every loss with the CPU's.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "weft/cuda.hpp"

#include "thrust/perceptron.hpp"

namespace {

bool trains_like_the_cpu() {
  using namespace weft::testing;
  const auto expected = cpu_perceptron_losses();
  const auto found = train_perceptron<weft::Cuda>();
  bool passed = found.size() == expected.size();
  for (std::size_t step = 0; step < std::min(found.size(), expected.size()); ++step) {
    std::printf("step %2zu  cpu %.6f  gpu %.6f\n", step, expected[step], found[step]);
    passed = passed && std::abs(found[step] - expected[step]) <= kPerceptronTolerance;
  }
  return passed;
}

}  // namespace

int main() {
  try {
    const bool passed = trains_like_the_cpu();
    std::puts(passed ? "PASS" : "FAIL");
    return passed ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("FAIL: %s\n", error.what());
    return 1;
  }
}

// SPDX-License-Identifier: Apache-2.0
// What the tests of other devices expect.
#include "thrust/operation_results.hpp"
#include "thrust/perceptron.hpp"

namespace weft::testing {

template <class T>
std::vector<OperationResult> cpu_operation_results() {
  return operation_results<Cpu, T>();
}
template std::vector<OperationResult> cpu_operation_results<float>();
template std::vector<OperationResult> cpu_operation_results<double>();

std::vector<double> cpu_perceptron_losses() { return train_perceptron<Cpu>(); }

}  // namespace weft::testing

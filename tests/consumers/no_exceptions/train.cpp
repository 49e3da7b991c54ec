// SPDX-License-Identifier: Apache-2.0
// Built with -fno-exceptions -fno-rtti: a training run that cannot be.
#include "weft/layers/linear.hpp"
#include "weft/train/trainer.hpp"

#include "expected_error.hpp"

namespace {

struct Model {
  using Element = float;
  using Device = weft::Cpu;
  weft::Linear<3, 2> layer;

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    weft::for_each_parameter(self.layer, visit, prefix);
  }
};

}  // namespace

int main() {
  return expect_error("learning_rate must not be negative", [] {
    Model model;
    const weft::Trainer trainer(model, {.learning_rate = -1});
  });
}

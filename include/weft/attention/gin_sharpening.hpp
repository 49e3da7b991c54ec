// SPDX-License-Identifier: Apache-2.0
/// \file
/// The learned factor on the scores of GIN attention.
#pragma once

#include <optional>

#include "weft/attention/sharpening_init.hpp"
#include "weft/layers/initialize.hpp"
#include "weft/ops/attention/attention_input.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// α, if there is one. Parameter: `sharpening_parameters.0`, [] where it starts from a value and [1] where it starts at random,
/// as in the reference.
template <class T = float, class DeviceType = Cpu>
class GINSharpening {
 public:
  std::optional<Parameter<T, Shape<>, DeviceType>> value;
  std::optional<Parameter<T, Shape<1>, DeviceType>> random;

  GINSharpening(bool wanted, SharpeningInit init, double initial_value) {
    if (wanted && init == SharpeningInit::value) {
      value.emplace(Shape<>());
      fill_constant(*value, static_cast<T>(initial_value));
    } else if (wanted) {
      random.emplace(Shape<1>());
      fill_constant(*random, T{1});
    }
  }

  /// The parameter, or nothing.
  template <class Context>
  Operand<T> operand(const Context& context) const {
    return value ? weft::operand(context, *value) : random ? weft::operand(context, *random) : Operand<T>{};
  }

  /// Whether α has come to be no positive factor, which turns masks round (quirk A11).
  bool turns_masks() const {
    const T* factor = value ? value->data() : random ? random->data() : nullptr;
    return factor != nullptr && !(*factor > kernels::kDecisiveSharpness<T>);
  }

  /// Uniform in [0.5, 1.5) where it starts at random.
  void initialize(Rng& rng) {
    if (random) fill_constant(*random, static_cast<T>(0.5F + rng.next_stream().uniform(0)));
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.value) visit(ParameterName(prefix + "sharpening_parameters.0"), *self.value);
    if (self.random) visit(ParameterName(prefix + "sharpening_parameters.0"), *self.random);
  }
};

}  // namespace weft

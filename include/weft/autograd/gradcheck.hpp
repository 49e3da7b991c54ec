// SPDX-License-Identifier: Apache-2.0
/// \file
/// Derivatives against finite differences: the proof that every operation and layer owes.
#pragma once

#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "weft/autograd/operand.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

/// The step and the tolerances of `gradcheck`; the defaults suit values around 1.
struct GradcheckOptions {
  double step = 1e-6;  ///< of the central difference
  double atol = 1e-5;  ///< |analytic - numeric| <= atol + rtol |numeric|
  double rtol = 1e-3;
};

/// Whether derivatives agree; converts to `bool`.
struct GradcheckResult {
  bool passed = true;
  std::string message;  ///< where it failed first, or how many derivatives agreed

  explicit operator bool() const { return passed; }
};

/// For `gradcheck` of a function without parameters.
struct NoParameters {
  template <class Self, class Visit>
  static void visit_parameters(Self&, Visit&&, const std::string&) {}
};

namespace detail {

/// Σ weights · f(inputs): a scalar that depends on every output in its own way.
template <class Function, class... Inputs>
double weighted_output(Function& function, const std::vector<double>& weights, std::tuple<Inputs&...> inputs) {
  Inference inference;
  const auto y = std::apply([&](auto&... x) { return function(inference, x...); }, inputs);
  double sum = 0;
  for (Index i = 0; i < y.size(); ++i) sum += weights[static_cast<std::size_t>(i)] * y.data()[i];
  return sum;
}

/// Compares one tensor's derivatives, changing its elements one at a time.
template <class Evaluate>
void compare_derivatives(const std::string& name, double* values, Index size, const double* analytic,
                         const GradcheckOptions& options, Evaluate&& evaluate, GradcheckResult& result, Index& agreed) {
  for (Index i = 0; i < size && result.passed; ++i) {
    const double before = values[i];
    values[i] = before + options.step;
    const double above = evaluate();
    values[i] = before - options.step;
    const double below = evaluate();
    values[i] = before;
    const double numeric = (above - below) / (2 * options.step);
    const double found = analytic == nullptr ? 0 : analytic[i];
    if (std::abs(found - numeric) <= options.atol + options.rtol * std::abs(numeric)) {
      ++agreed;
    } else {
      result = {false, concat("gradcheck: derivative of ", name, "[", i, "] is ", found, ", finite differences give ",
                              numeric)};
    }
  }
}

}  // namespace detail

/// Compares the gradients of `function(context, inputs...)` with central differences, in double, for every element of
/// every input and of every parameter of `layer`. The function is called with a `Tape` and with an `Inference`, and
/// must give the same values with both.
///
///     auto result = gradcheck([&](auto& context, auto& x) { return layer(context, x); }, std::tie(x), layer);
template <class Function, class... Inputs, class Layer = NoParameters>
GradcheckResult gradcheck(Function function, std::tuple<Inputs&...> inputs, Layer&& layer = Layer{},
                          GradcheckOptions options = {}) {
  static_assert((std::is_same_v<ElementOf<Inputs>, double> && ...), "gradcheck(f, inputs): inputs must be double");
  Tape tape;
  clear_gradients(layer);
  auto watched = std::apply([&](auto&... x) { return std::make_tuple(tape.watch(x)...); }, inputs);
  const auto y = std::apply([&](auto&... x) { return function(tape, x...); }, watched);

  std::vector<double> weights(static_cast<std::size_t>(y.size()));
  const Rng rng(7);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = rng.normal(i);
  tape.backward(y, TensorView<const double, ShapeOf<decltype(y)>>(weights.data(), y.shape()));

  GradcheckResult result;
  Index agreed = 0;
  const auto evaluate = [&] { return detail::weighted_output(function, weights, inputs); };
  const auto check_input = [&](std::size_t position, auto& input, const auto& variable) {
    const double* analytic = tape.has_gradient(variable) ? tape.gradient(variable).data() : nullptr;
    detail::compare_derivatives(concat("input ", position), input.data(), input.size(), analytic, options, evaluate,
                                result, agreed);
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) { (check_input(I, std::get<I>(inputs), std::get<I>(watched)), ...); }
  (std::index_sequence_for<Inputs...>{});
  for_each_parameter(layer, [&](const ParameterName& name, auto& parameter) {
    const double* analytic = parameter.has_gradient() ? parameter.gradient().data() : nullptr;
    detail::compare_derivatives(name.name, parameter.data(), parameter.size(), analytic, options, evaluate, result,
                                agreed);
  });
  if (result.passed) result.message = concat("gradcheck: ", agreed, " derivatives agree");
  return result;
}

}  // namespace weft

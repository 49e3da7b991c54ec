// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of perceivers and of the attention made of them share.
#pragma once

#include "weft/attention/attention_inputs.hpp"
#include "weft/autograd/gradcheck.hpp"
#include "weft/perceiver/perceiver_options.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace weft::testing {

template <class T>
using Hidden = Tensor<T, Shape<Dyn, Dyn, Dyn>>;

template <class T>
AttentionInputs<T> causal_inputs(const std::int32_t* key_valid = nullptr) {
  AttentionInputs<T> inputs;
  inputs.causal = true;
  inputs.key_valid = key_valid;
  return inputs;
}

/// Beside -1e9 a double keeps 1e-7 of a score: the step has to be large.
inline constexpr GradcheckOptions kCoarseStep{3e-3, 3e-3, 3e-3};

/// The values of `layer(context, x, inputs)`.
template <class Layer, class T>
std::vector<T> values_of(const Layer& layer, const Hidden<T>& x, const AttentionInputs<T>& inputs) {
  Inference inference;
  return to_vector(layer(inference, x, inputs));
}

/// Whether changing token t, for every t, moves no earlier output.
template <class Layer>
bool is_causal(const Layer& layer, const Hidden<float>& x, const AttentionInputs<float>& inputs) {
  const auto before = values_of(layer, x, inputs);
  const Index tokens = x.extent(1), features = x.extent(2);
  for (Index t = 0; t < tokens; ++t) {
    auto changed = x.clone();
    for (Index c = 0; c < features; ++c) changed.data()[t * features + c] += 1 + 0.5F * static_cast<float>(c);
    const auto after = values_of(layer, changed, inputs);
    if (!std::equal(after.begin(), after.begin() + t * features, before.begin())) return false;
  }
  return true;
}

/// Whether `layer(context, x, inputs)` has the same bits, forwards and backwards, for any number of threads.
template <class Layer>
bool same_bits_with_threads(Layer& layer, Hidden<float>& x, const AttentionInputs<float>& inputs) {
  return same_bits_for_any_thread_count([&] {
    Tape tape;
    clear_gradients(layer);
    auto watched = tape.watch(x);
    const auto y = layer(tape, watched, inputs);
    tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
    auto all = to_vector(y);
    const auto add = [&](const auto& values) {
      const auto part = to_vector(values);
      all.insert(all.end(), part.begin(), part.end());
    };
    add(tape.gradient(watched));
    for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) {
      if (parameter.has_gradient()) add(parameter.gradient());
    });
    return all;
  });
}

/// Names of parameters with a gradient of zeros, and of those with none, after a backward pass.
struct GradientKinds {
  std::vector<std::string> zeros;
  std::vector<std::string> none;
};

template <class Layer>
GradientKinds gradient_kinds(Layer& layer, Hidden<float>& x, const AttentionInputs<float>& inputs) {
  Tape tape;
  clear_gradients(layer);
  auto watched = tape.watch(x);
  const auto y = layer(tape, watched, inputs);
  tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
  GradientKinds kinds;
  for_each_parameter(layer, [&](const ParameterName& name, const auto& parameter) {
    if (!parameter.has_gradient()) return kinds.none.push_back(name.name);
    const auto values = to_vector(parameter.gradient());
    if (std::all_of(values.begin(), values.end(), [](float g) { return g == 0; })) kinds.zeros.push_back(name.name);
  });
  return kinds;
}

}  // namespace weft::testing

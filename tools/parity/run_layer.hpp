// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs one layer on a golden file: forward, backward, and the comparison of everything the file expects.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "weft/weft.hpp"

#include "parity/golden_case.hpp"
#include "parity/starting_values.hpp"

namespace parity {

/// Compares what a new layer starts from, then loads the file's parameters; every one of the file has to have a place.
template <class Layer>
void load_layer(GoldenCase& golden, Layer& layer) {
  compare_starting_values(golden, layer);
  weft::load_parameters(golden.file(), layer, "param.");
  std::set<std::string> known;
  weft::for_each_parameter(layer, [&](const weft::ParameterName& name, const auto&) {
    known.insert("param." + name.name);
    name.for_each_alias([&](const std::string& alias) { known.insert("param." + alias); });
  });
  for (const auto& tensor : golden.file().tensors()) {
    const std::string name(tensor.name);
    if (name.starts_with("param.") && !known.contains(name)) golden.reject(name + " has no place in the layer");
  }
}

/// Compares the gradients of all parameters; those that the reference leaves undefined must not have one here.
template <class Layer>
void compare_gradients(GoldenCase& golden, const Layer& layer) {
  weft::for_each_parameter(layer, [&](const weft::ParameterName& name, const auto& parameter) {
    const std::string expected = "grad_param." + name.name;
    if (golden.has(expected)) {
      if (parameter.has_gradient()) {
        golden.compare(expected, parameter.gradient());
      } else {
        golden.reject(name.name + " got no gradient");
      }
    } else if (parameter.has_gradient()) {
      golden.reject(name.name + " got a gradient, which the reference leaves undefined");
    }
  });
}

/// The same for an input, where the file says that the reference leaves it undefined. Zeros will do: only to an optimiser are
/// they not the same.
template <class Variable>
void compare_input_gradient(GoldenCase& golden, const weft::Tape& tape, const std::string& input,
                            const Variable& variable) {
  if (!golden.has("in." + input)) return;  // a number among the arguments
  const std::string expected = "grad_in." + input;
  if (golden.has(expected)) {
    if (tape.has_gradient(variable)) {
      golden.compare(expected, tape.gradient(variable));
    } else {
      golden.reject("in." + input + " got no gradient");
    }
  } else if (golden.leaves_undefined("in." + input) && tape.has_gradient(variable)) {
    const auto found = tape.gradient(variable);
    const bool zero = std::all_of(found.data(), found.data() + found.size(), [](float value) { return value == 0; });
    if (!zero) golden.reject("in." + input + " got a gradient, which the reference leaves undefined");
  }
}

/// The seed of a backward pass: the file's random weights of the outputs.
inline std::vector<float> loss_weights(const GoldenCase& golden, Index count) {
  std::vector<float> weights(static_cast<std::size_t>(count));
  const auto bytes = golden.file().tensor("loss.weight").bytes;
  if (bytes.size() != weights.size() * sizeof(float)) {
    weft::fail("loss.weight must have as many values as the output, " + std::to_string(count) + ", found " +
               golden.file().tensor("loss.weight").type_text());
  }
  std::memcpy(weights.data(), bytes.data(), bytes.size());
  return weights;
}

/// `forward(tape, x...)` on the watched inputs, compared as `out.output`; then backwards. Without loss weights there is no
/// gradient to compare: a choice without a derivative, or rows that are NaN.
///
/// \param names  of the inputs, "x" for the tensor "in.x"
template <class Layer, class Forward, class... Inputs>
void run_layer(GoldenCase& golden, Layer& layer, Forward&& forward, const std::vector<std::string>& names,
               Inputs&... inputs) {
  weft::Inference inference;
  if (!golden.has("loss.weight")) return golden.compare("out.output", forward(inference, inputs...));
  weft::Tape tape;
  weft::clear_gradients(layer);
  auto watched = std::make_tuple(tape.watch(inputs)...);
  const auto y = std::apply([&](const auto&... x) { return forward(tape, x...); }, watched);
  golden.compare("out.output", y);
  const auto seed = loss_weights(golden, y.size());
  tape.backward(y, weft::TensorView<const float, weft::ShapeOf<decltype(y)>>(seed.data(), y.shape()));

  std::size_t position = 0;
  std::apply([&](const auto&... x) { (compare_input_gradient(golden, tape, names[position++], x), ...); }, watched);
  compare_gradients(golden, layer);

  // The other context has to give the same bits.
  const auto again = forward(inference, inputs...);
  if (!std::equal(y.data(), y.data() + y.size(), again.data(), again.data() + again.size(),
                  [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); })) {
    golden.reject("Inference and Tape differ");
  }
}

}  // namespace parity

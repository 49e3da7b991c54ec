// SPDX-License-Identifier: Apache-2.0
/// \file
/// The constants that parameters of the reference start from, beside what those of a new layer start from here.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "weft/weft.hpp"

#include "parity/golden_case.hpp"

namespace parity {

/// What the elements of a parameter started from, over several draws of first values.
struct StartingValues {
  Index size = 0;
  float least = INFINITY;
  float greatest = -INFINITY;

  /// Whether a constant is what the parameter starts from. A single number drawn at random looks like a constant in a file; it
  /// then lies about where those lie that are drawn here: as far again to either side, because of 100 normal numbers the
  /// largest is at 2.5 standard deviations, and files may have one at 4.
  bool agree(float constant) const {
    const float margin = greatest - least;
    return (size == 1 || least == greatest) && least - margin <= constant && constant <= greatest + margin;
  }

  std::string text() const {
    if (least == greatest) return weft::concat(least);
    return weft::concat("values from ", least, " to ", greatest);
  }
};

/// Draws first values, where a layer or model draws any; with the deviation that LlamaConfig has if nothing is said.
template <class Layer>
void draw_first_values(Layer& layer, weft::Rng& rng) {
  if constexpr (requires { layer.initialize(rng, 0.02); }) {
    layer.initialize(rng, weft::LlamaConfig{}.initializer_range);
  } else if constexpr (requires { layer.initialize(rng); }) {
    layer.initialize(rng);
  }
}

/// What the parameters of a new layer or model start from, by every name that they have.
template <class Layer>
std::map<std::string, StartingValues> starting_values(Layer& layer, int draws) {
  std::map<std::string, StartingValues> all;
  weft::Rng rng(1);
  for (int draw = 0; draw < draws; ++draw) {
    draw_first_values(layer, rng);
    weft::for_each_parameter(std::as_const(layer), [&](const weft::ParameterName& name, const auto& parameter) {
      StartingValues& values = all[name.name];
      values.size = parameter.size();
      for (const float value : parameter.value().span()) {
        values.least = std::min(values.least, value);
        values.greatest = std::max(values.greatest, value);
      }
      name.for_each_alias([&](const std::string& alias) { all[alias] = values; });
    });
  }
  return all;
}

/// Whether a parameter of one number may be a draw of torch's own, U(-1/√in, 1/√in), which the reference's linear layers
/// have until a model replaces it by what `initialize` draws here.
inline bool may_be_drawn_by_torch(const GoldenCase& golden, const std::string& name, double constant) {
  const std::string weight = "param." + name.substr(0, name.rfind('.') + 1) + "weight";
  if (!golden.has(weight)) return false;
  const auto& shape = golden.file().tensor(weight).shape;
  return shape.size() == 2 && std::abs(constant) <= 1 / std::sqrt(static_cast<double>(shape[1]));
}

/// What is wrong with a constant of the file; empty when nothing is.
inline std::string disagreement(const GoldenCase& golden, const std::string& name, const nlohmann::json& constant,
                                const std::map<std::string, StartingValues>& all) {
  if (!constant.is_number()) return "init_const of " + name + " must be a number, found " + constant.dump();
  const auto found = all.find(name);
  if (found == all.end()) return name + " of init_const has no place in the layer";
  const StartingValues& values = found->second;
  if (values.agree(constant.get<float>())) return "";
  if (values.size == 1 && may_be_drawn_by_torch(golden, name, constant.get<double>())) return "";
  return name + " must start from " + constant.dump() + ", found " + values.text();
}

/// Compares the constants of the file's `init_const` with a new layer or model, whose parameters then hold first values.
template <class Layer>
void compare_starting_values(GoldenCase& golden, Layer& layer) {
  const auto constants = golden.json("init_const");
  golden.mark_compared("init_const");
  if (constants.empty()) return;
  const auto once = starting_values(layer, 1);
  for (const auto& [name, constant] : constants.items()) {
    std::string wrong = disagreement(golden, name, constant, once);
    if (!wrong.empty()) wrong = disagreement(golden, name, constant, starting_values(layer, 100));
    if (!wrong.empty()) golden.reject(wrong);
  }
}

}  // namespace parity

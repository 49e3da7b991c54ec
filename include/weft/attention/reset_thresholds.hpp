// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sets all learned thresholds of a model.
#pragma once

#include <vector>

#include "weft/layers/initialize.hpp"

namespace weft {

/// Fills every parameter whose name contains "threshold" with `value` (reset_threshold_parameters). Thresholds that are not
/// learned are options, not parameters, and stay.
///
/// \return  the names of those parameters
template <class Model>
std::vector<std::string> reset_threshold_parameters(Model& model, double value) {
  std::vector<std::string> names;
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    if (name.name.find("threshold") == std::string::npos) return;
    using T = typename std::remove_cvref_t<decltype(parameter)>::Element;
    fill_constant(parameter, static_cast<T>(value));
    names.push_back(name.name);
  });
  return names;
}

}  // namespace weft

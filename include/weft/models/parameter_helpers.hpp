// SPDX-License-Identifier: Apache-2.0
/// \file
/// Choosing by name what is trained, and reading the scalars of graph-aware attention: the reference's helpers for
/// fine-tuning (utils.py, quirks U1 to U3 and U9).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/autograd/parameter.hpp"
#include "weft/models/compatibility.hpp"

namespace weft {

/// Parts of the names of everything that a graph network adds to a decoder layer. The reference's README lists the first
/// two alone, which leaves the learnable adjacency and the per-head projection frozen (quirk U1).
inline constexpr std::array<std::string_view, 5> graph_keywords{"gnn", "trainable_scale", "adj_transform", "ff_layer",
                                                                "combined_norm"};

namespace detail {

inline constexpr std::array<std::string_view, 1> gnn_keyword{"gnn"};
inline constexpr std::array<std::string_view, 4> attention_scalars{"attention_epsilon", "residual_epsilon",
                                                                   "sharpening_parameters", "soft_masking_tau"};

/// Leaves trainable what `times_chosen(name)` is positive for; the names, as often as that says.
template <class Model, class TimesChosen>
std::vector<std::string> freeze_except(Model& model, TimesChosen&& times_chosen) {
  std::vector<std::string> names;
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    const std::ptrdiff_t times = times_chosen(std::string_view(name.name));
    parameter.set_trainable(times > 0);
    names.insert(names.end(), static_cast<std::size_t>(times), name.name);
  });
  return names;
}

inline std::ptrdiff_t count_contained(std::string_view name, std::span<const std::string_view> keywords) {
  std::ptrdiff_t count = 0;
  for (const std::string_view keyword : keywords) count += name.find(keyword) != std::string_view::npos ? 1 : 0;
  return count;
}

/// "Transformer 1, GIN 0" for `….layers.1.self_attn.{wanted}.0`, empty for other names.
inline std::string label_of_scalar(std::string_view name, std::string_view wanted) {
  constexpr std::string_view layers = "layers.";
  const std::string middle = concat(".self_attn.", wanted, ".");
  const std::size_t start = name.find(layers);
  const std::size_t end = name.find(middle);
  if (start == std::string_view::npos || end == std::string_view::npos) return "";
  const std::string_view layer = name.substr(start + layers.size(), end - start - layers.size());
  return concat("Transformer ", layer, ", GIN ", name.substr(end + middle.size()));
}

}  // namespace detail

/// The number of learned values that training changes, each counted once.
template <class Model>
Index count_trainable_parameters(const Model& model) {
  Index count = 0;
  for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
    if (parameter.trainable()) count += parameter.size();
  });
  return count;
}

/// Freezes every parameter but those with one of the keywords in their (first) name; plain text, no pattern.
///
/// \param keywords   by default "gnn"; `graph_keywords` adds what belongs to the graph network under other names
/// \param semantics  `reference` lists a name once for every keyword in it (quirk U2), `intended` once
/// \return           the names of those left trainable, in the order of the state dict
template <class Model>
std::vector<std::string> freeze_except_select(Model& model,
                                              std::span<const std::string_view> keywords = detail::gnn_keyword,
                                              Semantics semantics = Semantics::reference) {
  const bool once = semantics == Semantics::intended;
  return detail::freeze_except(model, [&](std::string_view name) {
    const auto times = detail::count_contained(name, keywords);
    return once ? std::min<std::ptrdiff_t>(times, 1) : times;
  });
}

/// Freezes what belongs to the graph network and every `trainable_scale`; the rest, the original transformer, is trained.
///
/// \param semantics  `reference` trains a parameter when at least one keyword is not in its name, once for each such in
///                   the list (quirk U3: of two keywords nearly everything is trained); `intended` when none is, once
/// \return           the names of those left trainable, in the order of the state dict
template <class Model>
std::vector<std::string> freeze_except_original_no_trainable_scale(
    Model& model, std::span<const std::string_view> keywords = detail::gnn_keyword,
    Semantics semantics = Semantics::reference) {
  const auto all = static_cast<std::ptrdiff_t>(keywords.size());
  return detail::freeze_except(model, [&](std::string_view name) -> std::ptrdiff_t {
    if (name.find("trainable_scale") != std::string_view::npos) return 0;
    const auto absent = all - detail::count_contained(name, keywords);
    return semantics == Semantics::intended ? absent == all : absent;
  });
}

/// Makes every parameter trainable again; a shorter name is `set_trainable(model, true)`.
template <class Model>
void unfreeze_all(Model& model) {
  set_trainable(model, true);
}

/// The values of scalar parameters of attention, with where they stand.
struct LabelledParameters {
  std::map<std::string, std::vector<double>> values;  ///< by the parameter's name, in the order of layers
  std::vector<std::string> labels;  ///< "Transformer 1, GIN 0" for each value of the first name that was asked for
};

/// Collects the scalars that the attention of each layer holds under the given names, for tables and plots.
/// They are those of the parameters `model.layers.{l}.self_attn.{name}.{i}`; a name that no layer has gets an empty list.
/// The reference makes labels for the first name only, which in its default list no layer has; so does this.
template <class Model>
LabelledParameters extract_gnn_parameters_with_labels(
    const Model& model, std::span<const std::string_view> names = detail::attention_scalars) {
  LabelledParameters result;
  for (const std::string_view wanted : names) {
    std::vector<double>& values = result.values[std::string(wanted)];
    for_each_parameter(model, [&](const ParameterName& name, const auto& parameter) {
      const std::string label = detail::label_of_scalar(name.name, wanted);
      if (label.empty() || parameter.size() != 1) return;
      values.push_back(static_cast<double>(parameter.data()[0]));
      if (wanted == names.front()) result.labels.push_back(label);
    });
  }
  return result;
}

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Low-rank adapters of a whole model: putting them in, merging them into the weights, taking them out (LoRA, Hu et al.,
/// arXiv 2106.09685; names, defaults and the choice of layers are those of Hugging Face's PEFT).
#pragma once

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/layers/lora_adapter.hpp"

namespace weft {

/// What `add_lora` adds.
struct LoraOptions {
  Index r = 8;              ///< the rank of every adapter
  double lora_alpha = 8;    ///< an adapter's product is multiplied by lora_alpha / r
  double lora_dropout = 0;  ///< of an adapter's input, in training

  /// Linear layers by the ends of their names: `q_proj` is every layer's, `layers.0.mlp.up_proj` one. `all-linear` alone is
  /// every one but `lm_head`.
  std::vector<std::string> target_modules{"q_proj", "v_proj"};
  bool use_rslora = false;                      ///< lora_alpha / sqrt(r) instead
  std::vector<Index> layers_to_transform = {};  ///< decoder layers, counted from 0; empty: all
};

namespace detail {

/// A linear layer of a model that can have an adapter.
template <class T, class DeviceType>
struct LoraSite {
  std::string module;  ///< "model.layers.0.self_attn.q_proj"
  AnyParameter weight;
  LoraPlace<T, DeviceType>* place;

  Index in_features() const { return weight.extents()[1]; }
  Index out_features() const { return weight.extents()[0]; }
};

template <class T, class DeviceType>
std::vector<LoraSite<T, DeviceType>> lora_sites(std::span<const AnyParameter> parameters) {
  constexpr std::string_view weight = ".weight";
  std::vector<LoraSite<T, DeviceType>> sites;
  for (const AnyParameter& parameter : parameters) {
    auto* const place = static_cast<LoraPlace<T, DeviceType>*>(parameter.name().adapter);
    if (place == nullptr) continue;
    const std::string& name = parameter.name().name;
    sites.push_back({name.substr(0, name.size() - weight.size()), parameter, place});
  }
  return sites;
}

template <class Model>
auto lora_sites(Model& model) {
  return lora_sites<typename Model::Element, typename Model::Device>(list_parameters(model));
}

/// Whether a module is one that a target names.
inline bool is_lora_target(std::string_view module, std::string_view target) {
  if (target == "all-linear") return module != "lm_head";
  if (!module.ends_with(target)) return false;
  return module.size() == target.size() || module[module.size() - target.size() - 1] == '.';
}

/// The decoder layer that a module is in; -1 for none.
inline Index layer_of_module(std::string_view module) {
  constexpr std::string_view layers = ".layers.";
  const std::size_t at = module.find(layers);
  Index layer = -1;
  if (at != std::string_view::npos) {
    std::from_chars(module.data() + at + layers.size(), module.data() + module.size(), layer);
  }
  return layer;
}

/// The last parts of all names, each once: "q_proj, k_proj, ...".
template <class Sites>
std::string kinds_of_sites(const Sites& sites) {
  std::vector<std::string> kinds;
  std::string text;
  for (const auto& site : sites) {
    std::string kind = site.module.substr(site.module.rfind('.') + 1);
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
    text += concat(kinds.empty() ? "" : ", ", kind);
    kinds.push_back(std::move(kind));
  }
  return text;
}

template <class Sites>
void expect_no_adapters(const Sites& sites, std::string_view operation) {
  for (const auto& site : sites) {
    if (!site.place->adapter) continue;
    fail(concat(operation, ": ", site.module, " has an adapter already; merge_lora or remove_lora comes first"));
  }
}

/// Indices of the layers that the options name. An error for a target or a layer that there is none of.
template <class Sites>
std::vector<std::size_t> choose_lora_sites(const Sites& sites, const LoraOptions& options) {
  if (options.target_modules.empty()) fail("add_lora: target_modules must name at least one linear layer");
  for (const std::string& target : options.target_modules) {
    const auto meant = [&](const auto& site) { return is_lora_target(site.module, target); };
    if (std::any_of(sites.begin(), sites.end(), meant)) continue;
    fail(concat("add_lora: target_modules: no linear layer that can have an adapter is called ", target, "; there are ",
                kinds_of_sites(sites)));
  }
  for (const Index layer : options.layers_to_transform) {
    const auto inside = [&](const auto& site) { return layer_of_module(site.module) == layer; };
    if (layer >= 0 && std::any_of(sites.begin(), sites.end(), inside)) continue;
    fail(concat("add_lora: layers_to_transform: there is no decoder layer ", layer));
  }
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const auto& layers = options.layers_to_transform;
    const bool in_layers =
        layers.empty() || std::find(layers.begin(), layers.end(), layer_of_module(sites[i].module)) != layers.end();
    const auto names_it = [&](const std::string& target) { return is_lora_target(sites[i].module, target); };
    if (in_layers && std::any_of(options.target_modules.begin(), options.target_modules.end(), names_it)) {
      chosen.push_back(i);
    }
  }
  if (chosen.empty()) fail("add_lora: target_modules and layers_to_transform have no linear layer in common");
  return chosen;
}

/// W += s B A
template <class T, class DeviceType>
void merge_adapter(const LoraSite<T, DeviceType>& site) {
  if (site.weight.element() != element_name<T>) {
    fail(concat("merge_lora: ", site.module, ".weight must have elements ", element_name<T>, ", found ",
                site.weight.element()));
  }
  const LoraAdapter<T, DeviceType>& adapter = *site.place->adapter;
  const Index out = site.out_features(), in = site.in_features(), r = adapter.options().r;
  kernels::matmul(kernels::Transpose::no, kernels::Transpose::no, out, in, r, adapter.lora_B.data(), r,
                  adapter.lora_A.data(), in, static_cast<T*>(site.weight.data()), in,
                  kernels::MatmulEpilogue<T>{nullptr, true, static_cast<T>(adapter.scale())});
}

}  // namespace detail

/// Whether any linear layer of a model has an adapter.
template <class Model>
bool has_lora(const Model& model) {
  using Place = LoraPlace<typename Model::Element, typename Model::Device>;
  for (const AnyParameter& parameter : list_parameters(const_cast<Model&>(model))) {
    const auto* const place = static_cast<const Place*>(parameter.name().adapter);
    if (place != nullptr && place->adapter != nullptr) return true;
  }
  return false;
}

/// Gives linear layers adapters, which change nothing at first, and freezes everything else. Optimisers and lists of the
/// model's parameters are to be made afterwards. Raises Error, with the model as it was, for a target that names no layer. Not
/// offered are layers whose weights go into an operation that several of them share: the scoring network of GIN attention, the
/// networks of PNA attention and those for each head of feed-forward blocks.
///
///     weft::add_lora(model, {.r = 16, .lora_alpha = 32, .target_modules = {"q_proj", "v_proj"}}, weft::Rng{42});
///
/// \return  the names of the layers that have an adapter now
template <class Model>
std::vector<std::string> add_lora(Model& model, const LoraOptions& options, Rng rng) {
  using Adapter = LoraAdapter<typename Model::Element, typename Model::Device>;
  const std::vector<AnyParameter> parameters = list_parameters(model);
  const auto sites = detail::lora_sites<typename Model::Element, typename Model::Device>(parameters);
  detail::expect_no_adapters(sites, "add_lora");
  const LoraAdapterOptions each{options.r, options.lora_alpha, options.lora_dropout, options.use_rslora};
  std::vector<std::string> names;
  for (const std::size_t i : detail::choose_lora_sites(sites, options)) {
    auto adapter = std::make_unique<Adapter>(sites[i].in_features(), sites[i].out_features(), each);
    adapter->initialize(rng);
    sites[i].place->adapter = std::move(adapter);
    names.push_back(sites[i].module);
  }
  for (const AnyParameter& parameter : parameters) parameter.set_trainable(false);
  return names;
}

/// Adds what the adapters learned to the weights, W += s B A, and takes the adapters out. What add_lora froze stays frozen until
/// `unfreeze_all`.
template <class Model>
void merge_lora(Model& model) {
  for (const auto& site : detail::lora_sites(model)) {
    if (!site.place->adapter) continue;
    detail::merge_adapter(site);
    site.place->adapter.reset();
  }
}

/// Takes the adapters out and leaves the weights as they are.
template <class Model>
void remove_lora(Model& model) {
  for (const auto& site : detail::lora_sites(model)) site.place->adapter.reset();
}

}  // namespace weft

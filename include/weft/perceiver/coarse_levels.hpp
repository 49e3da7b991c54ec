// SPDX-License-Identifier: Apache-2.0
/// \file
/// What attention layers made of perceivers have in common: levels with different numbers of latents, and projections.
#pragma once

#include <string>
#include <vector>

#include "weft/attention/attention_inputs.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/scale/scale.hpp"
#include "weft/perceiver/perceiver_options.hpp"

namespace weft::detail {

/// One perceiver for each level and, where wanted, a projection [H, H] with bias behind each.
/// Parameters: `perceiver_layers.{level}.*`, `level_projections.{level}.{weight, bias}`.
template <auto HiddenSize, auto Heads, class T, class DeviceType, class Perceiver>
class CoarseLevels {
 public:
  std::vector<Perceiver> perceiver_layers;
  std::vector<Linear<HiddenSize, HiddenSize, T, DeviceType>> level_projections;

  /// \param choices  the further argument of each perceiver
  template <class Choices>
  CoarseLevels(std::string_view name, PerceiverOptions options, const std::vector<Index>& num_latents_list,
               bool projects, const Choices& choices) {
    if (num_latents_list.empty()) fail(concat(name, ": num_latents_list must name a level or more, found none"));
    for (const Index latents : num_latents_list) {
      options.num_latents = latents;
      perceiver_layers.emplace_back(options, choices);
      if (projects) level_projections.emplace_back(true, options.hidden_size, options.hidden_size);
    }
    hidden_size_ = perceiver_layers.front().options().hidden_size;
  }

  void initialize(Rng& rng, double standard_deviation) {
    for (auto& perceiver : perceiver_layers) perceiver.initialize(rng, standard_deviation);
    for (auto& projection : level_projections) projection.initialize(rng, standard_deviation);
  }

  /// Of the rotary tables that a model makes for its attention: the smallest for every scaling, since nothing reads them here
  /// (quirk P10).
  static constexpr Index head_dim() { return 4; }
  static constexpr Index key_width() { return 0; }
  static constexpr Index value_width() { return 0; }

  /// There is no decoding with a cache (quirk P11): every new token recomputes the text.
  static constexpr bool incremental() { return false; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for (std::size_t level = 0; level < self.perceiver_layers.size(); ++level) {
      for_each_parameter(self.perceiver_layers[level], visit, concat(prefix, "perceiver_layers.", level, "."));
    }
    for (std::size_t level = 0; level < self.level_projections.size(); ++level) {
      for_each_parameter(self.level_projections[level], visit, concat(prefix, "level_projections.", level, "."));
    }
  }

 protected:
  Index levels() const { return static_cast<Index>(perceiver_layers.size()); }

  template <class X>
  auto output_shape(const X& x) const {
    return Shape<extent_of<ShapeOf<X>, 0>, extent_of<ShapeOf<X>, 1>, HiddenSize>::from(
        {x.extent(0), x.extent(1), hidden_size_});
  }

  /// body(times · x + residual), times >= 1, without what is not given.
  template <class Context, class X, class Residual, class Body>
  auto with_skips(Context& context, const X& x, Index times, const Residual& residual, Body&& body) const {
    const auto plus_residual = [&](const auto& skips) {
      if constexpr (std::is_same_v<Residual, None>) {
        return body(skips);
      } else {
        return body(add(context, skips, residual));
      }
    };
    return times == 1 ? plus_residual(x) : plus_residual(scale(context, x, static_cast<T>(times)));
  }

  /// The type that other attention layers' weights have; there are none here.
  template <class X>
  [[noreturn]] static TensorView<
      T, Shape<extent_of<ShapeOf<X>, 0>, Dyn, extent_of<ShapeOf<X>, 1>, extent_of<ShapeOf<X>, 1>>>
  refuse_weights(std::string_view name) {
    fail(concat(name, ": this attention has no weights of tokens against tokens, so nothing can be built on them"));
  }

 private:
  Index hidden_size_;
};

}  // namespace weft::detail

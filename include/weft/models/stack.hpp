// SPDX-License-Identifier: Apache-2.0
/// \file
/// Equal layers, one after the other.
#pragma once

#include <string>
#include <vector>

#include "weft/autograd/operand.hpp"
#include "weft/tensor/shape.hpp"

namespace weft {

/// `Count` layers of one type. Equal layers are one type in an array: the compiler sees the layer once.
template <class LayerType, auto Count>
class Stack {
 public:
  using Layer = LayerType;

  /// \param make   called with the index of each layer, returns the layer
  /// \param count  the number of layers where `Count` is `Dyn`
  template <class Make>
  requires std::invocable<Make&, int>
  explicit Stack(Make make, Index count = 0) {
    const Index layers = resolve_extent<Count>(count, "Stack: the number of layers");
    layers_.reserve(static_cast<std::size_t>(layers));
    for (int index = 0; index < layers; ++index) layers_.push_back(make(index));
  }

  /// Default-constructed layers.
  Stack() requires std::default_initializable<LayerType> : Stack([](int) { return LayerType(); }) {}

  LayerType& operator[](Index index) { return layers_[static_cast<std::size_t>(index)]; }
  const LayerType& operator[](Index index) const { return layers_[static_cast<std::size_t>(index)]; }
  Index size() const { return static_cast<Index>(layers_.size()); }

  auto begin() { return layers_.begin(); }
  auto begin() const { return layers_.begin(); }
  auto end() { return layers_.end(); }
  auto end() const { return layers_.end(); }

  void initialize(Rng& rng, double standard_deviation) {
    for (LayerType& layer : layers_) layer.initialize(rng, standard_deviation);
  }

  /// Names: `<prefix><index>.<name in the layer>`.
  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for (Index index = 0; index < self.size(); ++index) {
      for_each_parameter(self[index], visit, concat(prefix, index, "."));
    }
  }

 private:
  std::vector<LayerType> layers_;
};

}  // namespace weft

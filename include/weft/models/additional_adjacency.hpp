// SPDX-License-Identifier: Apache-2.0
/// \file
/// An adjacency from outside, for the graph networks of a model.
#pragma once

#include <type_traits>

#include "weft/autograd/operand.hpp"

namespace weft {

/// Whether a tensor can be one: [batch, tokens, tokens] or [batch, maps, tokens, tokens] of float or double.
template <class Tensor>
concept AdjacencyTensor = requires(const Tensor& tensor) {
  tensor.data();
  requires ShapeOf<Tensor>::rank == 3 || ShapeOf<Tensor>::rank == 4;
  requires std::is_same_v < ElementOf<Tensor>,
  float > || std::is_same_v<ElementOf<Tensor>, double>;
};

/// A view of such a tensor, or nothing. A missing axis of maps is one map.
class AdditionalAdjacency {
 public:
  using Shape = weft::Shape<Dyn, Dyn, Dyn, Dyn>;

  AdditionalAdjacency() = default;

  template <AdjacencyTensor Tensor>
  AdditionalAdjacency(const Tensor& tensor)
      : shape_(tensor.extent(0), ShapeOf<Tensor>::rank == 4 ? tensor.extent(1) : 1, tensor.extent(-2),
               tensor.extent(-1)) {
    if constexpr (std::is_same_v<ElementOf<Tensor>, float>) {
      floats_ = tensor.data();
    } else {
      doubles_ = tensor.data();
    }
  }

  explicit operator bool() const { return floats_ != nullptr || doubles_ != nullptr; }
  const Shape& shape() const { return shape_; }

  /// The values as T; an error where they are of the other type.
  template <class T>
  TensorView<const T, Shape> values() const {
    const T* data = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      data = floats_;
    } else {
      data = doubles_;
    }
    if (data == nullptr) {
      fail("ModelInputs: additional_adj must have the element type of the model, float or double; found the other one");
    }
    return {data, shape_};
  }

 private:
  const float* floats_ = nullptr;
  const double* doubles_ = nullptr;
  Shape shape_{};
};

}  // namespace weft

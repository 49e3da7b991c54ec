// SPDX-License-Identifier: Apache-2.0
/// \file
/// What operations on a tape return.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// A result on a tape: a view of its values and, where one is wanted, the place of its gradient. Valid until the tape's
/// next `reset`.
template <class T, class ShapeType, class DeviceType = Cpu>
class Variable : public TensorView<T, ShapeType, DeviceType> {
 public:
  Variable() = default;
  Variable(TensorView<T, ShapeType, DeviceType> view, Gradient* gradient)
      : TensorView<T, ShapeType, DeviceType>(view), gradient_(gradient) {}

  /// Null where no gradient flows.
  Gradient* gradient_slot() const { return gradient_; }

  /// The same elements, and the same gradient, under another shape.
  template <class NewShape>
  auto reshape(const NewShape& shape) const {
    return Variable<T, NewShape, DeviceType>(TensorView<T, ShapeType, DeviceType>::reshape(shape), gradient_);
  }

 private:
  Gradient* gradient_ = nullptr;
};

}  // namespace weft

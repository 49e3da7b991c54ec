// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the gradient of one tensor is gathered, and how operations see their arguments: as numbers, without shapes.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// The gradient of one tensor while a tape runs backwards. The first contribution overwrites, later ones add.
struct Gradient {
  void* data = nullptr;   ///< null until a first contribution arrives (parameters: their own memory)
  std::size_t bytes = 0;  ///< size of the tensor
  bool filled = false;    ///< whether a contribution has arrived since the last reset
  bool keep = false;      ///< whether the memory outlives the backward pass: parameters and watched tensors

  template <class T>
  const T* values() const {
    return static_cast<const T*>(data);
  }
};

/// An argument of an operation as its kernels and its backward see it.
template <class T>
struct Operand {
  const T* data = nullptr;
  Gradient* gradient = nullptr;  ///< null where no gradient is wanted
};

/// Where a backward kernel writes: overwrite, or add when something is there already. Null data: not wanted.
template <class T>
struct GradientTarget {
  T* data = nullptr;
  bool accumulate = false;

  explicit operator bool() const { return data != nullptr; }
};

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// One way to read any argument of an operation: tensor, view, result of a tape, or parameter.
#pragma once

#include "weft/autograd/inference.hpp"
#include "weft/autograd/parameter.hpp"
#include "weft/autograd/tape.hpp"

namespace weft {

/// The element type of a tensor, view, variable or parameter, without const.
template <class X>
using ElementOf = std::remove_const_t<typename std::remove_cvref_t<X>::Element>;

/// The shape type of a tensor, view, variable or parameter.
template <class X>
using ShapeOf = typename std::remove_cvref_t<X>::Shape;

/// What a kernel sees of `x` in a context: its elements and, on a recording tape, where its gradient goes.
template <class Context, class X>
Operand<ElementOf<X>> operand([[maybe_unused]] const Context& context, const X& x) {
  static_assert(std::is_same_v<typename X::Device, typename Context::Device>,
                "operation(context, x, ...): x lives on another device than the context");
  Operand<ElementOf<X>> result{x.data(), nullptr};
  if constexpr (Context::records) {
    if constexpr (requires { x.gradient_slot(); }) {
      if (context.recording()) result.gradient = x.gradient_slot();
    }
  }
  return result;
}

namespace detail {

/// Whether an argument is a parameter whose elements may be kept as bf16.
template <class Context, class X>
inline constexpr bool may_be_narrow = [] {
  if constexpr (requires { X::kWidens; }) {
    return X::kWidens && std::is_same_v<typename Context::Device, Cpu>;
  } else {
    return false;
  }
}();

/// The bf16 elements of such a parameter, for an operation that reads them as they are; null where it has none, and where
/// its gradient is wanted: then its floats are about to change.
template <class Context, class X>
const bf16* narrow_elements([[maybe_unused]] const Context& context, const X& x) {
  if constexpr (Context::records) {
    if (context.recording() && x.trainable()) return nullptr;
  }
  return x.bf16_data();
}

}  // namespace detail

/// The same values, through which no gradient flows.
template <class Context, class X>
auto stop_gradient(Context& /*context*/, const X& x) {
  using View = TensorView<const ElementOf<X>, ShapeOf<X>, typename X::Device>;
  return View(x.data(), x.shape());
}

}  // namespace weft

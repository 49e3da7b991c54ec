// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rotary position embedding (Su et al., arXiv 2104.09864) in Hugging Face's layout: the halves of a head are paired.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/rotary/rotary_kernels.hpp"

namespace weft {

namespace detail {

/// dX = dY rotated back
template <class T, class DeviceType>
struct RotaryBackward {
  Operand<T> x;
  const T* cos;
  const T* sin;
  Gradient* y;
  RotarySize size;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = RotaryKernels<DeviceType>;
    if (tape.hand_over(y, x.gradient)) {
      T* const dx = static_cast<T*>(x.gradient->data);
      Kernels::rotate(size, Rotation::back, dx, cos, sin, GradientTarget<T>{dx, false});
    } else {
      Kernels::rotate(size, Rotation::back, y->values<T>(), cos, sin, tape.template target<T>(x.gradient));
    }
  }
};

template <class X, class Table>
RotarySize rotary_size(const X& x, const Table& cos, const Table& sin, Index heads) {
  static_assert(ShapeOf<X>::rank == 3 && ShapeOf<Table>::rank == 3,
                "rotary_embedding(x, cos, sin, heads): x must be [batch, tokens, heads * head_dim] and the tables "
                "[1 or batch, tokens, head_dim]");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 1, cos.shape(), 1,
                          "rotary_embedding(x, cos, sin, heads): x and the tables must have as many tokens");
  const RotarySize size{x.extent(0), x.extent(1), heads, cos.extent(2), cos.extent(0)};
  if (!(cos.shape() == sin.shape()) || (size.table_batch != 1 && size.table_batch != size.batch)) {
    fail(concat(
        "rotary_embedding(x, cos, sin, heads): cos and sin must be [1 or batch, tokens, head_dim] for x of shape ",
        x.shape().text(), ", found ", cos.shape().text(), " and ", sin.shape().text()));
  }
  if (heads <= 0 || heads * size.head_dim != x.extent(2)) {
    fail(concat("rotary_embedding(x, cos, sin, heads): the last axis of x must be heads * head_dim, found ",
                x.extent(2), " for ", heads, " heads of ", size.head_dim));
  }
  if (size.head_dim % 2 != 0) {
    fail(concat("rotary_embedding(x, cos, sin, heads): head_dim must be even, found ", size.head_dim));
  }
  return size;
}

/// Into the result that `make_result` gives.
template <class Context, class X, class Table, class MakeResult>
auto rotate_heads(Context& context, const X& x, const Table& cos, const Table& sin, Index heads,
                  MakeResult&& make_result) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const RotarySize size = detail::rotary_size(x, cos, sin, heads);
  const auto xs = operand(context, x);
  const T* const cosines = operand(context, cos).data;
  const T* const sines = operand(context, sin).data;

  auto y = make_result(xs.gradient != nullptr);
  RotaryKernels<Device>::rotate(size, Rotation::forward, xs.data, cosines, sines, GradientTarget<T>{y.data(), false});
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), RotaryBackward<T, Device>{xs, cosines, sines, y.gradient_slot(), size});
  }
  return y;
}

}  // namespace detail

/// For every head: y = x cos + rotate_half(x) sin, rotate_half(x) = [-x[d/2:], x[:d/2]].
///
/// \param x         [batch, tokens, heads * head_dim], head_dim even
/// \param cos, sin  [1 or batch, tokens, head_dim]; constants, which must outlive the step on a tape. See RotaryEmbedding
/// \return          the shape of x
template <class Context, class X, class Table>
auto rotary_embedding(Context& context, const X& x, const Table& cos, const Table& sin, Index heads) {
  return detail::rotate_heads(context, x, cos, sin, heads, [&](bool needs_gradient) {
    return context.template make<ElementOf<X>>(x.shape(), needs_gradient);
  });
}

/// The same in x's own memory, for an x that nothing else reads: the result of a projection.
///
/// \param x  a result of `context`
template <class Context, class X, class Table>
auto rotary_embedding_in_place(Context& context, const X& x, const Table& cos, const Table& sin, Index heads) {
  return detail::rotate_heads(context, x, cos, sin, heads,
                              [&](bool needs_gradient) { return context.overwrite(x, needs_gradient); });
}

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Slices of the last axis, and their concatenation: one part for each head.
#pragma once

#include <span>

#include "weft/autograd/operand.hpp"
#include "weft/ops/columns/columns_kernels.hpp"

namespace weft {

namespace detail {

/// The slice's gradient goes into its columns; the others get 0.
template <class T, class DeviceType>
struct TakeColumnsBackward {
  Gradient* x;
  Gradient* y;
  Index rows;
  Index columns;
  Index first;
  Index width;

  void operator()(BasicTape<DeviceType>& tape) const {
    auto dx = tape.template target<T>(x);
    if (!dx) return;
    if (!dx.accumulate) ColumnsKernels<DeviceType>::zero(rows * columns, dx.data);
    ColumnsKernels<DeviceType>::copy(rows, width, y->values<T>(), width, dx.data + first, columns, true);
  }
};

/// Each part takes its columns.
template <class T, class DeviceType>
struct JoinColumnsBackward {
  Gradient* const* parts;
  Index count;
  Gradient* y;
  Index rows;
  Index width;

  void operator()(BasicTape<DeviceType>& tape) const {
    for (Index part = 0; part < count; ++part) {
      if (auto dx = tape.template target<T>(parts[part])) {
        ColumnsKernels<DeviceType>::copy(rows, width, y->values<T>() + part * width, count * width, dx.data, width,
                                         dx.accumulate);
      }
    }
  }
};

}  // namespace detail

/// The columns [first, first + width) of the last axis.
///
/// \param x  [..., columns]
/// \return   [..., width]
template <class Context, class X>
auto take_columns(Context& context, const X& x, Index first, Index width) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  constexpr int last = ShapeOf<X>::rank - 1;
  const Index columns = x.extent(-1);
  if (first < 0 || width < 0 || first > columns - width) {
    fail(concat("take_columns(x, first, width): [", first, ", ", first + width, ") is outside of [0, ", columns, ")"));
  }
  const Index rows = columns > 0 ? x.size() / columns : 0;
  auto extents = x.shape().extents();
  extents.back() = width;
  const auto xs = operand(context, x);
  auto y = context.template make<T>(ReplaceAxis<ShapeOf<X>, last, Dyn>::from(extents), xs.gradient != nullptr);
  ColumnsKernels<Device>::copy(rows, width, xs.data + first, columns, y.data(), width, false);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::TakeColumnsBackward<T, Device>{xs.gradient, y.gradient_slot(), rows, columns, first, width});
  }
  return y;
}

/// Equal parts side by side on the last axis.
///
/// \param parts  at least one, each [..., width]
/// \return       [..., parts * width]
template <class Context, class X>
auto join_columns(Context& context, std::span<const X> parts) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  if (parts.empty()) fail("join_columns(parts): there must be at least one part");
  const auto& shape = parts.front().shape();
  const Index width = parts.front().extent(-1);
  const Index rows = width > 0 ? parts.front().size() / width : 0;
  const auto count = static_cast<Index>(parts.size());
  auto** gradients = context.workspace().template allocate<Gradient*>(count);
  bool wanted = false;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (!(parts[part].shape() == shape)) {
      fail(concat("join_columns(parts): all parts must have one shape, found ", shape.text(), " and ",
                  parts[part].shape().text()));
    }
    gradients[part] = operand(context, parts[part]).gradient;
    wanted = wanted || gradients[part] != nullptr;
  }
  auto extents = shape.extents();
  extents.back() = count * width;
  auto y = context.template make<T>(ReplaceAxis<ShapeOf<X>, ShapeOf<X>::rank - 1, Dyn>::from(extents), wanted);
  for (Index part = 0; part < count; ++part) {
    ColumnsKernels<Device>::copy(rows, width, static_cast<const T*>(parts[static_cast<std::size_t>(part)].data()),
                                 width, y.data() + part * width, count * width, false);
  }
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::JoinColumnsBackward<T, Device>{gradients, count, y.gradient_slot(), rows, width});
  }
  return y;
}

}  // namespace weft

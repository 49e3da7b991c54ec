// SPDX-License-Identifier: Apache-2.0
/// \file
/// The threshold modes on an adjacency that is there as a tensor.
#pragma once

#include "weft/ops/adjacency/adjacency_operand.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct ProcessAdjacencyBackward {
  ThresholdOptions options;
  T threshold;
  Index matrices;
  Index rows;
  Index columns;
  Operand<T> a;
  Gradient* t;
  Gradient* p;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto da = tape.template target<T>(a.gradient);
    const double dt = AdjacencyKernels<DeviceType>::process_backward(options, threshold, matrices, rows, columns,
                                                                     a.data, p->values<T>(), da);
    add_number<T>(tape, t, dt);
  }
};

}  // namespace detail

/// p = mode(a), 0 above the diagonal of each matrix (mode `none`: nothing is cut). Rows stand at the last of the columns.
/// `respects_mask` has no effect: there is no mask.
///
/// \param a          [..., rows, columns], columns >= rows
/// \param threshold  a tensor of one element, or a number
/// \return           the shape of a
template <class Context, class A, class Threshold>
auto process_adjacency(Context& context, const A& a, const ThresholdOptions& options, const Threshold& threshold) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<A>::rank >= 2, "process_adjacency(a): a must be [..., rows, columns]");
  validate_threshold("process_adjacency(a)", options);
  const Index rows = a.extent(-2);
  const Index columns = a.extent(-1);
  if (rows > columns) {
    fail(concat("process_adjacency(a): there must be a column for each row, found ", a.shape().text()));
  }
  const Index matrices = rows * columns > 0 ? a.size() / (rows * columns) : 0;
  auto as = operand(context, a);
  Operand<T> t;
  T value;
  if constexpr (std::is_arithmetic_v<Threshold>) {
    value = static_cast<T>(threshold);
  } else {
    t = operand(context, threshold);
    value = *t.data;
  }
  if (!has_derivative(options.mode)) as.gradient = t.gradient = nullptr;
  if (!has_threshold(options.mode)) t.gradient = nullptr;
  auto p = context.template make<T>(a.shape(), as.gradient || t.gradient);
  AdjacencyKernels<Device>::process(options, value, matrices, rows, columns, as.data, p.data());
  if constexpr (Context::records) {
    context.record(p.gradient_slot(), detail::ProcessAdjacencyBackward<T, Device>{
                                          options, value, matrices, rows, columns, as, t.gradient, p.gradient_slot()});
  }
  return p;
}

}  // namespace weft

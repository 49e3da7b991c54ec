// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the operations share whose result is the attention matrix, or a part of it, rather than the values weighted by it.
#pragma once

#include <string_view>

#include "weft/ops/attention/attention_kernels.hpp"
#include "weft/ops/attention/attention_options.hpp"

namespace weft::detail {

/// From the gradient of the part to those of q, k and the sharpness: see attention_backward.hpp.
template <class T, class DeviceType, class Part>
struct AttentionMatrixBackward {
  kernels::AttentionInput<T> in;
  kernels::AttentionStatistics<T> statistics;
  const T* part;
  AttentionSlots slots;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    Part::template backward<DeviceType>(in, part, statistics, y->template values<T>(),
                                        attention_targets(tape, in, slots));
  }
};

/// \tparam Part       `forward<Device>(in, y, statistics)` and `backward<Device>(in, y, statistics, dy, targets)`
/// \param operation  with its arguments, for messages
/// \param columns    of the result for keys: all, or the diagonal's one
/// \return           [batch, heads, queries, columns(keys)]
template <class Part, class YShape, class Context, class Q, class K, class Sharpness>
auto attention_matrix(std::string_view operation, Context& context, const Q& q, const K& k,
                      const AttentionOptions<ElementOf<Q>>& options, const Sharpness& sharpness) {
  using T = ElementOf<Q>;
  using Device = typename Context::Device;
  const kernels::AttentionSize size = query_key_size(operation, q, k, options);
  const auto queries = operand(context, q);
  const auto keys = operand(context, k);
  const auto alpha = sharpness_operand<T>(operation, context, sharpness);
  const auto in = query_key_input(size, queries.data, keys.data, options, alpha.data);
  const bool needs_gradient = queries.gradient || keys.gradient || alpha.gradient;
  auto y = context.template make<T>(YShape::from({size.batch, size.heads, size.queries, Part::columns(size.keys)}),
                                    needs_gradient);
  const auto statistics = make_statistics<T>(context, size, y);
  Part::template forward<Device>(in, y.data(), statistics);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), AttentionMatrixBackward<T, Device, Part>{
                                          in,
                                          statistics,
                                          y.data(),
                                          {queries.gradient, keys.gradient, nullptr, alpha.gradient, options.sharpness},
                                          y.gradient_slot()});
  }
  return y;
}

}  // namespace weft::detail

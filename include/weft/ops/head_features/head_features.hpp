// SPDX-License-Identifier: Apache-2.0
/// \file
/// Four aggregates of every head side by side, as the input of the network that combines them.
#pragma once

#include <array>
#include <new>

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/same_shape.hpp"
#include "weft/ops/head_features/head_features_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct HeadFeaturesBackward {
  HeadFeaturesSize size;
  std::array<Operand<T>, 4> parts;
  const Operand<T>* epsilons;
  const Operand<T>* alphas;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    std::array<GradientTarget<T>, 4> targets;
    for (std::size_t p = 0; p < 4; ++p) targets[p] = tape.template target<T>(parts[p].gradient);
    HeadFeaturesKernels<DeviceType>::backward(size, {parts[0].data, parts[1].data, parts[2].data, parts[3].data},
                                              epsilons, alphas, y->values<T>(), targets, [&](const T* sums) {
                                                for (Index head = 0; head < size.heads; ++head) {
                                                  put(tape, epsilons[head].gradient, sums[head]);
                                                  put(tape, alphas[head].gradient, sums[size.heads + head]);
                                                }
                                              });
  }

 private:
  static void put(BasicTape<DeviceType>& tape, Gradient* gradient, T value) {
    const auto target = tape.template target<T>(gradient);
    if (target) *target.data = target.accumulate ? *target.data + value : value;
  }
};

}  // namespace detail

/// y[..., h, :] = [(1 + ε_h) self_h, α_h sum_h, largest_h, attended_h] (LlamaMLP_HalfwayGIN_MultiAggregation).
///
/// \param self, sum, largest, attended  [batch, tokens, heads * dim]; two of them may be one tensor
/// \param epsilons, alphas              arrays or vectors with a tensor of one element for each head
/// \return                              [batch, tokens * heads, 4 * dim]
template <class Context, class X, class Sum, class Largest, class Attended, class Numbers>
auto head_features(Context& context, const X& self, const Sum& sum, const Largest& largest, const Attended& attended,
                   const Numbers& epsilons, const Numbers& alphas) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  WEFT_EXPECT_SAME_SHAPE(self.shape(), sum.shape(), "head_features: self and sum must have the same shape");
  WEFT_EXPECT_SAME_SHAPE(self.shape(), largest.shape(), "head_features: self and largest must have the same shape");
  WEFT_EXPECT_SAME_SHAPE(self.shape(), attended.shape(), "head_features: self and attended must have the same shape");
  const auto heads = static_cast<Index>(epsilons.size());
  if (epsilons.size() != alphas.size()) {
    fail(concat("head_features: there must be one epsilon and one alpha for each head, found ", epsilons.size(),
                " and ", alphas.size()));
  }
  if (heads < 1 || self.extent(2) % heads != 0) {
    fail(concat("head_features: the last axis of self must be heads * dim, found ", self.extent(2), " for ", heads,
                " heads"));
  }
  const HeadFeaturesSize size{self.extent(0) * self.extent(1), heads, self.extent(2) / heads};
  const std::array<Operand<T>, 4> parts = {operand(context, self), operand(context, sum), operand(context, largest),
                                           operand(context, attended)};
  auto* numbers = context.workspace().template allocate<Operand<T>>(2 * heads);
  bool needs_gradient = false;
  for (Index head = 0; head < heads; ++head) {
    const auto n = static_cast<std::size_t>(head);
    new (numbers + head) Operand<T>(operand(context, epsilons[n]));
    new (numbers + heads + head) Operand<T>(operand(context, alphas[n]));
    needs_gradient = needs_gradient || numbers[head].gradient || numbers[heads + head].gradient;
  }
  for (const auto& part : parts) needs_gradient = needs_gradient || part.gradient;
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn>(self.extent(0), self.extent(1) * heads, 4 * size.dim),
                                    needs_gradient);
  HeadFeaturesKernels<Device>::forward(size, {parts[0].data, parts[1].data, parts[2].data, parts[3].data}, numbers,
                                       numbers + heads, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::HeadFeaturesBackward<T, Device>{size, parts, numbers, numbers + heads, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft

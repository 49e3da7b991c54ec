// SPDX-License-Identifier: Apache-2.0
/// \file
/// A node with what it reaches in one, two and three steps along a dense adjacency, for every head.
#pragma once

#include <array>
#include <new>

#include "weft/ops/head_aggregate/head_aggregate.hpp"
#include "weft/ops/hop_sum/hop_sum_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct HopSumBackward {
  HeadAggregateSize size;
  Index hops;
  Operand<T> a;
  Operand<T> x;
  const HopWeights<T>* weights;
  const T* saved;
  double* partial;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto da = tape.template target<T>(a.gradient);
    const auto dx = tape.template target<T>(x.gradient);
    HopSumKernels<DeviceType>::backward(size, hops, a.data, x.data, weights, saved, y->values<T>(), da, dx, partial);
    for (Index head = 0; head < size.heads; ++head) {
      put(tape, weights[head].epsilon.gradient, head, 0);
      for (Index k = 0; k < hops; ++k) put(tape, weights[head].alphas[k].gradient, head, k + 1);
    }
  }

 private:
  void put(BasicTape<DeviceType>& tape, Gradient* gradient, Index head, Index number) const {
    const auto target = tape.template target<T>(gradient);
    if (!target) return;
    double sum = 0;
    for (Index b = 0; b < size.batch; ++b) sum += partial[(b * size.heads + head) * (hops + 1) + number];
    *target.data = static_cast<T>(target.accumulate ? static_cast<double>(*target.data) + sum : sum);
  }
};

/// The operands of all heads' numbers, in the context's workspace. Returns whether one of them needs a gradient.
template <class T, class Context, class Epsilons, class Alphas>
bool hop_weights(Context& context, Index heads, const Epsilons& epsilons, const Alphas& alphas, HopWeights<T>* to) {
  bool needs_gradient = false;
  for (Index head = 0; head < heads; ++head) {
    const auto n = static_cast<std::size_t>(head);
    new (to + head) HopWeights<T>{operand(context, epsilons[n]), {}};
    needs_gradient = needs_gradient || to[head].epsilon.gradient;
    for (std::size_t k = 0; k < alphas.size(); ++k) {
      to[head].alphas[k] = operand(context, (*alphas[k])[n]);
      needs_gradient = needs_gradient || to[head].alphas[k].gradient;
    }
  }
  return needs_gradient;
}

}  // namespace detail

/// y_h = (1 + ε_h) x_h + Σₖ α_{k,h} A_hᵏ x_h, by repeated products A (A x): powers of A are never formed (LlamaMLP_MultiHop,
/// and with one hop LlamaMLP_HalfwayGIN; Xu et al., arXiv 1810.00826). For the derivative the steps are kept.
///
/// \param a         [batch, heads, tokens, tokens]
/// \param x         [batch, tokens, heads * dim]
/// \param epsilons  an array or vector with a tensor of one element for each head
/// \param alphas    for each hop, up to 3, a pointer to such an array
/// \return          the shape of x
template <class Context, class Adjacency, class X, class Epsilons, std::size_t Hops>
auto hop_sum(Context& context, const Adjacency& a, const X& x, const Epsilons& epsilons,
             const std::array<const Epsilons*, Hops>& alphas) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(Hops >= 1 && Hops <= kMostHops, "hop_sum(a, x): there must be one to three hops");
  constexpr auto hops = static_cast<Index>(Hops);
  const HeadAggregateSize size = detail::head_aggregate_size("hop_sum(a, x)", a, x);
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 2, a.shape(), 3,
                          "hop_sum(a, x): a must be square, [batch, heads, tokens, tokens]");
  const auto as = operand(context, a);
  const auto xs = operand(context, x);
  // The weights lie before the result, whose memory lasts longer than scratch behind it.
  auto* weights = context.workspace().template allocate<HopWeights<T>>(size.heads);
  const bool learned = detail::hop_weights<T>(context, size.heads, epsilons, alphas, weights);
  auto y = context.template make<T>(x.shape(), as.gradient || xs.gradient || learned);
  if constexpr (Context::records) {
    if (y.gradient_slot() != nullptr) {
      T* saved = context.workspace().template allocate<T>(hops * x.size());
      double* partial = context.workspace().template allocate<double>(size.batch * size.heads * (hops + 1));
      HopSumKernels<Device>::forward(size, hops, as.data, xs.data, weights, saved, y.data());
      context.record(y.gradient_slot(),
                     detail::HopSumBackward<T, Device>{size, hops, as, xs, weights, saved, partial, y.gradient_slot()});
      return y;
    }
  }
  T* const nothing_saved = nullptr;
  HopSumKernels<Device>::forward(size, hops, as.data, xs.data, weights, nothing_saved, y.data());
  return y;
}

/// The steps of earlier tokens, for decoding: Aᵏ x for k = 0 to hops - 1, each [batch, capacity, width].
template <class T>
struct HopLevels {
  std::array<T*, kMostHops> levels{};
  Index capacity = 0;
  Index length = 0;  ///< tokens already there
};

/// The rows of `hop_sum` for new tokens, whose rows and steps are appended to the levels; the caller counts `length` up.
///
/// \param a  [batch, heads, new tokens, length + new tokens]
/// \param x  [batch, new tokens, heads * dim]
template <class Context, class Adjacency, class X, class Epsilons, std::size_t Hops>
auto hop_sum_step(Context& context, const Adjacency& a, const X& x, const Epsilons& epsilons,
                  const std::array<const Epsilons*, Hops>& alphas, const HopLevels<ElementOf<X>>& cache) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(!Context::records, "hop_sum_step(a, x): decoding is for inference");
  const HeadAggregateSize size{a.extent(0), a.extent(1), a.extent(2), a.extent(3), x.extent(2) / a.extent(1)};
  if (size.queries != x.extent(1) || size.keys != cache.length + size.queries || size.keys > cache.capacity) {
    fail(
        concat("hop_sum_step(a, x): a must be [batch, heads, new tokens, cached + new tokens] within the cache's "
               "capacity, found ",
               a.shape().text(), " for ", cache.length, " cached and ", x.extent(1), " new tokens, capacity ",
               cache.capacity));
  }
  auto y = context.template make<T>(x.shape());
  auto& workspace = context.workspace();
  const auto result_end = workspace.mark();
  auto* weights = workspace.template allocate<HopWeights<T>>(size.heads);
  detail::hop_weights<T>(context, size.heads, epsilons, alphas, weights);
  T* last = workspace.template allocate<T>(x.size());
  for (Index b = 0; b < size.batch; ++b) {
    Device::copy(cache.levels[0] + (b * cache.capacity + cache.length) * size.width(),
                 x.data() + b * size.queries * size.width(),
                 static_cast<std::size_t>(size.queries * size.width()) * sizeof(T));
  }
  HopSumKernels<Device>::step(size, static_cast<Index>(Hops), a.data(), weights, cache.levels.data(), cache.capacity,
                              last, y.data());
  workspace.release(result_end);
  return y;
}

}  // namespace weft

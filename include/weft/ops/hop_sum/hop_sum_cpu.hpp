// SPDX-License-Identifier: Apache-2.0
/// \file
/// `hop_sum` on the CPU: all steps of a head follow each other on one thread, while its adjacency is in the caches.
#pragma once

#include <utility>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/head_aggregate/head_product.hpp"
#include "weft/ops/hop_sum/hop_sum_kernels.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft {

namespace kernels::detail {

/// to[row, :] = factor from[row, :], or += with `add`.
template <class T>
void scale_rows(Index rows, Index dim, T factor, const T* from, Index from_row, T* to, Index to_row, bool add) {
  for (Index r = 0; r < rows; ++r, from += from_row, to += to_row) {
    for_each_vector<T>(dim, [&](Index c, auto access) {
      const Vector<T> scaled = Vector<T>(factor) * access.load(from + c);
      access.store(to + c, add ? Vector<T>(access.load(to + c) + scaled) : scaled);
    });
  }
}

/// Σ of the products of two blocks of rows.
template <class T>
double dot_rows(Index rows, Index dim, const T* x, Index x_row, const T* y, Index y_row) {
  double sum = 0;
  for (Index r = 0; r < rows; ++r, x += x_row, y += y_row) {
    const auto [row] = row_sums<T, 1>(dim, [&](Index c, auto access, auto& sums) {
      sums[0] = multiply_add(access.load(x + c), access.load(y + c), sums[0]);
    });
    sum += static_cast<double>(row);
  }
  return sum;
}

}  // namespace kernels::detail

template <>
struct HopSumKernels<Cpu> {
  /// y = (1 + ε) x + Σ αₖ Aᵏ x. The steps A x, A² x, ... are kept in `saved`, [batch, heads, hops, queries, dim], or, where
  /// that is null, in scratch.
  template <class T>
  static void forward(const HeadAggregateSize& size, Index hops, const T* a, const T* x, const HopWeights<T>* weights,
                      T* saved, T* y) {
    struct Scratch {};
    const Index block = size.queries * size.dim;
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      T* scratch = saved == nullptr ? thread_scratch<Scratch, T>(hops * block) : nullptr;
      for (Index at = begin; at < end; ++at) {
        const Index head = at % size.heads;
        const Index offset = at / size.heads * size.queries * size.width() + head * size.dim;
        T* steps = saved == nullptr ? scratch : saved + at * hops * block;
        run_steps(size, hops, a + at * size.queries * size.keys, x + offset, steps);
        combine(size, hops, weights[head], x + offset, steps, y + offset);
      }
    });
  }

  /// \param partial  room for batch * heads * (hops + 1) numbers: the derivatives of ε and the αs, by text and head
  template <class T>
  static void backward(const HeadAggregateSize& size, Index hops, const T* a, const T* x, const HopWeights<T>* weights,
                       const T* saved, const T* dy, GradientTarget<T> da, GradientTarget<T> dx, double* partial) {
    struct Scratch {};
    const Index block = size.queries * size.dim;
    const Index width = size.width();
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      T* d = thread_scratch<Scratch, T>(2 * block);
      for (Index at = begin; at < end; ++at) {
        const Index head = at % size.heads;
        const Index offset = at / size.heads * size.queries * width + head * size.dim;
        const T* steps = saved + at * hops * block;
        double* own = partial + at * (hops + 1);
        own[0] = kernels::detail::dot_rows(size.queries, size.dim, dy + offset, width, x + offset, width);
        for (Index k = 0; k < hops; ++k) {
          own[k + 1] =
              kernels::detail::dot_rows(size.queries, size.dim, dy + offset, width, steps + k * block, size.dim);
        }
        if (!da && !dx) continue;
        GradientTarget<T> own_da = da;
        if (da) own_da.data += at * size.queries * size.keys;
        const T* result = steps_backward(size, hops, a + at * size.queries * size.keys, x + offset, weights[head],
                                         steps, dy + offset, own_da, d);
        if (dx) {
          kernels::detail::scale_rows(size.queries, size.dim, T{1}, result, size.dim, dx.data + offset, width,
                                      dx.accumulate);
        }
      }
    });
  }

  /// The last rows of the same sum, where `levels[k]`, [batch, capacity, heads * dim], holds Aᵏ x of all `size.keys` tokens
  /// but, for k > 0, the new ones; those are written. y: [batch, queries, heads * dim].
  template <class T>
  static void step(const HeadAggregateSize& size, Index hops, const T* a, const HopWeights<T>* weights,
                   T* const* levels, Index capacity, T* last, T* y) {
    const Index width = size.width();
    const Index before = size.keys - size.queries;
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) {
        const Index head = at % size.heads;
        const Index b = at / size.heads;
        const Index cached = b * capacity * width + head * size.dim;
        const Index own = b * size.queries * width + head * size.dim;
        const HopWeights<T>& w = weights[head];
        kernels::detail::scale_rows(size.queries, size.dim, T{1} + *w.epsilon.data, levels[0] + cached + before * width,
                                    width, y + own, width, false);
        for (Index k = 0; k < hops; ++k) {
          T* to = k + 1 < hops ? levels[k + 1] + cached + before * width : last + own;
          kernels::head_product(size.queries, size.keys, size.dim, a + at * size.queries * size.keys,
                                levels[k] + cached, width, to, width);
          kernels::detail::scale_rows(size.queries, size.dim, *w.alphas[k].data, to, width, y + own, width, true);
        }
      }
    });
  }

 private:
  template <class T>
  static void run_steps(const HeadAggregateSize& size, Index hops, const T* a, const T* x, T* steps) {
    const T* from = x;
    Index from_row = size.width();
    for (Index k = 0; k < hops; ++k, steps += size.queries * size.dim) {
      kernels::head_product(size.queries, size.keys, size.dim, a, from, from_row, steps, size.dim);
      from = steps;
      from_row = size.dim;
    }
  }

  template <class T>
  static void combine(const HeadAggregateSize& size, Index hops, const HopWeights<T>& weights, const T* x,
                      const T* steps, T* y) {
    kernels::detail::scale_rows(size.queries, size.dim, T{1} + *weights.epsilon.data, x, size.width(), y, size.width(),
                                false);
    for (Index k = 0; k < hops; ++k, steps += size.queries * size.dim) {
      kernels::detail::scale_rows(size.queries, size.dim, *weights.alphas[k].data, steps, size.dim, y, size.width(),
                                  true);
    }
  }

  /// With d = dL/d(Aᵏ x), from the last step to the first: dA += d (Aᵏ⁻¹ x)ᵀ, then d = αₖ₋₁ dy + Aᵀ d. Returns dx.
  template <class T>
  static const T* steps_backward(const HeadAggregateSize& size, Index hops, const T* a, const T* x,
                                 const HopWeights<T>& weights, const T* steps, const T* dy, GradientTarget<T> da,
                                 T* d) {
    const Index block = size.queries * size.dim;
    T* next = d + block;
    kernels::detail::scale_rows(size.queries, size.dim, *weights.alphas[hops - 1].data, dy, size.width(), d, size.dim,
                                false);
    for (Index k = hops; k > 0; --k) {
      const T* input = k > 1 ? steps + (k - 2) * block : x;
      const Index input_row = k > 1 ? size.dim : size.width();
      if (da) {
        kernels::matmul(kernels::Transpose::no, kernels::Transpose::yes, size.queries, size.keys, size.dim,
                        static_cast<const T*>(d), size.dim, input, input_row, da.data, size.keys,
                        kernels::MatmulEpilogue<T>{nullptr, da.accumulate || k < hops, T{1}});
      }
      const T factor = k > 1 ? *weights.alphas[k - 2].data : T{1} + *weights.epsilon.data;
      kernels::detail::scale_rows(size.queries, size.dim, factor, dy, size.width(), next, size.dim, false);
      kernels::head_product_backward(size.queries, size.keys, size.dim, a, static_cast<const T*>(d), size.dim, next,
                                     size.dim);
      std::swap(d, next);
    }
    return d;
  }
};

}  // namespace weft

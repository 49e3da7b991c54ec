// SPDX-License-Identifier: Apache-2.0
/// \file
/// `offset_attention` on the CPU: blocks of rows of one head, computed again for the derivative.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/adjacency/weight_rows.hpp"
#include "weft/ops/head_aggregate/head_product.hpp"
#include "weft/ops/offset_attention/offset_attention_kernels.hpp"

namespace weft {

namespace kernels::detail {

/// What keeps the logarithm of a missing edge finite.
template <class T>
inline constexpr T kEdgeOffset = T(1e-9);

/// Rows [first, first + count) of one head: addresses and the weights.
template <class T>
struct OffsetBlock {
  const OffsetAttentionInput<T>& in;
  Index batch;
  Index head;
  Index first;
  Index count;

  OffsetBlock(const OffsetAttentionInput<T>& input, Index at, Index first_row)
      : in(input),
        batch(at / input.size.heads),
        head(at % input.size.heads),
        first(first_row),
        count(std::min(kHeadProductRows, input.size.queries - first_row)) {}

  Index query_offset() const { return (batch * in.size.queries + first) * in.size.width() + head * in.size.dim; }
  Index key_offset() const {
    return batch * std::max(in.capacity, in.size.keys) * in.size.width() + head * in.size.dim;
  }
  Index edge_offset() const { return ((batch * in.size.heads + head) * in.size.queries + first) * in.size.keys; }

  /// w = softmax(scale q kᵀ + log(max(A, 0) + 1e-9)), [count, keys]; rows without any edge under a hard mask are 0.
  void weigh(T* w) const {
    const OffsetAttentionSize& size = in.size;
    matmul(Transpose::no, Transpose::yes, count, size.keys, size.dim, in.q + query_offset(), size.width(),
           in.k + key_offset(), size.width(), w, size.keys, MatmulEpilogue<T>{nullptr, false, in.scale});
    const T* a = in.a + edge_offset();
    const Vector<T> zero(T{0});
    for (Index r = 0; r < count; ++r, a += size.keys, w += size.keys) {
      for_each_vector<T>(size.keys, [&](Index j, auto access) {
        const Vector<T> edge = xsimd::max(access.load(a + j), zero);
        const Vector<T> logit = access.load(w + j) + Vector<T>(xsimd::log(edge + Vector<T>(kEdgeOffset<T>)));
        const Vector<T> nothing(-std::numeric_limits<T>::infinity());
        access.store(w + j, in.mask == FutureMask::soft_log ? logit : xsimd::select(edge > zero, logit, nothing));
      });
      if (in.first_key != nullptr) hide_other_sequences(first + r, w);
      softmax_row(T{1}, w, size.keys, size.keys, w);
    }
  }

  /// Of packed sequences a query looks at its own alone, whatever the adjacency says.
  void hide_other_sequences(Index query, T* logits) const {
    const std::int32_t* first_key = in.first_key + batch * in.size.keys;
    for (Index j = 0; j < in.size.keys; ++j) {
      if (first_key[j] != first_key[query]) logits[j] = -std::numeric_limits<T>::infinity();
    }
  }

  /// dA += ds / (A + 1e-9), where the logarithm depends on A.
  void edges_backward(const T* ds, const GradientTarget<T>& da) const {
    const Index keys = in.size.keys;
    const bool hard = in.mask == FutureMask::hard;
    const T* a = in.a + edge_offset();
    const GradientTarget<T> target{da.data + edge_offset(), da.accumulate};
    const Vector<T> zero(T{0});
    for_each_vector<T>(count * keys, [&](Index i, auto access) {
      const Vector<T> edge = access.load(a + i);
      const Vector<T> slope = access.load(ds + i) / (xsimd::max(edge, zero) + Vector<T>(kEdgeOffset<T>));
      store_gradient(target, i, xsimd::select(hard ? edge > zero : edge >= zero, slope, zero), access);
    });
  }
};

/// ds = w (dw - Σ w dw) for every row, in place of dw.
template <class T>
void softmax_rows_backward(Index rows, Index columns, const T* w, T* d) {
  for (Index r = 0; r < rows; ++r, w += columns, d += columns) {
    const auto [product] = row_sums<T, 1>(columns, [&](Index j, auto access, auto& sums) {
      sums[0] = multiply_add(access.load(w + j), access.load(d + j), sums[0]);
    });
    const Vector<T> mean(product);
    for_each_vector<T>(columns, [&](Index j, auto access) {
      access.store(d + j, Vector<T>(access.load(w + j) * (access.load(d + j) - mean)));
    });
  }
}

}  // namespace kernels::detail

template <>
struct OffsetAttentionKernels<Cpu> {
  template <class T>
  static void forward(const OffsetAttentionInput<T>& in, T* y) {
    struct Scratch {};
    const OffsetAttentionSize& size = in.size;
    const Index blocks = (size.queries + kernels::kHeadProductRows - 1) / kernels::kHeadProductRows;
    parallel_for(size.batch * size.heads * blocks, 1, [&](Index begin, Index end) {
      // In a cache for all that it has room for, so that decoding never makes it grow.
      T* w = thread_scratch<Scratch, T>(std::min(kernels::kHeadProductRows, size.queries) *
                                        std::max(size.keys, in.capacity));
      for (Index at = begin; at < end; ++at) {
        const kernels::detail::OffsetBlock<T> block(in, at / blocks, at % blocks * kernels::kHeadProductRows);
        block.weigh(w);
        kernels::matmul(kernels::Transpose::no, kernels::Transpose::no, block.count, size.dim, size.keys,
                        static_cast<const T*>(w), size.keys, in.v + block.key_offset(), size.width(),
                        y + block.query_offset(), size.width());
      }
    });
  }

  /// dq, dk and dv have to hold something already: contributions are added. Null: not wanted.
  template <class T>
  static void backward(const OffsetAttentionInput<T>& in, const T* dy, T* dq, T* dk, T* dv, GradientTarget<T> da) {
    struct Scratch {};
    const OffsetAttentionSize& size = in.size;
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      T* w = thread_scratch<Scratch, T>(2 * kernels::kHeadProductRows * size.keys);
      for (Index at = begin; at < end; ++at) {
        for (Index first = 0; first < size.queries; first += kernels::kHeadProductRows) {
          block_backward(kernels::detail::OffsetBlock<T>(in, at, first), dy, w, dq, dk, dv, da);
        }
      }
    });
  }

  template <class T>
  static bool has_negative(Index count, const T* a) {
    constexpr Index block = 4096;
    struct Scratch {};
    const Index blocks = (count + block - 1) / block;
    T* least = thread_scratch<Scratch, T>(blocks);
    parallel_for(blocks, 8, [&](Index begin, Index end) {
      for (Index b = begin; b < end; ++b) {
        kernels::Vector<T> lowest(T{0});
        kernels::for_each_vector<T>(std::min(block, count - b * block), [&](Index i, auto access) {
          lowest = xsimd::min(lowest, access.load(a + b * block + i));
        });
        least[b] = -kernels::max_lanes<T>(-lowest);
      }
    });
    return std::any_of(least, least + blocks, [](T value) { return value < T{0}; });
  }

 private:
  template <class T>
  static void block_backward(const kernels::detail::OffsetBlock<T>& block, const T* dy, T* w, T* dq, T* dk, T* dv,
                             const GradientTarget<T>& da) {
    using kernels::matmul;
    using kernels::Transpose;
    const OffsetAttentionInput<T>& in = block.in;
    const OffsetAttentionSize& size = in.size;
    const Index width = size.width();
    const kernels::MatmulEpilogue<T> add{nullptr, true, T{1}};
    const kernels::MatmulEpilogue<T> add_scaled{nullptr, true, in.scale};
    T* d = w + kernels::kHeadProductRows * size.keys;
    dy += block.query_offset();
    block.weigh(w);
    if (dv != nullptr) {
      matmul(Transpose::yes, Transpose::no, size.keys, size.dim, block.count, static_cast<const T*>(w), size.keys, dy,
             width, dv + block.key_offset(), width, add);
    }
    if (dq == nullptr && dk == nullptr && !da) return;
    matmul(Transpose::no, Transpose::yes, block.count, size.keys, size.dim, dy, width, in.v + block.key_offset(), width,
           d, size.keys);
    kernels::detail::softmax_rows_backward(block.count, size.keys, w, d);
    if (da) block.edges_backward(d, da);
    const T* ds = d;
    if (dq != nullptr) {
      matmul(Transpose::no, Transpose::no, block.count, size.dim, size.keys, ds, size.keys, in.k + block.key_offset(),
             width, dq + block.query_offset(), width, add_scaled);
    }
    if (dk != nullptr) {
      matmul(Transpose::yes, Transpose::no, size.keys, size.dim, block.count, ds, size.keys,
             in.q + block.query_offset(), width, dk + block.key_offset(), width, add_scaled);
    }
  }
};

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// The processed adjacency of one head, a block of rows at a time, forwards and backwards by recomputation.
#pragma once

#include <algorithm>
#include <utility>

#include "weft/ops/adjacency/dropout_rows.hpp"
#include "weft/ops/adjacency/weight_rows.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"

namespace weft::kernels {

namespace detail {

/// scores = scale · q kᵀ of a block, [count, width].
template <class T>
void block_scores(const AttentionInput<T>& in, const AdjacencyBlock& block, T* scores) {
  matmul(Transpose::no, Transpose::yes, block.count, block.width, in.size.head_dim,
         in.query(block.batch, block.head, block.first), in.q.row_stride, in.key(block.batch, block.head, 0),
         in.k.row_stride, scores, block.width, MatmulEpilogue<T>{nullptr, false, in.scale});
}

/// The same with sums in double, rounded once: for modes so steep that the rounding of scores would show in derivatives.
template <class T>
void exact_block_scores(const AttentionInput<T>& in, const AdjacencyBlock& block, T* scores) {
  struct Scratch {};
  const Index dim = in.size.head_dim;
  double* q = thread_scratch<Scratch, double>((block.count + block.width) * dim + block.count * block.width);
  double* k = q + block.count * dim;
  double* sums = k + block.width * dim;
  for (Index r = 0; r < block.count; ++r)
    std::copy_n(in.query(block.batch, block.head, block.first + r), dim, q + r * dim);
  for (Index j = 0; j < block.width; ++j) std::copy_n(in.key(block.batch, block.head, j), dim, k + j * dim);
  matmul(Transpose::no, Transpose::yes, block.count, block.width, dim, static_cast<const double*>(q), dim,
         static_cast<const double*>(k), dim, sums, block.width);
  const auto scale = static_cast<double>(in.scale);
  for (Index i = 0; i < block.count * block.width; ++i) scores[i] = static_cast<T>(scale * sums[i]);
}

/// dq += scale d k and dk += scale dᵀ q, where they are wanted. `dq` and `dk` have the layout of q and k.
template <class T>
void block_scores_backward(const AttentionInput<T>& in, const AdjacencyBlock& block, const T* d, AttentionRows<T> dq,
                           AttentionRows<T> dk) {
  const Index dim = in.size.head_dim;
  const Index kv_feature = block.head / in.size.group() * dim;
  const MatmulEpilogue<T> add{nullptr, true, in.scale};
  if (dq.data != nullptr) {
    matmul(Transpose::no, Transpose::no, block.count, dim, block.width, d, block.width,
           in.key(block.batch, block.head, 0), in.k.row_stride, dq.at(block.batch, block.first, block.head * dim),
           dq.row_stride, add);
  }
  if (dk.data != nullptr) {
    matmul(Transpose::yes, Transpose::no, block.width, dim, block.count, d, block.width,
           in.query(block.batch, block.head, block.first), in.q.row_stride, dk.at(block.batch, 0, kv_feature),
           dk.row_stride, add);
  }
}

/// P = mode(a), masked entries cleared where the options say so.
template <class T>
void process_rows(const AdjacencyInput<T>& in, const AdjacencyBlock& block, const T* a, T* p) {
  threshold_rows(in.rules.threshold, in.threshold, block.rows_size(), a, p);
  if (in.rules.threshold.respects_mask && in.rules.threshold.mode != ThresholdMode::none) {
    for_each_masked(in, block, p, [](T& entry) { entry = T{0}; });
  }
}

/// From dP to da, in place.
template <class T>
void process_rows_backward(const AdjacencyInput<T>& in, const AdjacencyBlock& block, const T* a, T* d,
                           AdjacencySums& sums) {
  if (in.rules.threshold.respects_mask && in.rules.threshold.mode != ThresholdMode::none) {
    for_each_masked(in, block, d, [](T& entry) { entry = T{0}; });
  }
  sums.threshold += threshold_rows_backward(in.rules.threshold, in.threshold, block.rows_size(), a, d);
}

}  // namespace detail

/// Computes blocks of rows of a processed adjacency for one thread:
///
///     AdjacencyRows<T> rows(in);
///     rows.compute(plan_adjacency_block(in, batch, head, first));   // rows.a() and rows.p(), [count, width]
///     rows.backward(d, gradients, sums);                            // d = dP: adds to dq, dk and the sums
///
/// Its memory, of the size of a few blocks, is scratch of the thread: one object of an element type at a time.
template <class T>
class AdjacencyRows {
 public:
  explicit AdjacencyRows(const AdjacencyInput<T>& in) : in_(in) {
    struct Buffers {};
    const Index size = std::min(kAdjacencyRows, in.size().queries) * in.attention.key_room();
    T* memory = thread_scratch<Buffers, T>((in.attention.dropout ? 5 : 4) * size);
    for (T** buffer : {&scores_, &weights_, &p_, &d_}) *buffer = std::exchange(memory, memory + size);
    a_ = in.attention.dropout ? memory : weights_;
  }

  void compute(const AdjacencyBlock& block) {
    block_ = block;
    if (in_.rules.threshold.mode == ThresholdMode::flowthreshold) {  // its slope is 50, and that slope's 2500
      detail::exact_block_scores(in_.attention, block, scores_);
    } else {
      detail::block_scores(in_.attention, block, scores_);
    }
    weigh_rows(in_, block, scores_, weights_);
    if (in_.attention.dropout) detail::drop_rows(in_.attention, block, weights_, a_);
    detail::process_rows(in_, block, a_, p_);
  }

  const AdjacencyBlock& block() const { return block_; }
  /// The weights before the threshold mode and after dropout, [count, width].
  const T* a() const { return a_; }
  /// The processed adjacency, [count, width].
  const T* p() const { return p_; }
  /// Room for dP, [count, width].
  T* d() { return d_; }

  /// Adds the gradients of the block's q, k and numbers. Blocks of heads that share a head of keys must not run at the same
  /// time.
  ///
  /// \param d   dP, [count, width]; destroyed
  /// \param da  a gradient of `a()` beside the one through P, [count, width], or null
  void backward(T* d, const AdjacencyGradients<T>& gradients, AdjacencySums& sums, const T* da = nullptr) {
    detail::process_rows_backward(in_, block_, a_, d, sums);
    if (da != nullptr) {
      for (Index i = 0; i < block_.count * block_.width; ++i) d[i] += da[i];
    }
    if (in_.attention.dropout) detail::drop_rows(in_.attention, block_, d, d);
    weigh_rows_backward(in_, block_, scores_, weights_, d, gradients.wants_sharpness ? &sums.sharpness : nullptr);
    detail::block_scores_backward(in_.attention, block_, d, gradients.dq, gradients.dk);
  }

 private:
  const AdjacencyInput<T>& in_;
  AdjacencyBlock block_;
  T* scores_;
  T* weights_;  ///< before dropout
  T* a_;        ///< after it
  T* p_;
  T* d_;
};

namespace detail {

/// Calls `body(rows, batch, head, first)` for every block of rows of all heads, on all threads, each with its own
/// `rows = make_rows()`.
template <class MakeRows, class Body>
void for_each_row_block(const AttentionSize& size, MakeRows&& make_rows, Body&& body) {
  const Index blocks = (size.queries + kAdjacencyRows - 1) / kAdjacencyRows;
  parallel_for(size.batch * size.heads * blocks, 1, [&](Index begin, Index end) {
    auto rows = make_rows();
    for (Index at = begin; at < end; ++at) {
      const Index head = at / blocks;
      const Index turn = at % blocks;  // blocks from both ends in turn: later ones cost more when causal
      const Index first = (turn % 2 == 0 ? turn / 2 : blocks - 1 - turn / 2) * kAdjacencyRows;
      body(rows, head / size.heads, head % size.heads, first);
    }
  });
}

/// Calls `body(rows, batch, head, sums)` for every head, on all threads; heads that share a head of keys follow each other on
/// one thread. Returns the total of all sums.
template <class MakeRows, class Body>
AdjacencySums for_each_head_backward(const AttentionSize& size, MakeRows&& make_rows, Body&& body) {
  struct Partial {};
  const Index heads = size.batch * size.kv_heads;
  auto* partial = thread_scratch<Partial, AdjacencySums>(heads);
  std::fill_n(partial, heads, AdjacencySums{});
  parallel_for(heads, 1, [&](Index begin, Index end) {
    auto rows = make_rows();
    for (Index at = begin; at < end; ++at) {
      const Index first = at % size.kv_heads * size.group();
      for (Index head = first; head < first + size.group(); ++head) body(rows, at / size.kv_heads, head, partial[at]);
    }
  });
  AdjacencySums sums;
  for (Index at = 0; at < heads; ++at) sums += partial[at];
  return sums;
}

}  // namespace detail

/// Calls `body(rows, block)` for every block of rows of all heads, on all threads, with `rows` an AdjacencyRows that has
/// computed it: for what writes rows of a result.
template <class T, class Body>
void for_each_adjacency_block(const AdjacencyInput<T>& in, Body&& body) {
  detail::for_each_row_block(
      in.size(), [&] { return AdjacencyRows<T>(in); },
      [&](AdjacencyRows<T>& rows, Index batch, Index head, Index first) {
        rows.compute(plan_adjacency_block(in, batch, head, first));
        body(rows, rows.block());
      });
}

/// The same for derivatives: all blocks that share a head of keys come one after the other from one thread, so that `body` may
/// add to gradients of keys and values. Its third argument are sums of its own; returns their total.
template <class T, class Body>
AdjacencySums for_each_adjacency_block_backward(const AdjacencyInput<T>& in, Body&& body) {
  return detail::for_each_head_backward(
      in.size(), [&] { return AdjacencyRows<T>(in); },
      [&](AdjacencyRows<T>& rows, Index batch, Index head, AdjacencySums& sums) {
        for (Index first = 0; first < in.size().queries; first += kAdjacencyRows) {
          rows.compute(plan_adjacency_block(in, batch, head, first));
          body(rows, rows.block(), sums);
        }
      });
}

/// Runs an adjacency backwards. `upstream.fill(block, d)` writes dP and `upstream.use(block, p)` may use P for gradients of its
/// own; all blocks that share a head of keys come from one thread.
template <class T, class Upstream>
AdjacencySums adjacency_backward(const AdjacencyInput<T>& in, const AdjacencyGradients<T>& gradients,
                                 const Upstream& upstream) {
  return for_each_adjacency_block_backward(
      in, [&](AdjacencyRows<T>& rows, const AdjacencyBlock& block, AdjacencySums& sums) {
        upstream.use(block, rows.p());
        if (!gradients) return;
        upstream.fill(block, rows.d());
        rows.backward(rows.d(), gradients, sums);
      });
}

}  // namespace weft::kernels

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Adjacencies whose scores come from a little network over pairs of tokens, a block of rows of all heads at a time.
#pragma once

#include <algorithm>
#include <utility>

#include "weft/ops/adjacency/adjacency_rows.hpp"

namespace weft::kernels {

/// Scores s[n, i, j] = Σₛ weight[n, s] silu(u[i, s] + v[j, s]) + bias[n]: a network W₂ silu(W₁ [xᵢ; xⱼ] + b₁) + b₂ whose first
/// layer is computed for tokens, not for pairs: u = x Wᵢᵀ + b₁ and v = x Wⱼᵀ with W₁ = [Wᵢ, Wⱼ]. P as in `AdjacencyInput`,
/// of which q, k and scale are not looked at.
template <class T>
struct ScoringInput {
  AdjacencyInput<T> rules;
  AttentionRows<const T> u;   ///< [batch, queries], hidden features
  AttentionRows<const T> v;   ///< [batch, keys], hidden features
  const T* weight = nullptr;  ///< [heads, hidden]
  const T* bias = nullptr;    ///< [heads]
  Index hidden = 0;

  const AttentionSize& size() const { return rules.size(); }
};

/// Where gradients go; null: not wanted. The rows have to hold something already; weight and bias gather a part for each
/// sequence, [batch, heads, hidden] and [batch, heads], which have to be zeros at first.
template <class T>
struct ScoringGradients {
  AttentionRows<T> du;
  AttentionRows<T> dv;
  T* weight = nullptr;
  T* bias = nullptr;
  bool wants_threshold = false;

  explicit operator bool() const {
    return du.data != nullptr || dv.data != nullptr || weight != nullptr || bias != nullptr || wants_threshold;
  }
};

/// Computes blocks of rows of all heads. Rows of a head lie `block().width` apart.
template <class T>
class ScoringRows {
 public:
  /// Rows worked on together: there are as many blocks as heads.
  static constexpr Index kRows = 16;

  explicit ScoringRows(const ScoringInput<T>& in) : in_(in) {
    struct Buffers {};
    stride_ = std::min(kRows, in.size().queries) * in.size().keys;
    const Index all = in.size().heads * stride_;
    const Index pairs = in.size().keys * in.hidden;
    const bool drops = in.rules.attention.dropout.has_value();
    T* memory = thread_scratch<Buffers, T>((drops ? 5 : 4) * all + 2 * pairs);
    for (T** buffer : {&scores_, &weights_, &p_, &d_}) *buffer = std::exchange(memory, memory + all);
    a_ = drops ? std::exchange(memory, memory + all) : weights_;
    hidden_ = std::exchange(memory, memory + pairs);
    d_hidden_ = memory;
  }

  void compute(Index batch, Index first) {
    AdjacencyBlock plan = plan_adjacency_block(in_.rules, batch, 0, first);
    plan.count = std::min(kRows, in_.size().queries - first);
    if (plan.skip_later && in_.rules.rules.threshold.mode != ThresholdMode::top_k) {
      plan.width = std::min(plan.width, plan.position + plan.count);
    }
    block_ = plan;
    for (Index r = 0; r < block_.count; ++r) {
      activate(r);
      const Index seen = block_.seen(r);
      matmul(Transpose::no, Transpose::yes, in_.size().heads, seen, in_.hidden, in_.weight, in_.hidden, hidden_,
             in_.hidden, scores_ + r * block_.width, stride_);
      for (Index n = 0; n < in_.size().heads; ++n) {
        T* row = scores_ + n * stride_ + r * block_.width;
        for (Index j = 0; j < seen; ++j) row[j] += in_.bias[n];
        std::fill(row + seen, row + block_.width, T{0});
      }
    }
    for (Index n = 0; n < in_.size().heads; ++n) {
      const AdjacencyBlock block = block_of(n);
      weigh_rows(in_.rules, block, scores_ + n * stride_, weights_ + n * stride_);
      if (in_.rules.attention.dropout) {
        detail::drop_rows(in_.rules.attention, block, weights_ + n * stride_, a_ + n * stride_);
      }
      detail::process_rows(in_.rules, block, a_ + n * stride_, p_ + n * stride_);
    }
  }

  AdjacencyBlock block_of(Index head) const {
    AdjacencyBlock block = block_;
    block.head = head;
    return block;
  }
  const T* a(Index head) const { return a_ + head * stride_; }
  const T* p(Index head) const { return p_ + head * stride_; }
  T* d(Index head) { return d_ + head * stride_; }

  /// From dP of all heads, in `d(head)`, to everything before it.
  void backward(const ScoringGradients<T>& gradients, AdjacencySums& sums) {
    for (Index n = 0; n < in_.size().heads; ++n) {
      const AdjacencyBlock block = block_of(n);
      detail::process_rows_backward(in_.rules, block, a(n), d(n), sums);
      if (in_.rules.attention.dropout) detail::drop_rows(in_.rules.attention, block, d(n), d(n));
      weigh_rows_backward(in_.rules, block, scores_ + n * stride_, weights_ + n * stride_, d(n), nullptr);
    }
    for (Index r = 0; r < block_.count; ++r) backward_row(r, gradients);
  }

 private:
  /// hidden[j, s] = silu(u[i, s] + v[j, s]) for the keys that a row sees.
  void activate(Index row) {
    const T* u = in_.u.at(block_.batch, block_.first + row, 0);
    for (Index j = 0; j < block_.seen(row); ++j) {
      const T* v = in_.v.at(block_.batch, j, 0);
      for_each_vector<T>(in_.hidden, [&](Index s, auto access) {
        const Vector<T> x = access.load(u + s) + access.load(v + s);
        access.store(hidden_ + j * in_.hidden + s, Vector<T>(x * sigmoid<T>(x)));
      });
    }
  }

  void backward_row(Index row, const ScoringGradients<T>& gradients) {
    const Index heads = in_.size().heads;
    const Index seen = block_.seen(row);
    const T* ds = d_ + row * block_.width;
    if (gradients.bias != nullptr) {
      for (Index n = 0; n < heads; ++n) {
        T& sum = gradients.bias[block_.batch * heads + n];
        for (Index j = 0; j < seen; ++j) sum += ds[n * stride_ + j];
      }
    }
    if (gradients.weight != nullptr) {
      activate(row);
      matmul(Transpose::no, Transpose::no, heads, in_.hidden, seen, ds, stride_, hidden_, in_.hidden,
             gradients.weight + block_.batch * heads * in_.hidden, in_.hidden, MatmulEpilogue<T>{nullptr, true, T{1}});
    }
    if (gradients.du.data == nullptr && gradients.dv.data == nullptr) return;
    matmul(Transpose::yes, Transpose::no, seen, in_.hidden, heads, ds, stride_, in_.weight, in_.hidden, d_hidden_,
           in_.hidden);
    add_to_tokens(row, seen, gradients);
  }

  /// du[i] += Σⱼ d hidden[j] silu', dv[j] += d hidden[j] silu'.
  void add_to_tokens(Index row, Index seen, const ScoringGradients<T>& gradients) {
    const Index i = block_.first + row;
    const T* u = in_.u.at(block_.batch, i, 0);
    const auto add = [](T* to, const Vector<T>& value, auto access) {
      access.store(to, Vector<T>(access.load(to) + value));
    };
    for_each_vector<T>(in_.hidden, [&](Index s, auto access) {
      const Vector<T> us = access.load(u + s);
      Vector<T> sum(T{0});
      for (Index j = 0; j < seen; ++j) {
        const Vector<T> x = us + access.load(in_.v.at(block_.batch, j, s));
        const Vector<T> d = access.load(d_hidden_ + j * in_.hidden + s) * SiluStep<T>::derivative(x);
        sum += d;
        if (gradients.dv.data != nullptr) add(gradients.dv.at(block_.batch, j, s), d, access);
      }
      if (gradients.du.data != nullptr) add(gradients.du.at(block_.batch, i, s), sum, access);
    });
  }

  const ScoringInput<T>& in_;
  AdjacencyBlock block_;
  Index stride_;  ///< between heads
  T* scores_;
  T* weights_;  ///< before dropout
  T* a_;        ///< after it
  T* p_;
  T* d_;
  T* hidden_;    ///< [keys, hidden] of one row
  T* d_hidden_;  ///< [keys, hidden] of one row
};

/// See the overload for `AdjacencyInput`; blocks of all heads of a sequence follow each other.
template <class T, class Body>
void for_each_adjacency_block(const ScoringInput<T>& in, Body&& body) {
  struct View {
    const T* values;
    const T* p() const { return values; }
  };
  const AttentionSize& size = in.size();
  const Index blocks = (size.queries + ScoringRows<T>::kRows - 1) / ScoringRows<T>::kRows;
  parallel_for(size.batch * blocks, 1, [&](Index begin, Index end) {
    ScoringRows<T> rows(in);
    for (Index at = begin; at < end; ++at) {
      rows.compute(at / blocks, at % blocks * ScoringRows<T>::kRows);
      for (Index n = 0; n < size.heads; ++n) body(View{rows.p(n)}, rows.block_of(n));
    }
  });
}

/// See the overload for `AdjacencyInput`; all blocks of a sequence come from one thread.
template <class T, class Upstream>
AdjacencySums adjacency_backward(const ScoringInput<T>& in, const ScoringGradients<T>& gradients,
                                 const Upstream& upstream) {
  struct Partial {};
  const AttentionSize& size = in.size();
  auto* partial = thread_scratch<Partial, AdjacencySums>(size.batch);
  std::fill_n(partial, size.batch, AdjacencySums{});
  parallel_for(size.batch, 1, [&](Index begin, Index end) {
    ScoringRows<T> rows(in);
    for (Index batch = begin; batch < end; ++batch) {
      for (Index first = 0; first < size.queries; first += ScoringRows<T>::kRows) {
        rows.compute(batch, first);
        for (Index n = 0; n < size.heads; ++n) {
          upstream.use(rows.block_of(n), rows.p(n));
          if (gradients) upstream.fill(rows.block_of(n), rows.d(n));
        }
        if (gradients) rows.backward(gradients, partial[batch]);
      }
    }
  });
  AdjacencySums sums;
  for (Index batch = 0; batch < size.batch; ++batch) sums += partial[batch];
  return sums;
}

}  // namespace weft::kernels

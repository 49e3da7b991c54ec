// SPDX-License-Identifier: Apache-2.0
/// \file
/// The difference of two adjacencies (differential attention, Ye et al., arXiv 2410.05258), a block of rows at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "weft/ops/adjacency/adjacency_rows.hpp"

namespace weft::kernels {

/// P = mode(a) with a = w(q, k) - λ w(q2, k2); or, with a group norm over all queries × keys entries of each head,
/// a = lower triangle of norm_scale · (weight[head] (a - mean) / sqrt(variance + eps) + bias[head]) of that. Masked zeros
/// count in the statistics (quirk A13).
template <class T>
struct DifferentialInput {
  AdjacencyInput<T> first;
  AttentionRows<const T> q2;
  AttentionRows<const T> k2;
  T lambda = 0;
  const T* norm_weight = nullptr;  ///< [heads]; null: no norm
  const T* norm_bias = nullptr;    ///< [heads]
  double norm_scale = 1;           ///< 1 - λ₀
  double norm_eps = 1e-5;
  double* statistics = nullptr;  ///< [batch, heads, 2], what `measure_differential` finds: mean and 1 / deviation

  const AttentionSize& size() const { return first.size(); }
  AttentionInput<T> second() const {
    AttentionInput<T> in = first.attention;
    in.q = q2;
    in.k = k2;
    return in;
  }
  double* statistics_of(Index batch, Index head) const { return statistics + 2 * (batch * size().heads + head); }
  /// Entries that a norm counts.
  double entries() const { return static_cast<double>(size().queries) * static_cast<double>(size().keys); }
};

/// Where gradients go; see `AdjacencyGradients`. The parameters of the norm gather [batch, heads] values each.
template <class T>
struct DifferentialGradients {
  AdjacencyGradients<T> first;
  AttentionRows<T> dq2;
  AttentionRows<T> dk2;
  bool wants_lambda = false;
  double* norm_weight = nullptr;
  double* norm_bias = nullptr;

  explicit operator bool() const {
    return first || dq2.data != nullptr || dk2.data != nullptr || wants_lambda || norm_weight != nullptr ||
           norm_bias != nullptr;
  }
};

/// Computes blocks of rows, like `AdjacencyRows`.
template <class T>
class DifferentialRows {
 public:
  explicit DifferentialRows(const DifferentialInput<T>& in) : in_(in), second_(in.second()) {
    struct Buffers {};
    const Index size = std::min(kAdjacencyRows, in.size().queries) * in.first.attention.key_room();
    T* memory = thread_scratch<Buffers, T>(8 * size);
    for (T** buffer : {&scores_, &weights_, &scores2_, &weights2_, &a_, &p_, &d_, &d2_}) {
      *buffer = std::exchange(memory, memory + size);
    }
  }

  /// a, before any norm.
  void subtract(const AdjacencyBlock& block) {
    block_ = block;
    detail::block_scores(in_.first.attention, block, scores_);
    weigh_rows(in_.first, block, scores_, weights_);
    detail::block_scores(second_, block, scores2_);
    weigh_rows(in_.first, block, scores2_, weights2_);
    // Differences of raw scores that are masked by the smallest number must not become infinite.
    constexpr T lowest = std::numeric_limits<T>::lowest();
    for_each_vector<T>(count(), [&](Index i, auto access) {
      const auto second = access.load(weights2_ + i);
      const auto difference = multiply_add(Vector<T>(-in_.lambda), second, access.load(weights_ + i));
      access.store(a_ + i, xsimd::max(Vector<T>(lowest), xsimd::min(Vector<T>(-lowest), difference)));
    });
  }

  void compute(const AdjacencyBlock& block) {
    subtract(block);
    if (in_.norm_weight != nullptr) normalise();
    if (in_.first.attention.dropout) detail::drop_rows(in_.first.attention, block, a_, a_);
    detail::process_rows(in_.first, block, a_, p_);
  }

  const AdjacencyBlock& block() const { return block_; }
  const T* a() const { return a_; }
  const T* p() const { return p_; }
  T* d() { return d_; }
  Index count() const { return block_.count * block_.width; }

  /// dP in `d()` becomes the gradient of what the threshold mode was given.
  void backward_mode(AdjacencySums& sums) {
    detail::process_rows_backward(in_.first, block_, a_, d_, sums);
    if (in_.first.attention.dropout) detail::drop_rows(in_.first.attention, block_, d_, d_);
    if (in_.norm_weight == nullptr) return;
    for (Index r = 0; r < block_.count; ++r) {
      const Index kept = block_.rows_size().kept(r);
      std::fill(d_ + r * block_.width + kept, d_ + (r + 1) * block_.width, T{0});
    }
  }

  /// Adds Σ d and Σ d x̂ of the block, with x̂ the normalised entries.
  void add_norm_sums(double& plain, double& along) {
    for_each_normalised([&](Index i, T x) {
      plain += static_cast<double>(d_[i]);
      along += static_cast<double>(d_[i]) * static_cast<double>(x);
    });
  }

  /// Through the norm, in place: d = c (d - mean of d - x̂ · mean of d x̂), where the means count all entries.
  void backward_norm(double plain, double along) {
    const double c = in_.norm_scale * static_cast<double>(in_.norm_weight[block_.head]) *
                     in_.statistics_of(block_.batch, block_.head)[1];
    const T factor = static_cast<T>(c);
    const T mean = static_cast<T>(plain / in_.entries());
    const T slope = static_cast<T>(along / in_.entries());
    for_each_normalised([&](Index i, T x) { d_[i] = factor * (d_[i] - mean - x * slope); });
  }

  /// From the gradient of a, in `d()`, to everything before it.
  void backward(const DifferentialGradients<T>& gradients, AdjacencySums& sums) {
    const Vector<T> factor(-in_.lambda);
    double d_lambda = 0;
    for (Index r = 0; r < block_.count; ++r) {
      const Index row = r * block_.width;
      Vector<T> sum(T{0});
      for_each_vector<T>(block_.width, [&](Index j, auto access) {
        const Vector<T> d = access.load(d_ + row + j);
        sum = multiply_add(d, access.load(weights2_ + row + j), sum);
        access.store(d2_ + row + j, Vector<T>(factor * d));
      });
      d_lambda -= static_cast<double>(sum_lanes(sum));
    }
    sums.lambda += d_lambda;
    double* sharpness = gradients.first.wants_sharpness ? &sums.sharpness : nullptr;
    weigh_rows_backward(in_.first, block_, scores_, weights_, d_, sharpness);
    weigh_rows_backward(in_.first, block_, scores2_, weights2_, d2_, sharpness);
    detail::block_scores_backward(in_.first.attention, block_, d_, gradients.first.dq, gradients.first.dk);
    detail::block_scores_backward(second_, block_, d2_, gradients.dq2, gradients.dk2);
  }

 private:
  /// Calls `body(i, x̂)` for all entries of the block.
  template <class Body>
  void for_each_normalised(Body&& body) const {
    const double* statistics = in_.statistics_of(block_.batch, block_.head);
    const T mean = static_cast<T>(statistics[0]);
    const T inverse = static_cast<T>(statistics[1]);
    for (Index i = 0; i < count(); ++i) body(i, (weights_[i] - in_.lambda * weights2_[i] - mean) * inverse);
  }

  void normalise() {
    const T scale = static_cast<T>(in_.norm_scale);
    const T weight = in_.norm_weight[block_.head];
    const T bias = in_.norm_bias[block_.head];
    for_each_normalised([&](Index i, T x) { a_[i] = scale * (weight * x + bias); });
    for (Index r = 0; r < block_.count; ++r) {
      std::fill(a_ + r * block_.width + block_.rows_size().kept(r), a_ + (r + 1) * block_.width, T{0});
    }
  }

  const DifferentialInput<T>& in_;
  AttentionInput<T> second_;
  AdjacencyBlock block_;
  T* scores_;
  T* weights_;
  T* scores2_;
  T* weights2_;
  T* a_;
  T* p_;
  T* d_;
  T* d2_;
};

/// First sweep of a group norm: mean and deviation of every head's difference. Entries outside of the blocks are 0.
template <class T>
void measure_differential(const DifferentialInput<T>& in) {
  const AttentionSize& size = in.size();
  parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
    DifferentialRows<T> rows(in);
    for (Index at = begin; at < end; ++at) {
      double sum = 0;
      double squares = 0;
      for (Index first = 0; first < size.queries; first += kAdjacencyRows) {
        rows.subtract(plan_adjacency_block(in.first, at / size.heads, at % size.heads, first));
        for (Index i = 0; i < rows.count(); ++i) {
          const double value = static_cast<double>(rows.a()[i]);
          sum += value;
          squares += value * value;
        }
      }
      double* statistics = in.statistics_of(at / size.heads, at % size.heads);
      statistics[0] = sum / in.entries();
      const double variance = std::max(0.0, squares / in.entries() - statistics[0] * statistics[0]);
      statistics[1] = 1 / std::sqrt(variance + in.norm_eps);
    }
  });
}

/// See the overload for `AdjacencyInput`. With a norm the statistics are found first.
template <class T, class Body>
void for_each_adjacency_block(const DifferentialInput<T>& in, Body&& body) {
  if (in.norm_weight != nullptr) measure_differential(in);
  detail::for_each_row_block(
      in.size(), [&] { return DifferentialRows<T>(in); },
      [&](DifferentialRows<T>& rows, Index batch, Index head, Index first) {
        rows.compute(plan_adjacency_block(in.first, batch, head, first));
        body(rows, rows.block());
      });
}

namespace detail {

/// The sweep over a head that finds what a group norm's derivative has to know of all its entries.
template <class T, class Upstream>
void backward_norm_sums(const DifferentialInput<T>& in, const Upstream& upstream, DifferentialRows<T>& rows,
                        Index batch, Index head, double& plain, double& along) {
  AdjacencySums unused;
  for (Index first = 0; first < in.size().queries; first += kAdjacencyRows) {
    rows.compute(plan_adjacency_block(in.first, batch, head, first));
    upstream.fill(rows.block(), rows.d());
    rows.backward_mode(unused);
    rows.add_norm_sums(plain, along);
  }
}

}  // namespace detail

/// See the overload for `AdjacencyInput`.
template <class T, class Upstream>
AdjacencySums adjacency_backward(const DifferentialInput<T>& in, const DifferentialGradients<T>& gradients,
                                 const Upstream& upstream) {
  const auto run_head = [&](DifferentialRows<T>& rows, Index batch, Index head, AdjacencySums& sums) {
    double plain = 0;
    double along = 0;
    const bool norm = in.norm_weight != nullptr && gradients;
    if (norm) detail::backward_norm_sums(in, upstream, rows, batch, head, plain, along);
    const Index at = batch * in.size().heads + head;
    if (gradients.norm_weight != nullptr) gradients.norm_weight[at] = in.norm_scale * along;
    if (gradients.norm_bias != nullptr) gradients.norm_bias[at] = in.norm_scale * plain;
    for (Index first = 0; first < in.size().queries; first += kAdjacencyRows) {
      rows.compute(plan_adjacency_block(in.first, batch, head, first));
      upstream.use(rows.block(), rows.p());
      if (!gradients) continue;
      upstream.fill(rows.block(), rows.d());
      rows.backward_mode(sums);
      if (norm) rows.backward_norm(plain, along);
      rows.backward(gradients, sums);
    }
  };
  return detail::for_each_head_backward(
      in.size(), [&] { return DifferentialRows<T>(in); }, run_head);
}

}  // namespace weft::kernels

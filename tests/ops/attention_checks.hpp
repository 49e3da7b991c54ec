// SPDX-License-Identifier: Apache-2.0
/// \file
/// The fast and the naive kernels of attention side by side, and how far they may be apart.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/attention/attention_naive.hpp"

#include "ops/attention_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

namespace weft::testing {

/// Factors of the errors that the fast kernels may have beside the naive ones, from the largest elements and epsilon.
struct Tolerance {
  double out, dq, dk, dv, d_sharpness, weights;
};

/// A score is a sum of head_dim products; an error e of a score changes its weight by the factor 1 + |sharpness| e. Every
/// weight enters an output once, every product of a weight's gradient with a key or query once a gradient.
template <class T>
Tolerance tolerance_of(const AttentionProblem<T>& p) {
  const auto& size = p.input.size;
  const double eps = std::numeric_limits<T>::epsilon();
  const double kept = p.input.dropout ? p.input.dropout->scale : 1;
  const double q = largest(p.q.values), k = largest(p.k.values), v = kept * largest(p.v.values),
               d = largest(p.d_out.values);
  const double score = p.input.scale * static_cast<double>(size.head_dim) * q * k + 4;
  const double weight = 4 * eps * (4 + std::abs(p.input.sharpness) * score);
  const double dx = 4 * weight * static_cast<double>(size.value_dim) * v * d;
  const double factor = std::abs(p.input.sharpness) * p.input.scale;
  const double rows = static_cast<double>(size.queries * size.group());
  // Only a sharpness near 0 lets penalties of -1e9 enter its own gradient.
  const bool penalties = p.input.mask.additive != nullptr && std::abs(p.input.sharpness) < 1e-3;
  return {weight * v,
          factor * dx * k + 4 * eps,
          factor * dx * q * rows + 4 * eps,
          weight * kept * d * rows + 4 * eps,
          2 * dx * (penalties ? 1e9 : score) * rows * static_cast<double>(size.batch * size.kv_heads) + 4 * eps,
          weight * kept};
}

template <class T>
void run_fast(AttentionProblem<T>& p, AttentionResult<T>& r, bool accumulate = false) {
  kernels::attention_forward(p.input, r.out.rows(), {r.statistics.data()});
  kernels::attention_backward(p.input, std::as_const(r.out).rows(), {r.statistics.data()},
                              std::as_const(p.d_out).rows(), r.gradients(accumulate));
}

template <class T>
void run_naive(AttentionProblem<T>& p, AttentionResult<T>& r, bool accumulate = false) {
  kernels::attention_forward_naive(p.input, r.out.rows());
  kernels::attention_backward_naive(p.input, std::as_const(p.d_out).rows(), r.gradients(accumulate));
}

/// Compares results and gradients; memory in gaps must have stayed as it was.
template <class T>
void compare_with_naive(const AttentionCase& c, bool accumulate = false) {
  INFO(c.text());
  AttentionProblem<T> p(c);
  AttentionResult<T> fast(c, 10);
  AttentionResult<T> naive(c, 10);
  run_fast(p, fast, accumulate);
  run_naive(p, naive, accumulate);
  const Tolerance tolerance = tolerance_of(p);
  CHECK(largest_difference(fast.out.values, naive.out.values) <= tolerance.out);
  CHECK(largest_difference(fast.dq.values, naive.dq.values) <= tolerance.dq);
  CHECK(largest_difference(fast.dk.values, naive.dk.values) <= tolerance.dk);
  CHECK(largest_difference(fast.dv.values, naive.dv.values) <= tolerance.dv);
  CHECK(std::abs(static_cast<double>(fast.d_sharpness - naive.d_sharpness)) <= tolerance.d_sharpness);
}

}  // namespace weft::testing

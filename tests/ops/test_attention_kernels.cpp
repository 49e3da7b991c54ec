// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_dense.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/attention/attention_naive.hpp"

#include "ops/attention_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

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

/// d loss / d x by central differences.
template <class Loss>
double slope(double& x, Loss&& loss) {
  const double before = x;
  x = before + 1e-6;
  const double above = loss();
  x = before - 1e-6;
  const double below = loss();
  x = before;
  return (above - below) / 2e-6;
}

template <class Loss>
void check_derivatives(RandomRows<double>& x, RandomRows<double>& analytic, Index features, Loss&& loss) {
  for (Index row = 0; row < 5; ++row) {
    for (Index f = 0; f < features; ++f) {
      const Index batch = row % 2;
      CHECK(*analytic.rows().at(batch, row, f) ==
            Approx(slope(*x.rows().at(batch, row, f), loss)).epsilon(1e-3).margin(1e-5));
    }
  }
}

}  // namespace

TEST_CASE("naive attention's derivatives agree with finite differences") {
  using enum MaskKind;
  for (const AttentionCase& c : {AttentionCase{{2, 4, 2, 5, 7, 3, 2}, none, 1.3},
                                 {{2, 4, 2, 5, 7, 3, 2}, causal, 1.3},
                                 {{2, 2, 2, 5, 5, 3, 2}, none, -0.8, 1},
                                 {{2, 4, 1, 5, 7, 3, 2}, padding, 1.3},
                                 {{2, 4, 1, 5, 7, 3, 2}, causal_right_padding, 1.3},
                                 {{2, 4, 2, 5, 7, 3, 2}, packed, 1.3},
                                 {{2, 4, 2, 5, 7, 3, 2}, causal, 1.3, 0, 0.4}}) {
    INFO(c.text());
    AttentionProblem<double> p(c);
    AttentionResult<double> r(c, 10);
    run_naive(p, r);
    std::vector<double> learned{p.input.sharpness};
    const auto loss = [&] {
      p.input.sharpness = learned[0];
      AttentionResult<double> result(c, 10);
      kernels::attention_forward_naive(p.input, result.out.rows());
      double sum = 0;
      for (Index b = 0; b < c.size.batch; ++b) {
        for (Index i = 0; i < c.size.queries; ++i) {
          for (Index f = 0; f < c.size.heads * c.size.value_dim; ++f) {
            sum += *result.out.rows().at(b, i, f) * *p.d_out.rows().at(b, i, f);
          }
        }
      }
      return sum;
    };
    check_derivatives(p.q, r.dq, c.size.heads * c.size.head_dim, loss);
    check_derivatives(p.k, r.dk, c.size.kv_heads * c.size.head_dim, loss);
    check_derivatives(p.v, r.dv, c.size.kv_heads * c.size.value_dim, loss);
    CHECK(r.d_sharpness == Approx(slope(learned[0], loss)).epsilon(1e-3).margin(1e-5));
  }
}

TEST_CASE("gradients pass through a mask that absorbs the scores") {
  const AttentionCase c{{1, 1, 1, 2, 2, 1, 1}, MaskKind::causal, 1.5};
  AttentionProblem<float> p(c);
  const std::int32_t key_valid[] = {0, 0};
  p.input.mask.key_valid = key_valid;
  AttentionResult<float> fast(c, 10), naive(c, 10);
  run_fast(p, fast);
  run_naive(p, naive);
  const auto& [q, k, v, d] = std::tie(p.q.values, p.k.values, p.v.values, p.d_out.values);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(fast.out.values[i] == Approx((v[0] + v[1]) / 2));
    // w = 1/2 each, so that dx = w (dw - Σ w dw) = ± d (v₀ - v₁) / 4
    const float dx = d[i] * (v[0] - v[1]) / 4;
    CHECK(fast.dq.values[i] == Approx(1.5F * dx * (k[0] - k[1])));
    CHECK(naive.dq.values[i] == Approx(1.5F * dx * (k[0] - k[1])));
  }
  CHECK(fast.d_sharpness == 0.0F);
  CHECK(naive.d_sharpness == 0.0F);
}

TEST_CASE("attention agrees with the naive form for awkward numbers of queries and keys under every mask") {
  for (const MaskKind mask : kAllMasks) {
    for (const int queries : {1, 2, 17, 63, 64, 65, 129}) {
      compare_with_naive<float>({{2, 2, 2, queries, queries, 8, 8}, mask, 1.3});
      compare_with_naive<float>({{1, 2, 1, queries, queries + 70, 3, 5}, mask, 0.7, 2});
    }
    compare_with_naive<float>({{1, 1, 1, 17, 300, 8, 8}, mask, 1});
    compare_with_naive<double>({{3, 2, 2, 65, 129, 8, 8}, mask, 1.3});
    compare_with_naive<double>({{1, 3, 1, 2, 64, 8, 8}, mask, 1.3});
  }
}

TEST_CASE("attention agrees with the naive form for every head dimension and group") {
  for (const int dim : {1, 3, 8, 35, 64, 70}) {
    for (const int group : {1, 2, 3}) {
      compare_with_naive<float>({{2, 2 * group, 2, 66, 66, dim, dim}, MaskKind::causal, 1});
      compare_with_naive<float>({{1, 2 * group, 2, 1, 33, dim, 71 - dim}, MaskKind::causal, 1, 3});
      compare_with_naive<double>({{1, group, 1, 18, 20, dim, 71 - dim}, MaskKind::additive, 1, 1});
    }
  }
}

TEST_CASE("attention agrees with the naive form for rows far apart") {
  compare_with_naive<float>({{1, 2, 1, 257, 260, 5, 6}, MaskKind::causal, 1, 510});
}

TEST_CASE("attention agrees with the naive form for any sharpness, and is never NaN") {
  for (const MaskKind mask : kAllMasks) {
    for (const double sharpness : {0.0, 1e-35, -1.0, -3.5, 20.0}) {
      compare_with_naive<float>({{2, 2, 1, 34, 34, 8, 4}, mask, sharpness});
      compare_with_naive<float>({{2, 2, 1, 1, 34, 8, 4}, mask, sharpness});
    }
  }
}

TEST_CASE("a query that sees one key passes exactly no gradient to it") {
  using enum MaskKind;
  for (const MaskKind mask : {causal, packed, causal_right_padding}) {
    for (const int tokens : {1, 3, 70}) {
      const AttentionCase c{{2, 4, 2, tokens, tokens, 37, 35}, mask, 1.3};
      INFO(c.text());
      AttentionProblem<float> p(c);
      for (Index b = 0; b < 2; ++b) {  // only the first query of a text has a loss
        std::fill_n(p.d_out.rows().at(b, 1, 0), (tokens - 1) * p.d_out.row_stride, 0.0F);
      }
      AttentionResult<float> r(c, 10);
      run_fast(p, r);
      CHECK(largest(r.dq.values) == 0);
      CHECK(largest(r.dk.values) == 0);
      CHECK(r.d_sharpness == 0);
    }
  }
}

TEST_CASE("attention with dropout agrees with the naive form under every mask") {
  for (const MaskKind mask : kAllMasks) {
    for (const int queries : {1, 17, 65, 130}) {
      compare_with_naive<float>({{2, 4, 2, queries, queries + 9, 8, 7}, mask, 1.3, 0, 0.3});
    }
    compare_with_naive<double>({{2, 2, 1, 70, 70, 5, 6}, mask, 1.3, 1, 0.5});
  }
}

TEST_CASE("dropout keeps the share of attention weights that it should, and scales them") {
  AttentionProblem<float> p({{2, 3, 3, 64, 64, 4, 4}, MaskKind::none, 1});
  std::vector<float> weights(2 * 3 * 64 * 64);
  std::vector<float> kept(weights.size());
  kernels::attention_weights(p.input, weights.data());
  p.input.dropout.emplace(Rng(5), 0.25);
  kernels::attention_weights(p.input, kept.data());
  double share = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK((kept[i] == 0 || kept[i] == Approx(weights[i] / 0.75)));
    share += (kept[i] != 0 ? 1.0 : 0.0) / static_cast<double>(kept.size());
  }
  CHECK(share == Approx(0.75).margin(4 * std::sqrt(0.25 * 0.75 / static_cast<double>(kept.size()))));
}

TEST_CASE("attention adds to gradients or overwrites them, as asked") {
  compare_with_naive<float>({{2, 4, 2, 70, 70, 9, 5}, MaskKind::causal, 1.5, 3}, true);
  compare_with_naive<float>({{2, 4, 2, 20, 70, 9, 5}, MaskKind::causal_left_padding, 1.5, 3}, true);
}

TEST_CASE("attention gives each gradient without the others") {
  const AttentionCase c{{2, 2, 1, 40, 50, 6, 7}, MaskKind::causal, 1.2};
  AttentionProblem<float> p(c);
  AttentionResult<float> all(c, 10);
  run_fast(p, all);
  for (int wanted = 0; wanted < 4; ++wanted) {
    AttentionResult<float> one(c, 20);
    auto gradients = one.gradients();
    if (wanted != 0) gradients.dq = {};
    if (wanted != 1) gradients.dk = {};
    if (wanted != 2) gradients.dv = {};
    if (wanted != 3) gradients.d_sharpness = nullptr;
    kernels::attention_backward(p.input, std::as_const(all.out).rows(), {all.statistics.data()},
                                std::as_const(p.d_out).rows(), gradients);
    CHECK((one.dq.values == all.dq.values) == (wanted == 0));
    CHECK((one.dk.values == all.dk.values) == (wanted == 1));
    CHECK((one.dv.values == all.dv.values) == (wanted == 2));
    CHECK((one.d_sharpness == all.d_sharpness) == (wanted == 3));
  }
}

TEST_CASE("a query that sees no key looks at all keys alike, later ones included") {
  const AttentionCase c{{1, 1, 1, 4, 4, 3, 2}, MaskKind::causal, 2.5};
  AttentionProblem<float> p(c);
  const std::int32_t key_valid[] = {0, 0, 1, 1};
  p.input.mask.key_valid = key_valid;
  std::vector<float> weights(16);
  kernels::attention_weights(p.input, weights.data());
  for (int i = 0; i < 8; ++i) CHECK(weights[static_cast<std::size_t>(i)] == 0.25F);
  CHECK(std::vector<float>(weights.begin() + 8, weights.begin() + 12) == std::vector<float>{0, 0, 1, 0});
  CHECK((weights[12] == 0 && weights[13] == 0 && weights[14] + weights[15] == Approx(1)));
}

TEST_CASE("a large negative mask absorbs the scores it is added to") {
  const AttentionCase c{{1, 1, 1, 2, 3, 3, 2}, MaskKind::none, 1};
  AttentionProblem<float> p(c);
  const float additive[] = {-1e9F, -1e9F, -2e9F, -1e9F, 0, -1e9F};
  p.input.mask.additive = additive;
  p.input.mask.additive_row_stride = 3;
  std::vector<float> weights(6);
  kernels::attention_weights(p.input, weights.data());
  CHECK(weights == std::vector<float>{0.5F, 0.5F, 0, 0, 1, 0});
}

TEST_CASE("dense attention weights and their derivatives agree with the naive form") {
  for (const MaskKind mask : kAllMasks) {
    for (const int queries : {1, 17, 65, 130}) {
      const double dropout = queries == 65 ? 0.3 : 0;
      const AttentionCase c{{2, 4, 2, queries, queries + queries % 2, 5, 0}, mask, 1.3, 1, dropout};
      INFO(c.text());
      AttentionProblem<float> p(c);
      AttentionResult<float> fast(c, 10), naive(c, 10);
      const auto count = static_cast<std::size_t>(c.size.batch * c.size.heads * c.size.queries * c.size.keys);
      std::vector<float> weights(count, 7), expected(count),
          d_weights(RandomRows<float>(1, 1, Index(count), 0, 5).values);
      kernels::attention_weights(p.input, weights.data(), {fast.statistics.data()});
      kernels::attention_weights_naive(p.input, expected.data());
      auto fast_gradients = fast.gradients(), naive_gradients = naive.gradients();
      fast_gradients.dv = naive_gradients.dv = {};
      kernels::attention_weights_backward(p.input, weights.data(), {fast.statistics.data()}, d_weights.data(),
                                          fast_gradients);
      kernels::attention_weights_backward_naive(p.input, d_weights.data(), naive_gradients);
      p.input.size.value_dim = 1;  // dw is a product of one factor
      p.v.values.assign(1, 1);
      p.d_out.values = d_weights;
      const Tolerance tolerance = tolerance_of(p);
      CHECK(largest_difference(weights, expected) <= tolerance.weights);
      CHECK(largest_difference(fast.dq.values, naive.dq.values) <= tolerance.dq);
      CHECK(largest_difference(fast.dk.values, naive.dk.values) <= tolerance.dk);
      CHECK(std::abs(static_cast<double>(fast.d_sharpness - naive.d_sharpness)) <= tolerance.d_sharpness);
    }
  }
}

TEST_CASE("one query gives what it gives among others") {
  for (const MaskKind mask : {MaskKind::causal, MaskKind::causal_right_padding}) {
    const AttentionCase c{{2, 6, 2, 80, 80, 35, 19}, mask, 1.1};
    AttentionProblem<float> p(c);
    AttentionResult<float> all(c, 10);
    kernels::attention_forward(p.input, all.out.rows());
    const double tolerance = tolerance_of(p).out;
    p.input.q.data = p.input.q.at(0, 79, 0);
    p.input.size.queries = 1;
    AttentionResult<float> one({p.input.size}, 10);
    kernels::attention_forward(p.input, one.out.rows());
    for (Index b = 0; b < 2; ++b) {
      for (Index n = 0; n < 6 * 19; ++n) {
        CHECK(std::abs(*one.out.rows().at(b, 0, n) - *all.out.rows().at(b, 79, n)) <= tolerance);
      }
    }
  }
}

TEST_CASE("attention gives the same bits for any number of threads") {
  for (const AttentionCase& c : {AttentionCase{{3, 6, 3, 200, 210, 12, 9}, MaskKind::causal, 1.3},
                                 AttentionCase{{1, 6, 6, 300, 300, 12, 9}, MaskKind::causal_left_padding, 1.3},
                                 AttentionCase{{2, 6, 2, 1, 3000, 16, 16}, MaskKind::causal, 1.3},
                                 AttentionCase{{2, 6, 2, 100, 130, 12, 9}, MaskKind::packed, 1.3, 0, 0.3}}) {
    AttentionProblem<float> p(c);
    CHECK(same_bits_for_any_thread_count([&] {
      AttentionResult<float> r(c, 10);
      run_fast(p, r);
      std::vector<float> results{r.d_sharpness};
      for (const auto* part : {&r.out.values, &r.dq.values, &r.dk.values, &r.dv.values}) {
        results.insert(results.end(), part->begin(), part->end());
      }
      return results;
    }));
  }
}

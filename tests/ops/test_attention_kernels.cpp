// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/attention/attention_dense.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/attention/attention_naive.hpp"

#include "ops/attention_checks.hpp"
#include "ops/attention_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

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
    for (const auto& [heads, kv_heads] :
         {std::pair<Index, Index>{6, 2}, {3, 3}, {19, 1}}) {  // 19 are more than a group
      const AttentionCase c{{2, heads, kv_heads, 80, 80, 35, 19}, mask, 1.1};
      AttentionProblem<float> p(c);
      AttentionResult<float> all(c, 10);
      kernels::attention_forward(p.input, all.out.rows());
      const double tolerance = tolerance_of(p).out;
      p.input.q.data = p.input.q.at(0, 79, 0);
      p.input.size.queries = 1;
      AttentionResult<float> one({p.input.size}, 10);
      kernels::attention_forward(p.input, one.out.rows());
      for (Index b = 0; b < 2; ++b) {
        for (Index n = 0; n < heads * 19; ++n) {
          CHECK(std::abs(*one.out.rows().at(b, 0, n) - *all.out.rows().at(b, 79, n)) <= tolerance);
        }
      }
    }
  }
}

TEST_CASE("attention gives the same bits for any number of threads") {
  for (const AttentionCase& c : {AttentionCase{{3, 6, 3, 200, 210, 12, 9}, MaskKind::causal, 1.3},
                                 AttentionCase{{1, 6, 6, 300, 300, 12, 9}, MaskKind::causal_left_padding, 1.3},
                                 AttentionCase{{2, 6, 2, 1, 3000, 16, 16}, MaskKind::causal, 1.3},
                                 AttentionCase{{1, 19, 1, 1, 3000, 16, 16}, MaskKind::causal, 1.3},
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

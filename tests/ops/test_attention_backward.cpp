// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_naive.hpp"

#include "ops/attention_checks.hpp"
#include "ops/attention_problem.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

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

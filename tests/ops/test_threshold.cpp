// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/adjacency/adjacency_naive.hpp"
#include "weft/ops/adjacency/adjacency_rows.hpp"

#include "ops/attention_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::kernels;
using weft::testing::AttentionCase;
using weft::testing::AttentionProblem;
using weft::testing::kAllMasks;
using weft::testing::largest_difference;
using weft::testing::MaskKind;

namespace {

inline constexpr ThresholdMode kAllModes[] = {ThresholdMode::none,
                                              ThresholdMode::silu,
                                              ThresholdMode::relu,
                                              ThresholdMode::softplus,
                                              ThresholdMode::sharp_softplus,
                                              ThresholdMode::sigmoid_elementwise,
                                              ThresholdMode::flowthreshold,
                                              ThresholdMode::binary,
                                              ThresholdMode::top_k,
                                              ThresholdMode::scaled_topk_causal_4d,
                                              ThresholdMode::silu_plus_binary,
                                              ThresholdMode::silu_below_binary_above,
                                              ThresholdMode::relu_below_binary_above,
                                              ThresholdMode::softplus_below_binary_above};

/// One row at the end of its keys, so that nothing is cut.
template <class T>
std::vector<T> row_of(const ThresholdOptions& options, T t, const std::vector<T>& a) {
  std::vector<T> p(a.size());
  const auto count = static_cast<Index>(a.size());
  threshold_rows(options, t, AdjacencyRowsSize{1, count, count - 1}, a.data(), p.data());
  return p;
}

}  // namespace

TEST_CASE("threshold modes have their known values") {
  const std::vector<float> a{0, 0.05F, 0.15F, 0.2F, 0.25F, 0.9F, 1};
  const std::pair<ThresholdMode, std::vector<float>> expected[] = {
      {ThresholdMode::silu, {-0.0900332F, -0.0693855F, -0.0243751F, 0, 0.0256249F, 0.4677314F, 0.5519796F}},
      {ThresholdMode::softplus, {0.5981389F, 0.6209571F, 0.6684597F, 0.6931472F, 0.7184597F, 1.103186F, 1.1711006F}},
      {ThresholdMode::sharp_softplus,
       {0.0126928F, 0.0201413F, 0.0474077F, 0.0693147F, 0.0974077F, 0.7000912F, 0.8000336F}},
      {ThresholdMode::sigmoid_elementwise,
       {0.1192029F, 0.1824255F, 0.3775407F, 0.5F, 0.6224594F, 0.999089F, 0.9996647F}},
      {ThresholdMode::flowthreshold,
       {2.27e-05F, 0.0003108F, 0.0515213F, 0.3655293F, 0.7183355F, 0.9890131F, 0.9933072F}},
      {ThresholdMode::binary, {0, 0, 0, 0, 1, 1, 1}}};
  for (const auto& [mode, values] : expected) {
    INFO("mode " << static_cast<int>(mode));
    CHECK(largest_difference(row_of({.mode = mode}, 0.2F, a), values) < 1e-6);
  }
}

TEST_CASE("threshold rows agree with their definition") {
  const Rng rng(3);
  for (const ThresholdMode mode : kAllModes) {
    for (const Index columns : {1, 2, 7, 17, 33}) {
      for (const Index rows : {Index{1}, columns}) {
        ThresholdOptions options{.mode = mode, .binary_scale = 0.7, .top_k_fraction = 0.3};
        options.topk_ties = TopKTies::lowest_index;
        options.drop_below_threshold = columns % 2 == 1;
        const AdjacencyRowsSize size{rows, columns, columns - rows};
        std::vector<double> a;
        for (Index i = 0; i < rows * columns; ++i) a.push_back(rng.uniform(static_cast<std::uint64_t>(i)));
        std::vector<double> p(a.size());
        std::vector<double> expected;
        threshold_rows(options, 0.4, size, a.data(), p.data());
        for (Index r = 0; r < rows; ++r) {
          const auto from = a.begin() + r * columns;
          const auto row =
              threshold_row_naive(options, 0.4, std::vector<double>(from, from + columns), size.position + r);
          expected.insert(expected.end(), row.begin(), row.end());
        }
        INFO("mode " << static_cast<int>(mode) << " columns " << columns << " rows " << rows);
        CHECK(largest_difference(p, expected) < 1e-14);
      }
    }
  }
}

TEST_CASE("the derivatives of threshold modes agree with finite differences") {
  const Index columns = 5;
  const AdjacencyRowsSize size{3, columns, 1};
  const double step = 1e-6;
  for (const ThresholdMode mode : kAllModes) {
    const ThresholdOptions options{.mode = mode, .binary_scale = 0.7};
    std::vector<double> a{0.1, 0.9, 0.4, -0.3, 0.7, 0.25, 0.15, 3, -2, 0.3, 0.6, 0.05, 0.45, 0.05, 0.95};
    const std::vector<double> weights{1, -2, 3, 0.5, 1.5, -1, 2, 1, 0.25, -0.5, 1.25, -1.5, 2.5, 3.5, -0.75};
    const auto loss = [&](double t) {
      std::vector<double> p(a.size());
      threshold_rows(options, t, size, a.data(), p.data());
      return std::inner_product(p.begin(), p.end(), weights.begin(), 0.0);
    };
    std::vector<double> d = weights;
    const double dt = threshold_rows_backward(options, 0.2, size, a.data(), d.data());
    INFO("mode " << static_cast<int>(mode));
    CHECK(dt == Approx((loss(0.2 + step) - loss(0.2 - step)) / (2 * step)).margin(1e-7));
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double before = a[i];
      a[i] = before + step;
      const double above = loss(0.2);
      a[i] = before - step;
      const double below = loss(0.2);
      a[i] = before;
      CHECK(d[i] == Approx((above - below) / (2 * step)).margin(1e-7));
    }
  }
}

TEST_CASE("threshold modes stay finite where scores are masked by the smallest number") {
  const std::vector<float> masked(3, std::numeric_limits<float>::lowest());
  for (const ThresholdMode mode : kAllModes) {
    if (mode == ThresholdMode::none) continue;
    const ThresholdOptions options{.mode = mode};
    std::vector<float> d(3, 1.0F);
    const double dt = threshold_rows_backward(options, 0.2F, AdjacencyRowsSize{1, 3, 2}, masked.data(), d.data());
    INFO("mode " << static_cast<int>(mode));
    CHECK(std::isfinite(dt));
    for (const float value : row_of(options, 0.2F, masked)) CHECK(std::isfinite(value));
    for (const float value : d) CHECK(std::isfinite(value));
  }
}

TEST_CASE("the number of entries that the top-k modes take follows the fraction") {
  const auto count = [](const std::vector<double>& p) { return std::count(p.begin(), p.end(), 1.0); };
  std::vector<double> a;
  for (int i = 0; i < 20; ++i) a.push_back((i * 7 % 20) / 20.0);
  for (const double fraction : {0.01, 0.3, 0.35, 1.0}) {
    ThresholdOptions options{.mode = ThresholdMode::top_k, .top_k_fraction = fraction};
    CHECK(count(row_of(options, 0.0, a)) == std::max(1, static_cast<int>(20 * fraction)));
    options.mode = ThresholdMode::scaled_topk_causal_4d;
    CHECK(count(row_of(options, 0.0, a)) == static_cast<int>(std::ceil(19 * fraction)));
    // A threshold that nothing passes removes no entry, unless it is asked to.
    CHECK(count(row_of(options, 2.0, a)) == static_cast<int>(std::ceil(19 * fraction)));
    options.drop_below_threshold = true;
    CHECK(count(row_of(options, 2.0, a)) == 0);
  }
  CHECK(row_of({.mode = ThresholdMode::scaled_topk_causal_4d}, 0.0, std::vector<double>{0.5}) ==
        std::vector<double>{0});
}

#ifdef __GLIBCXX__
TEST_CASE("equal entries are taken as PyTorch takes them on a CPU, or from the front") {
  const auto taken = [](Index count, Index k, TopKTies ties, std::vector<float> values = {}) {
    values.resize(static_cast<std::size_t>(count));
    std::vector<RankedEntry<float>> entries;
    for (Index i = 0; i < count; ++i) entries.push_back({values[static_cast<std::size_t>(i)], i});
    select_top_k(entries.data(), count, k, ties);
    std::vector<Index> indices;
    for (Index i = 0; i < k; ++i) indices.push_back(entries[static_cast<std::size_t>(i)].index);
    std::sort(indices.begin(), indices.end());
    return indices;
  };
  using Indices = std::vector<Index>;
  CHECK(taken(5, 2, TopKTies::libstdcxx) == Indices{2, 4});
  CHECK(taken(8, 3, TopKTies::libstdcxx) == Indices{4, 5, 6});
  CHECK(taken(16, 4, TopKTies::libstdcxx) == Indices{9, 10, 11, 12});
  CHECK(taken(40, 14, TopKTies::libstdcxx) == Indices{21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 35, 36, 37, 38});
  CHECK(taken(200, 3, TopKTies::libstdcxx) == Indices{0, 1, 2});
  CHECK(taken(10, 4, TopKTies::libstdcxx, {0, 0, 0.5F, 0, 0, 0.4F}) == Indices{2, 5, 7, 8});
  CHECK(taken(40, 4, TopKTies::lowest_index) == Indices{0, 1, 2, 3});
  CHECK(taken(10, 4, TopKTies::lowest_index, {0, 0, 0.5F, 0, 0, 0.4F}) == Indices{0, 1, 2, 5});
  CHECK(taken(4, 1, TopKTies::lowest_index, {1, std::nanf(""), 2}) == Indices{1});
}
#endif

TEST_CASE("blocks of a processed adjacency agree with their definition under every mask") {
  const AttentionSize sizes[] = {
      {1, 1, 1, 1, 1, 4, 3}, {2, 4, 2, 7, 7, 6, 3}, {1, 2, 1, 3, 9, 4, 2}, {1, 1, 1, 70, 70, 2, 1}};
  for (const AttentionSize& size : sizes) {
    for (const MaskKind mask : kAllMasks) {
      for (const int rule : {0, 1, 2, 3, 4, 5, 6, 7}) {
        const double sharpness = rule == 2 ? -1.5 : 1.5;
        const AttentionCase c{size, mask, sharpness, 1};
        const AttentionProblem<double> problem(c);
        AdjacencyInput<double> in{problem.input, {}, 0.1};
        in.rules.threshold.topk_ties = TopKTies::lowest_index;
        in.rules.threshold.respects_mask = rule == 3 || rule == 4;
        in.rules.mask_after_scaling = rule == 4 || rule == 5;
        if (rule >= 6) in.rules.weights = rule == 6 ? AdjacencyWeights::relu : AdjacencyWeights::raw;
        for (const ThresholdMode mode : kAllModes) {
          if (in.rules.weights == AdjacencyWeights::raw && mode == ThresholdMode::none) continue;
          if (in.attention.mask.first_key != nullptr && mode == ThresholdMode::top_k) continue;
          in.rules.threshold.mode = mode;
          in.rules.threshold.top_k_fraction = 0.4;
          double worst = 0;
          for_each_adjacency_block(in, [&](const AdjacencyRows<double>& rows, const AdjacencyBlock& block) {
            for (Index r = 0; r < block.count; ++r) {
              const auto expected = adjacency_row_naive(in, block.batch, block.head, block.first + r);
              for (Index j = 0; j < size.keys; ++j) {
                const Index at = r * block.width + j;
                const double found = j < block.width ? rows.p()[at] : 0;
                worst = std::max(worst, std::abs(found - expected.p[static_cast<std::size_t>(j)]));
                if (in.rules.weights == AdjacencyWeights::raw) continue;
                const double weight = j < block.width ? rows.a()[at] : 0;
                worst = std::max(worst, std::abs(weight - expected.a[static_cast<std::size_t>(j)]));
              }
            }
          });
          INFO(c.text() << " rule " << rule << " mode " << static_cast<int>(mode));
          CHECK(worst < 1e-12);
        }
      }
    }
  }
}

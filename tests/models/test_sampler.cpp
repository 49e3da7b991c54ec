// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <set>
#include <span>
#include <vector>

#include "weft/models/sampler.hpp"

#include "support/catch.hpp"

using namespace weft;

TEST_CASE("the sampler keeps what its filters keep") {
  const std::vector<float> logits{0.0F, 3.0F, 2.0F, 1.0F};
  const auto seen = [&](SamplingOptions options) {
    options.sample = true;
    Sampler sampler(4, options);
    std::set<Index> tokens;
    for (int i = 0; i < 300; ++i) tokens.insert(sampler(std::span<const float>(logits)));
    return tokens;
  };
  CHECK(seen({}) == std::set<Index>{0, 1, 2, 3});
  CHECK(seen({.top_k = 2}) == std::set<Index>{1, 2});
  // softmax: 0.644, 0.237, 0.087, 0.032: two tokens reach 0.8, one reaches 0.6
  CHECK(seen({.top_p = 0.8}) == std::set<Index>{1, 2});
  CHECK(seen({.top_p = 0.6}) == std::set<Index>{1});
  // as shares of the best: 1, 0.368, 0.135, 0.050
  CHECK(seen({.min_p = 0.1}) == std::set<Index>{1, 2, 3});
  CHECK(seen({.min_p = 0.3}) == std::set<Index>{1, 2});
  CHECK(seen({.min_p = 1}) == std::set<Index>{1});
  CHECK(seen({.temperature = 2, .min_p = 0.2}) == std::set<Index>{0, 1, 2, 3});
  CHECK(seen({.top_k = 3, .min_p = 0.01}) == std::set<Index>{1, 2, 3});
  CHECK(seen({.temperature = 0.01}) == std::set<Index>{1});
  Sampler greedy(4, {});
  CHECK(greedy(std::span<const float>(logits)) == 1);
}

TEST_CASE("tokens that the text has are penalised once, whatever the sign of their scores") {
  const std::vector<float> logits{-1.0F, 3.0F, 2.0F, -0.5F};
  const auto best = [&](double penalty, const std::vector<std::int32_t>& text, const std::vector<float>& scores) {
    Sampler sampler(4, {.repetition_penalty = penalty});
    return sampler(std::span<const float>(scores), text);
  };
  CHECK(best(1.4, {}, logits) == 1);
  CHECK(best(1.4, {1, 1, 1}, logits) == 1);  // 2.14, still above 2
  CHECK(best(1.6, {1}, logits) == 2);        // 1.875
  CHECK(best(1.6, {1, 2}, logits) == 1);
  CHECK(best(1, {1}, logits) == 1);
  CHECK(best(0.5, {2}, logits) == 2);                      // below 1 tokens come again rather
  CHECK(best(3, {3}, {-1.0F, -2.0F, -3.0F, -0.5F}) == 0);  // -1.5
  CHECK_THROWS_WITH(best(2, {4}, logits), "Sampler: the text must have tokens from 0 to 3, found 4");
  CHECK_THROWS_WITH(best(2, {-1}, logits), "Sampler: the text must have tokens from 0 to 3, found -1");
  Sampler drawing(4, {.sample = true, .top_k = 1, .repetition_penalty = 1.6});
  CHECK(drawing(std::span<const float>(logits), std::vector<std::int32_t>{1}) == 2);
}

TEST_CASE("sampling follows the probabilities") {
  const std::vector<float> logits{0.0F, std::log(3.0F)};
  Sampler sampler(2, {.sample = true, .seed = 5});
  int ones = 0;
  const int draws = 20000;
  for (int i = 0; i < draws; ++i) ones += static_cast<int>(sampler(std::span<const float>(logits)));
  CHECK(ones == Approx(0.75 * draws).margin(5 * std::sqrt(0.1875 * draws)));  // five standard deviations
}

TEST_CASE("sampling options outside of their range are refused") {
  CHECK_THROWS_WITH(Sampler(4, {.temperature = 0}), Catch::Matchers::ContainsSubstring("temperature must be positive"));
  CHECK_THROWS_WITH(Sampler(4, {.top_k = -1}), "SamplingOptions: top_k must not be negative, found -1");
  CHECK_THROWS_WITH(Sampler(4, {.top_p = 0}), Catch::Matchers::ContainsSubstring("top_p must be in (0, 1]"));
  CHECK_THROWS_WITH(Sampler(4, {.min_p = 1.5}), "SamplingOptions: min_p must be in [0, 1], found 1.5");
  CHECK_THROWS_WITH(Sampler(4, {.repetition_penalty = 0}),
                    "SamplingOptions: repetition_penalty must be positive and finite, found 0");
  Sampler sampler(4, {});
  CHECK_THROWS_WITH(sampler(std::span<const float>(std::vector<float>(3))),
                    "Sampler: made for 4 tokens, found 3 scores");
}

TEST_CASE("scores that leave no choice are refused, masked ones are never chosen") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto choose = [](const std::vector<float>& logits, const SamplingOptions& options) {
    Sampler sampler(static_cast<Index>(logits.size()), options);
    std::set<Index> tokens;
    for (int i = 0; i < 100; ++i) tokens.insert(sampler(std::span<const float>(logits)));
    return tokens;
  };
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{.sample = true}, SamplingOptions{.sample = true, .top_k = 2},
        SamplingOptions{.sample = true, .top_p = 0.9}}) {
    CHECK_THROWS_WITH(choose({nan, 1, 2}, options), "Sampler: the highest score must be finite, found nan for token 0");
    CHECK_THROWS_WITH(choose({1, nan, 2}, options), "Sampler: the highest score must be finite, found nan for token 1");
    CHECK_THROWS_WITH(choose({1, infinity, 2}, options),
                      "Sampler: the highest score must be finite, found inf for token 1");
    CHECK_THROWS_WITH(choose({-infinity, -infinity}, options),
                      "Sampler: the highest score must be finite, found -inf for token 0");
    CHECK(choose({-infinity, 1, -infinity}, options) == std::set<Index>{1});
    CHECK_THROWS_WITH(Sampler(0, options), "Sampler: needs at least one token to choose from, found 0");
  }
  CHECK(choose({1, 5, 2}, {.sample = true, .temperature = 1e-310}) == std::set<Index>{1});
  CHECK(choose({1, 5, 2}, {.sample = true, .temperature = 1e-310, .top_p = 0.9}) == std::set<Index>{1});
}

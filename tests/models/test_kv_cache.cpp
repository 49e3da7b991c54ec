// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "weft/models/generate.hpp"

#include "models/tiny_models.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("cached logits equal the uncached ones for every split of a text", "", TinyLlama, TinyGIN,
                   TinyHops) {
  const auto model = random_model<TestType>(1);
  constexpr Index kTokens = 12;
  const auto ids = random_ids(2, kTokens, 2);
  Inference inference;
  const auto whole = model(inference, ids);
  const std::vector<float> expected(whole.data(), whole.data() + whole.size());
  for (Index split = 1; split < kTokens; ++split) {
    auto cache = model.make_cache(2, kTokens);
    const auto part = [&](Index begin, Index count) {
      Ids slice(Shape<Dyn, Dyn>(2, count));
      for (Index b = 0; b < 2; ++b) {
        for (Index t = 0; t < count; ++t) slice(b, t) = ids(b, begin + t);
      }
      inference.reset();
      const auto logits = model(inference, slice, {}, &cache);
      for (Index b = 0; b < 2; ++b) {
        for (Index t = 0; t < count; ++t) {
          for (Index v = 0; v < 23; ++v) {
            const auto at = static_cast<std::size_t>((b * kTokens + begin + t) * 23 + v);
            REQUIRE(logits(b, t, v) == Approx(expected[at]).margin(1e-4));
          }
        }
      }
    };
    part(0, split);
    for (Index t = split; t < kTokens; ++t) part(t, 1);
    CHECK(cache.length() == kTokens);
  }
}

TEST_CASE("a cache refuses overflow and stays as it is") {
  const auto model = random_model<TinyGIN>(1);
  auto cache = model.make_cache(1, 4);
  Inference inference;
  model(inference, random_ids(1, 3, 2), {}, &cache);
  CHECK_THROWS_WITH(model(inference, random_ids(1, 2, 2), {}, &cache),
                    "KVCache: 2 more tokens do not fit: 3 of 4 are taken");
  CHECK(cache.length() == 3);
  CHECK_THROWS_WITH(model(inference, random_ids(2, 1, 2), {}, &cache),
                    "model(context, ids, cache): the cache holds 1 texts, ids 2");
  CHECK_THROWS_WITH(cache.truncate(4), "KVCache: truncate(tokens) needs 0 <= tokens <= 3, found 4");
  CHECK_THROWS_WITH(model.make_cache(1, 0), "KVCache: layers, batch and capacity must be positive, found 2, 1, 0");
}

TEST_CASE("a cache that no memory can hold is refused before any is taken") {
  const auto model = random_model<TinyGIN>(1);
  CHECK_THROWS_WITH(model.make_cache(-1, -3), "KVCache: layers, batch and capacity must be positive, found 2, -1, -3");
  CHECK_THROWS_WITH(model.make_cache(1, Index{1} << 59),
                    "Tensor: shape [2, 1, 576460752303423488, 48] of 4-byte elements is larger than any memory");
  CHECK_THROWS_WITH(RowCache<float>(Index{1} << 40, Index{1} << 24, 2),
                    "RowCache: shape [1099511627776, 16777216, 2] of 4-byte elements is larger than any memory");
}

TEST_CASE("a truncated cache continues differently but correctly") {
  const auto model = random_model<TinyGIN>(1);
  const auto ids = random_ids(1, 6, 2);
  auto cache = model.make_cache(1, 6);
  Inference inference;
  const auto first = model(inference, ids, {}, &cache);
  const std::vector<float> expected(first.data(), first.data() + first.size());
  cache.truncate(4);
  Ids rest(Shape<Dyn, Dyn>(1, 2));
  rest(0, 0) = ids(0, 4);
  rest(0, 1) = ids(0, 5);
  const auto again = model(inference, rest, {}, &cache);
  for (Index v = 0; v < 23; ++v)
    CHECK(again(0, 1, v) == Approx(expected[static_cast<std::size_t>(5 * 23 + v)]).margin(1e-5));
}

TEST_CASE("a cache serves inference only") {
  const auto model = random_model<TinyGIN>(1);
  auto cache = model.make_cache(1, 4);
  Tape tape;
  CHECK_THROWS_WITH(model(tape, random_ids(1, 2, 2), {}, &cache),
                    "model(tape, ids, cache): a cache serves inference only; use an Inference context");
}

namespace {

/// Every token beyond the eighth changes its rotary frequencies.
struct TinyDynamicRope {
  static constexpr LlamaConfig llama = [] {
    LlamaConfig config = TinyLlama::llama;
    config.max_position_embeddings = 8;
    config.rope_scaling = {.type = RopeType::dynamic, .factor = 2};
    return config;
  }();
  static constexpr GNNConfig gnn{};
};

}  // namespace

TEST_CASE("a model whose rotary frequencies follow the text's length has no cache, and recomputes without allocating") {
  const auto model = random_model<TinyDynamicRope>(7);
  CHECK(!model.incremental());
  CHECK_THROWS_WITH(model.make_cache(1, 16), Catch::Matchers::ContainsSubstring("its rotary scaling is dynamic"));
  const auto ids = random_ids(1, 40, 2);
  Inference context;
  const auto run = [&](Index tokens) {
    context.reset();
    return model(context, TensorView<const std::int32_t, Shape<Dyn, Dyn>>(ids.data(), Shape<Dyn, Dyn>(1, tokens)));
  };
  const auto grow = [&] {
    for (Index tokens = 1; tokens <= 40; ++tokens) run(tokens);
  };
  grow();
  grow();  // what the first text left in several blocks is one now
  const auto before = allocations();
  grow();
  CHECK(allocations() == before);
}

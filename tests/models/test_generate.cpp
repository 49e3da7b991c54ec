// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <set>

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

TEST_CASE("what cannot be continued is refused with a sentence") {
  const auto model = random_model<TinyGIN>(7);
  const std::vector<std::int32_t> none;
  const std::vector<std::int32_t> prompt{3, 1};
  CHECK_THROWS_WITH(
      generate(model, none, {.max_new_tokens = 3}),
      "generate(model, prompt): the prompt must have at least one token, the model's bos_token_id for instance");
  CHECK_THROWS_WITH(generate(model, prompt, {.max_new_tokens = std::numeric_limits<Index>::max()}),
                    "generate(model, prompt): a prompt of 2 tokens and max_new_tokens = 9223372036854775807 are more "
                    "tokens than can be counted");
  CHECK_THROWS_WITH(generate(model, prompt, {.max_new_tokens = std::numeric_limits<Index>::max() - 2}),
                    Catch::Matchers::ContainsSubstring("larger than any memory"));
  CHECK_THROWS_WITH(Generator(model, 0), "Generator(model, capacity): capacity must be positive, found 0");
  Generator generator(model, 3);
  CHECK_THROWS_WITH(generator.read(none), "Generator::read(tokens): the text needs at least one token");
  generator.read(prompt);
  CHECK(generator.text().size() == 2);
  CHECK_THROWS_WITH(generator.read(prompt), "Generator::read(tokens): 2 more tokens do not fit: 2 of 3 are taken");
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

TEST_CASE("greedy generation takes the best token of the uncached logits each time") {
  const auto model = random_model<TinyGIN>(7);
  std::vector<std::int32_t> text{3, 1, 4};
  const auto generated = generate(model, text, {.max_new_tokens = 8, .stop_at_eos = false});
  for (const std::int32_t token : generated) {
    Ids ids(Shape<Dyn, Dyn>(1, static_cast<Index>(text.size())));
    std::copy(text.begin(), text.end(), ids.data());
    Inference inference;
    const auto logits = model(inference, ids);
    const float* last = logits.data() + logits.size() - 23;
    CHECK(token == std::max_element(last, last + 23) - last);
    text.push_back(token);
  }
  CHECK(generated.size() == 8);
}

TEST_CASE("sampling repeats itself for a seed and differs between seeds") {
  const auto model = random_model<TinyGIN>(7);
  const std::vector<std::int32_t> prompt{3};
  const auto with_seed = [&](std::uint64_t seed) {
    return generate(
        model, prompt,
        {.max_new_tokens = 30, .sampling = {.sample = true, .temperature = 1.5, .seed = seed}, .stop_at_eos = false});
  };
  CHECK(with_seed(1) == with_seed(1));
  CHECK(with_seed(1) != with_seed(2));
}

TEST_CASE("generation stops at a stop token and where a callback says so") {
  const auto model = random_model<TinyGIN>(7);
  const std::vector<std::int32_t> prompt{3};
  const auto all = generate(model, prompt, {.max_new_tokens = 6, .stop_at_eos = false});
  const auto stop = Index{all[2]};
  const auto first = std::find(all.begin(), all.end(), all[2]) - all.begin();
  CHECK(generate(model, prompt, {.max_new_tokens = 6, .stop_tokens = {stop}}).size() ==
        static_cast<std::size_t>(first + 1));
  int calls = 0;
  const auto three_more = [&](std::int32_t) { return ++calls < 4; };
  CHECK(generate(model, prompt, {.max_new_tokens = 6, .stop_at_eos = false}, three_more).size() == 4);
  CHECK(generate(model, prompt, {.max_new_tokens = 0}).empty());
}

TEST_CASE("generation stops at the configuration's end of text, unless the caller says otherwise") {
  const std::vector<std::int32_t> prompt{3};
  const auto all = generate(random_model<TinyGIN>(7), prompt, {.max_new_tokens = 6, .stop_at_eos = false});
  REQUIRE(all.size() == 6);
  const std::int32_t end = all[2];
  const std::int32_t other = all[4] != end ? all[4] : all[5];
  const auto length_to = [&](std::int32_t token) {
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), token) - all.begin()) + 1;
  };
  LlamaConfig config = TinyGIN::llama;
  config.eos_token_id = {22, end};
  LlamaForCausalLMWithGNN<TinyGIN> model(config, TinyGIN::gnn, Rng(7));
  randomize_parameters(model, 7, 0.3);
  CHECK(generate(model, prompt, {.max_new_tokens = 6}).size() == length_to(end));
  CHECK(generate(model, prompt, {.max_new_tokens = 6}).back() == end);
  CHECK(generate(model, prompt, {.max_new_tokens = 6, .stop_at_eos = false}) == all);
  CHECK(generate(model, prompt, {.max_new_tokens = 6, .stop_tokens = {other}}).size() == length_to(other));
}

TEST_CASE("a callback for text is not called again once it has said stop") {
  struct Letters {
    struct Stream {
      std::string push(std::int32_t) const { return "x"; }
      std::string finish() const { return "end"; }
    };
    std::vector<std::int32_t> encode(std::string_view) const { return {3}; }
    Stream stream() const { return {}; }
  };
  const auto model = random_model<TinyGIN>(7);
  const GenerationOptions options{.max_new_tokens = 4, .stop_at_eos = false};
  int calls = 0;
  CHECK(generate(model, Letters{}, "", options, [&](std::string_view) { return ++calls < 2; }) == "xx");
  CHECK(calls == 2);
  CHECK(generate(model, Letters{}, "", options) == "xxxxend");
}

TEST_CASE("a steady-state decode step allocates nothing") {
  const auto model = random_model<TinyGIN>(7);
  Generator generator(model, 64, {.sample = true, .temperature = 0.9, .top_k = 10, .top_p = 0.9, .seed = 1});
  generator.read(std::vector<std::int32_t>{3, 1, 4});
  for (int warm = 0; warm < 3; ++warm) generator.next();
  const auto before = allocations();
  for (int step = 0; step < 40; ++step) generator.next();
  CHECK(allocations() == before);
}

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
  CHECK(seen({.temperature = 0.01}) == std::set<Index>{1});
  Sampler greedy(4, {});
  CHECK(greedy(std::span<const float>(logits)) == 1);
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

TEST_CASE("bytes become text again, and a stream gives whole characters only") {
  const ByteTokenizer tokenizer;
  const std::string text = "a\u00e9\u4e16\U0001F600!";
  const auto tokens = tokenizer.encode(text);
  CHECK(tokenizer.decode(tokens) == text);
  auto stream = tokenizer.stream();
  std::vector<std::string> pieces;
  for (const auto token : tokens) {
    if (auto piece = stream.push(token); !piece.empty()) pieces.push_back(piece);
  }
  CHECK(pieces == std::vector<std::string>{"a", "\u00e9", "\u4e16", "\U0001F600", "!"});
  CHECK(stream.push(0xF0).empty());
  CHECK(stream.finish() == "\xF0");
  CHECK(stream.push(0x80) == "\x80");  // no character begins so: passed on as it is
  CHECK_THROWS_WITH(tokenizer.decode(std::vector<std::int32_t>{256}),
                    "ByteTokenizer: a token must be in [0, 256), found 256");
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

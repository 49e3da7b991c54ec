// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <vector>

#include "weft/models/generate.hpp"

#include "models/tiny_models.hpp"
#include "support/allocation_counter.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

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
  CHECK_THROWS_WITH(Generator(model, 0), "Generator(model, capacity): capacity must be positive, found 0");
  Generator generator(model, 3);
  CHECK_THROWS_WITH(generator.read(none), "Generator::read(tokens): the text needs at least one token");
  generator.read(prompt);
  CHECK(generator.text().size() == 2);
  CHECK_THROWS_WITH(generator.read(prompt), "Generator::read(tokens): 2 more tokens do not fit: 2 of 3 are taken");
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

TEST_CASE("an answer takes room as it grows, and is the same for it") {
  const auto model = random_model<TinyGIN>(7);
  const std::vector<std::int32_t> prompt{3, 1, 4};
  const auto expected = generate(model, prompt, {.max_new_tokens = 30, .stop_at_eos = false});
  Generator generator(model, 3);
  generator.read(prompt);
  std::vector<Index> rooms;
  const auto note_room = [&](std::int32_t) {
    if (rooms.empty() || rooms.back() != generator.capacity()) rooms.push_back(generator.capacity());
    return true;
  };
  const GenerationOptions options{.max_new_tokens = 30, .stop_at_eos = false};
  CHECK(detail::take_tokens(generator, options, 32, note_room) == expected);
  CHECK(rooms == std::vector<Index>{6, 12, 24, 32});
  int given = 0;
  const auto two = generate(model, prompt, {.max_new_tokens = 1'000'000'000'000, .stop_at_eos = false},
                            [&](std::int32_t) { return ++given < 2; });
  CHECK(std::equal(two.begin(), two.end(), expected.begin()));
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

TEST_CASE("what is penalised is in the prompt or has been chosen") {
  const auto model = random_model<TinyGIN>(7);
  const std::vector<std::int32_t> prompt{3, 1, 4};
  Generator penalizing(model, 16, {.repetition_penalty = 1.5});
  penalizing.read(prompt);
  Generator plain(model, 16);
  std::vector<std::int32_t> text = prompt;
  for (int step = 0; step < 8; ++step) {
    const auto scores = plain.read(std::span(text).subspan(plain.text().size()));
    std::vector<float> expected(scores.begin(), scores.end());
    for (const std::int32_t token : std::set<std::int32_t>(text.begin(), text.end())) {
      float& score = expected[static_cast<std::size_t>(token)];
      score = score < 0 ? score * 1.5F : score / 1.5F;
    }
    const auto best = std::max_element(expected.begin(), expected.end()) - expected.begin();
    CHECK(penalizing.next() == best);
    text.push_back(static_cast<std::int32_t>(best));
  }
}

TEST_CASE("a steady-state decode step allocates nothing") {
  const auto model = random_model<TinyGIN>(7);
  Generator generator(model, 64,
                      {.sample = true,
                       .temperature = 0.9,
                       .top_k = 10,
                       .top_p = 0.9,
                       .min_p = 0.01,
                       .seed = 1,
                       .repetition_penalty = 1.1});
  generator.read(std::vector<std::int32_t>{3, 1, 4});
  for (int warm = 0; warm < 3; ++warm) generator.next();
  const auto before = allocations();
  for (int step = 0; step < 40; ++step) generator.next();
  CHECK(allocations() == before);
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

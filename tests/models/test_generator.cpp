// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "weft/models/generate.hpp"

#include "models/tiny_models.hpp"
#include "models/variants.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using TokenList = std::vector<std::int32_t>;
using GIN = LlamaForCausalLMWithGNN<TinyGIN>;

/// A model that writes down how many tokens it looks at each time.
class WatchedModel : public GIN {
 public:
  struct Body {
    const GIN* whole;
    std::vector<Index>* looks;

    template <class Ids, class Cache>
    auto operator()(Inference& context, const Ids& ids, const ModelInputs& inputs, Cache* cache) const {
      looks->push_back(ids.extent(1));
      return whole->model(context, ids, inputs, cache);
    }
    auto options() const { return whole->model.options(); }
  };

  WatchedModel() : GIN(random_model<TinyGIN>(7)) {}
  WatchedModel(const WatchedModel&) = delete;
  WatchedModel& operator=(const WatchedModel&) = delete;
  ~WatchedModel() = default;

 private:
  mutable std::vector<Index> looks_;

 public:
  Body model{this, &looks_};  ///< hides the model that is watched

  /// Since the last call.
  std::vector<Index> looks() const { return std::exchange(looks_, {}); }
};

GenerationOptions up_to(Index tokens) { return {.max_new_tokens = tokens, .stop_at_eos = false}; }

}  // namespace

TEST_CASE("a token is known before the model looks at it") {
  const WatchedModel model;
  Generator generator(model, 6);
  generator.read(TokenList{3, 1, 4});
  CHECK(model.looks() == std::vector<Index>{3});
  const std::int32_t first = generator.next();
  CHECK(model.looks().empty());
  CHECK(generator.text().back() == first);
  generator.next();
  CHECK(model.looks() == std::vector<Index>{1});
  generator.read(TokenList{5});  // together with the token that was chosen last
  CHECK(model.looks() == std::vector<Index>{2});
  CHECK(generator.text().size() == 6);
  generator.next();
  CHECK_THROWS_WITH(generator.next(), "Generator::next(): there is room for 6 tokens, and all of it is taken");
  CHECK(model.looks().empty());
}

TEST_CASE("generation does not look at its last token") {
  const WatchedModel model;
  const auto tokens = generate(model, TokenList{3, 1, 4}, up_to(3));
  CHECK(model.looks() == std::vector<Index>{3, 1, 1});
  GenerationOptions options = up_to(3);
  options.stop_tokens = {tokens[0]};
  CHECK(generate(model, TokenList{3, 1, 4}, options).size() == 1);
  CHECK(model.looks() == std::vector<Index>{3});
}

TEST_CASE("each turn of a conversation costs what is new in it") {
  const WatchedModel model;
  Generator generator(model, 20);
  TokenList text{3, 1, 4};
  const auto answer = generate(generator, text, up_to(4));
  CHECK(model.looks() == std::vector<Index>{3, 1, 1, 1});
  text.insert(text.end(), answer.begin(), answer.end());
  text.push_back(9);
  generate(generator, text, up_to(2));
  CHECK(model.looks() == std::vector<Index>{2, 1});  // the last token of the answer, and what follows it
  generate(generator, text, up_to(1));
  CHECK(model.looks() == std::vector<Index>{1});  // the same once more: its last token
  text[1] = 2;
  generate(generator, text, up_to(1));
  CHECK(model.looks() == std::vector<Index>{static_cast<Index>(text.size()) - 1});  // from where it differs
}

TEST_CASE("a conversation that needs more room takes some for later, and is read once more") {
  const WatchedModel model;
  Generator generator(model, 1);
  const TokenList text{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
  generate(generator, std::span(text).first(8), up_to(3));
  CHECK(generator.capacity() == 10);  // what follows the last token nobody wants to know
  model.looks();
  generate(generator, text, up_to(2));
  CHECK(generator.capacity() == 21);  // ten more than it needs
  CHECK(model.looks() == std::vector<Index>{10, 1});
  generate(generator, text, up_to(12));
  CHECK(generator.capacity() == 21);
  CHECK(model.looks() == std::vector<Index>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("the text of a generator may be its prompt") {
  const auto model = random_model<TinyGIN>(7);
  Generator generator(model, 3);
  generator.read(TokenList{3, 1, 4});
  CHECK(generate(generator, generator.text(), up_to(5)) == generate(model, TokenList{3, 1, 4}, up_to(5)));
  const TokenList longer(generator.text().begin(), generator.text().end());
  CHECK(generate(generator, generator.text(), up_to(5)) == generate(model, longer, up_to(5)));
  CHECK(generate(generator, std::span(longer).first(2), up_to(5)) ==
        generate(model, std::span(longer).first(2), up_to(5)));
}

TEST_CASE("where nothing is wanted, or there is no prompt, a generator stays as it is") {
  const WatchedModel model;
  Generator generator(model, 8);
  generator.read(TokenList{3, 1, 4});
  model.looks();
  CHECK(generate(generator, TokenList{5}, up_to(0)).empty());
  CHECK_THROWS_WITH(generate(generator, TokenList{}, up_to(2)),
                    Catch::Matchers::ContainsSubstring("at least one token"));
  GenerationOptions impossible = up_to(2);
  impossible.sampling.temperature = 0;
  CHECK_THROWS_WITH(generate(generator, TokenList{5}, impossible),
                    Catch::Matchers::ContainsSubstring("temperature must be positive"));
  CHECK(model.looks().empty());
  CHECK(std::ranges::equal(generator.text(), TokenList{3, 1, 4}));
}

TEST_CASE("a number that is no token leaves a generator as it was") {
  const auto model = random_model<TinyGIN>(7);
  Generator generator(model, 8);
  generator.read(TokenList{3, 1, 4});
  CHECK_THROWS_WITH(generator.read(TokenList{5, 23}), Catch::Matchers::ContainsSubstring("23"));
  CHECK(std::ranges::equal(generator.text(), TokenList{3, 1, 4}));
  generator.read(TokenList{5});
  CHECK(generator.next() == generate(model, TokenList{3, 1, 4, 5}, up_to(1))[0]);
}

TEST_CASE("a conversation of any variant goes as if each turn were read anew") {
  for (const Variant& variant : all_variants()) {
    INFO(variant.name);
    const auto model = make_variant(variant, 5);
    Generator generator(model, 1);
    TokenList text{3, 1, 4};
    for (const TokenList& turn : {TokenList{1, 5}, TokenList{9}, TokenList{2, 6, 5}}) {
      text.insert(text.end(), turn.begin(), turn.end());
      const auto answer = generate(generator, text, up_to(3));
      CHECK(answer == generate(model, text, up_to(3)));
      text.insert(text.end(), answer.begin(), answer.end() - 1);  // the answer as someone else might have ended it
    }
  }
}

TEST_CASE("each turn draws from the beginning of its random numbers") {
  const auto model = random_model<TinyGIN>(7);
  GenerationOptions options = up_to(8);
  Generator generator(model, 1);
  for (const std::uint64_t seed : {1, 2, 1}) {
    options.sampling = {.sample = true, .seed = seed};
    CHECK(generate(generator, TokenList{3, 1, 4}, options) == generate(model, TokenList{3, 1, 4}, options));
  }
}

TEST_CASE("a generator that is given more room keeps its text and its choice") {
  const auto model = random_model<TinyGIN>(7);
  Generator wide(model, 20);
  Generator grown(model, 4);
  for (auto* generator : {&wide, &grown}) generator->read(TokenList{3, 1, 4});
  CHECK(grown.next() == wide.next());
  grown.reserve(20);
  grown.reserve(5);  // less than there is
  CHECK(grown.capacity() == 20);
  for (int step = 0; step < 10; ++step) CHECK(grown.next() == wide.next());
  CHECK(std::ranges::equal(grown.text(), wide.text()));
}

TEST_CASE("a generator takes its text back") {
  const auto model = random_model<TinyGIN>(7);
  Generator generator(model, 8);
  generator.read(TokenList{3, 1, 4});
  const std::int32_t first = generator.next();
  generator.next();
  generator.truncate(2);
  CHECK(std::ranges::equal(generator.text(), TokenList{3, 1}));
  CHECK_THROWS_WITH(generator.next(), "Generator::next(): read a prompt first");
  generator.read(TokenList{4});
  CHECK(generator.next() == first);
  CHECK_THROWS_WITH(generator.truncate(5), "Generator::truncate(tokens) needs 0 <= tokens <= 4, found 5");
  CHECK_THROWS_WITH(generator.truncate(-1), "Generator::truncate(tokens) needs 0 <= tokens <= 4, found -1");
}

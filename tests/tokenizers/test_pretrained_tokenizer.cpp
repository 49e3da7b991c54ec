// SPDX-License-Identifier: Apache-2.0
#include "weft/io/pretrained.hpp"
#include "weft/models/generate.hpp"
#include "weft/tokenizers/train_bpe.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;

namespace {

struct Tiny {
  static constexpr LlamaConfig llama{
      .vocab_size = 300, .hidden_size = 16, .intermediate_size = 16, .num_hidden_layers = 1, .num_attention_heads = 2};
  static constexpr GNNConfig gnn{};
};

}  // namespace

TEST_CASE("a model is saved with its tokenizer and speaks with it again") {
  const testing::TemporaryFolder folder;
  const LlamaForCausalLMWithGNN<Tiny> model(Rng{1});
  const Tokenizer tokenizer = train_bpe("In the beginning God created the heaven and the earth.", {.vocab_size = 300});
  save_pretrained(model, tokenizer, folder / "model");
  const auto loaded = load_pretrained<Tiny>(folder / "model");
  const auto again = Tokenizer::from_file(folder / "model/tokenizer.json");
  const GenerationOptions options{.max_new_tokens = 8, .stop_at_eos = false};
  CHECK(generate(loaded, again, "In the", options) == generate(model, tokenizer, "In the", options));
}

// SPDX-License-Identifier: Apache-2.0
// Training runs of low-rank adapters, saved and continued.
#include <filesystem>

#include "weft/models/lora.hpp"
#include "weft/train/checkpoint.hpp"

#include "pretrained/narrow_folder.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

using Any = LlamaForCausalLMWithGNN<Dynamic>;

/// Adapters of the query and value projections of a folder's model.
Any with_adapters(const std::string& folder, std::uint64_t seed) {
  Any model = load_pretrained<Dynamic>(folder);
  add_lora(model, {.r = 2}, Rng(seed));
  return model;
}

struct AdapterRun {
  AdapterRun(const std::string& folder, std::uint64_t seed) : model(with_adapters(folder, seed)) {}

  void advance(int steps) {
    for (int i = 0; i < steps; ++i) trainer.step(data);
  }

  static std::vector<std::int32_t> text() {
    std::vector<std::int32_t> tokens(240);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * i % 11);
    return tokens;
  }

  Any model;
  TokenDataset data{text(), {.block_size = 8}};
  Trainer<Any> trainer{model, {.learning_rate = 1e-2, .batch_size = 2, .max_steps = 6}};
};

bool same_values(const Any& a, const Any& b) {
  bool same = true;
  const auto left = list_parameters(const_cast<Any&>(a));
  const auto right = list_parameters(const_cast<Any&>(b));
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto bytes = static_cast<std::size_t>(left[i].size()) * sizeof(float);
    same = same && std::memcmp(left[i].values(), right[i].values(), bytes) == 0;
  }
  return same;
}

}  // namespace

TEST_CASE("a run of adapters over bf16 weights goes on bit for bit, and the weights stay bf16") {
  const NarrowFolder<TinyLlama> base;
  const TemporaryFolder folder;
  AdapterRun whole(base.path(), 1);
  whole.advance(6);

  AdapterRun half(base.path(), 1);
  half.advance(3);
  save_checkpoint(folder / "run", half.trainer, half.data);
  AdapterRun other_half(base.path(), 2);
  const auto narrow = kept_as_bf16(other_half.model);
  load_checkpoint(folder / "run", other_half.trainer, other_half.data);
  CHECK(kept_as_bf16(other_half.model) == narrow);
  CHECK(SafetensorsFile(folder / "run").tensor("model.layers.0.mlp.up_proj.weight").dtype == "BF16");
  other_half.advance(3);
  CHECK(same_values(whole.model, other_half.model));

  Any trained = with_adapters(base.path(), 3);
  load_checkpoint(folder / "run", trained);
  CHECK(same_values(half.model, trained));
}

TEST_CASE("a run of adapters does not go on over other weights") {
  const NarrowFolder<TinyLlama> base, other(2);
  const TemporaryFolder folder;
  AdapterRun run(base.path(), 1);
  save_checkpoint(folder / "run", run.trainer, run.data);
  AdapterRun elsewhere(other.path(), 1);
  const Any before = with_adapters(other.path(), 1);
  CHECK_THROWS_WITH(load_checkpoint(folder / "run", elsewhere.trainer, elsewhere.data),
                    ContainsSubstring("which is frozen, differs from the model's"));
  CHECK(same_values(elsewhere.model, before));
}

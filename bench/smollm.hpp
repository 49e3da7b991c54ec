// SPDX-License-Identifier: Apache-2.0
/// \file
/// Model folders of SmolLM-135M's shape, with random weights.
#pragma once

#include <filesystem>
#include <string>

#include "weft/io.hpp"
#include "weft/tokenizers.hpp"
#include "weft/weft.hpp"

#include "large_tokenizer.hpp"

namespace bench {

inline constexpr weft::LlamaConfig kSmolLM{.vocab_size = 49152,
                                           .hidden_size = 576,
                                           .intermediate_size = 1536,
                                           .num_hidden_layers = 30,
                                           .num_attention_heads = 9,
                                           .num_key_value_heads = 3,
                                           .max_position_embeddings = 2048,
                                           .rms_norm_eps = 1e-5,
                                           .tie_word_embeddings = true};

/// Two folders of one model with its tokenizer, F32 and BF16, which are gone when the benchmarks are done.
class SmolLMFolders {
 public:
  SmolLMFolders() {
    std::filesystem::remove_all(root_);
    weft::GNNConfig plain;
    plain.compatibility.tie_on_construct.reset();
    using Model = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;
    weft::save_pretrained(Model(kSmolLM, plain, weft::Rng(1)), tokenizer_, path("F32"));
    weft::convert_pretrained(path("F32"), path("BF16"), {.dtype = "BF16"});
  }
  SmolLMFolders(const SmolLMFolders&) = delete;
  SmolLMFolders& operator=(const SmolLMFolders&) = delete;
  ~SmolLMFolders() { std::filesystem::remove_all(root_); }

  std::string path(const std::string& dtype) const { return (root_ / dtype).string(); }
  const weft::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  weft::Tokenizer tokenizer_{large_tokenizer(kSmolLM.vocab_size), "bench"};
  std::filesystem::path root_ = std::filesystem::temp_directory_path() / "weft_bench_smollm";
};

inline const SmolLMFolders& smollm_folders() {
  static const SmolLMFolders made;
  return made;
}

}  // namespace bench

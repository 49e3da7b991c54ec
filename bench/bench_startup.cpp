// SPDX-License-Identifier: Apache-2.0
// From the start of the program weft to its first token, beside the mathematics of that token: the same prompt through a model
// that is open and whose weights have been touched. The shape is SmolLM-135M's, and so is the number of tokens in tokenizer.json; the
// weights are random; the files are in the page cache. Goal: the program takes at most 1.5 times the mathematics.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "weft/io.hpp"
#include "weft/tokenizers.hpp"
#include "weft/weft.hpp"

#include "large_tokenizer.hpp"

namespace {

using Model = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

constexpr weft::LlamaConfig kSmolLM{.vocab_size = 49152,
                                    .hidden_size = 576,
                                    .intermediate_size = 1536,
                                    .num_hidden_layers = 30,
                                    .num_attention_heads = 9,
                                    .num_key_value_heads = 3,
                                    .max_position_embeddings = 2048,
                                    .rms_norm_eps = 1e-5,
                                    .tie_word_embeddings = true};

/// Two folders of one model with its tokenizer, which are gone when the benchmarks are done.
class Folders {
 public:
  Folders() {
    std::filesystem::remove_all(root_);
    weft::GNNConfig plain;
    plain.compatibility.tie_on_construct.reset();
    weft::save_pretrained(Model(kSmolLM, plain, weft::Rng(1)), tokenizer_, path("F32"));
    weft::convert_pretrained(path("F32"), path("BF16"), {.dtype = "BF16"});
  }
  ~Folders() { std::filesystem::remove_all(root_); }

  std::string path(const std::string& dtype) const { return (root_ / dtype).string(); }
  const weft::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  weft::Tokenizer tokenizer_{bench::large_tokenizer(kSmolLM.vocab_size), "bench"};
  std::filesystem::path root_ = std::filesystem::temp_directory_path() / "weft_bench_startup";
};

const Folders& folders() {
  static const Folders made;
  return made;
}

/// The shortest beginning of a row of letters that has as many tokens.
std::string prompt_of(std::int64_t tokens) {
  std::string prompt;
  while (static_cast<std::int64_t>(folders().tokenizer().encode(prompt).size()) < tokens) {
    prompt.push_back(static_cast<char>('a' + prompt.size() * 7 % 26));
  }
  return prompt;
}

void program(benchmark::State& state, const std::string& dtype) {
  const std::string command = "exec '" WEFT_PROGRAM "' generate '" + folders().path(dtype) + "' --max-new-tokens 2 '" +
                              prompt_of(state.range(0)) + "'";
  for (auto _ : state) {  // a second token follows, so that a first one that waits for it would be seen
    const auto start = std::chrono::steady_clock::now();
    const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), &pclose);
    if (!output || std::fgetc(output.get()) == EOF) {
      state.SkipWithError("the program said nothing");
      break;
    }
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}

void mathematics(benchmark::State& state, const std::string& dtype) {
  const Model model = weft::load_pretrained<weft::Dynamic>(folders().path(dtype));
  const auto prompt = folders().tokenizer().encode(prompt_of(state.range(0)));
  const auto first_token = [&] { return weft::generate(model, prompt, {.max_new_tokens = 1}); };
  first_token();
  for (auto _ : state) benchmark::DoNotOptimize(first_token());
}

void register_all() {
  for (const char* dtype : {"F32", "BF16"}) {
    for (const std::int64_t length : {1, 8, 128, 512}) {
      const auto add = [&](const std::string& name, auto function) {
        return benchmark::RegisterBenchmark(("startup/" + name + "/" + dtype).c_str(), function, dtype)
            ->Arg(length)
            ->Unit(benchmark::kMillisecond);
      };
      add("mathematics", mathematics)->UseRealTime();
      add("program", program)->UseManualTime();
    }
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace

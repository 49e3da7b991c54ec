// SPDX-License-Identifier: Apache-2.0
// From the start of the program weft to its first token, beside the mathematics of that token: the same prompt through a model
// that is open and whose weights have been touched. The shape is SmolLM-135M's, and so is the number of tokens in tokenizer.json; the
// weights are random; the files are in the page cache. Goal: the program takes at most 1.5 times the mathematics.
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "smollm.hpp"

namespace {

/// The shortest beginning of a row of letters that has as many tokens.
std::string prompt_of(std::int64_t tokens) {
  std::string prompt;
  while (static_cast<std::int64_t>(bench::smollm_folders().tokenizer().encode(prompt).size()) < tokens) {
    prompt.push_back(static_cast<char>('a' + prompt.size() * 7 % 26));
  }
  return prompt;
}

void program(benchmark::State& state, const std::string& dtype) {
  const std::string command = "exec '" WEFT_PROGRAM "' generate '" + bench::smollm_folders().path(dtype) +
                              "' --max-new-tokens 2 '" + prompt_of(state.range(0)) + "'";
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
  const auto model = weft::load_pretrained<weft::Dynamic>(bench::smollm_folders().path(dtype));
  const auto prompt = bench::smollm_folders().tokenizer().encode(prompt_of(state.range(0)));
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

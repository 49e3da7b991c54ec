// SPDX-License-Identifier: Apache-2.0
// A model of SmolLM-135M's shape reads a prompt, and goes on token by token behind a text of some length. A step reads every
// weight once, so that it is measured as a share of the read bandwidth, the prompt as one of the multiply-add peak.
// bench/peers/decode_llama_cpp.py does the same with llama.cpp.
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "machine.hpp"
#include "smollm.hpp"

namespace {

using Model = weft::LlamaForCausalLMWithGNN<weft::Dynamic>;

constexpr weft::Index kSteps = 64;

double weights_of(const Model& model) {
  double count = 0;
  for (const weft::AnyParameter& parameter : weft::list_parameters(model))
    count += static_cast<double>(parameter.size());
  return count;
}

std::vector<std::int32_t> text_of(std::int64_t tokens) {
  std::vector<std::int32_t> text(static_cast<std::size_t>(tokens));
  std::iota(text.begin(), text.end(), 1000);
  return text;
}

void prompt(benchmark::State& state, const std::string& dtype) {
  const Model model = weft::load_pretrained<weft::Dynamic>(bench::smollm_folders().path(dtype));
  const auto text = text_of(state.range(0));
  weft::Generator generator(model, state.range(0));
  const double seconds = bench::best_seconds(2, [&] {
    generator.truncate(0);
    generator.read(text);
  });
  for (auto _ : state) state.SetIterationTime(seconds);
  const double embedding = static_cast<double>(bench::kSmolLM.vocab_size) * bench::kSmolLM.hidden_size;
  const auto tokens = static_cast<double>(text.size());
  const double products =
      2 * ((weights_of(model) - embedding) * tokens + embedding);  // the head sees the last token alone
  state.counters["tokens/s"] = tokens / seconds;
  state.counters["share_of_peak"] = products / seconds / bench::fma_peak();
}

void decode(benchmark::State& state, const std::string& dtype) {
  const Model model = weft::load_pretrained<weft::Dynamic>(bench::smollm_folders().path(dtype));
  const auto text = text_of(state.range(0));
  const auto before = static_cast<weft::Index>(text.size()) - 1;
  weft::Generator generator(model, state.range(0) + kSteps);
  generator.read(text);
  const double seconds = bench::best_seconds(2, [&] {
    generator.truncate(before);
    generator.read(std::span(text).last(1));
    for (weft::Index step = 0; step < kSteps; ++step) generator.next();
  });
  for (auto _ : state) state.SetIterationTime(seconds);
  const double width = dtype == "BF16" ? 2 : 4;
  state.counters["tokens/s"] = static_cast<double>(kSteps) / seconds;
  state.counters["share_of_bandwidth"] =
      weights_of(model) * width * static_cast<double>(kSteps) / seconds / bench::read_bandwidth();
}

void register_all() {
  const auto add = [](const char* name, auto function, const char* dtype, std::int64_t tokens) {
    benchmark::RegisterBenchmark((std::string("generation/") + name + "/" + dtype).c_str(), function, dtype)
        ->Arg(tokens)
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (const char* dtype : {"F32", "BF16"}) {
    for (const std::int64_t tokens : {16, 128, 512}) add("prompt", prompt, dtype, tokens);
    for (const std::int64_t tokens : {1, 512}) add("decode", decode, dtype, tokens);
  }
}

[[maybe_unused]] const bool registered = (register_all(), true);

}  // namespace

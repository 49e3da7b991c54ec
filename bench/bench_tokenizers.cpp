// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding a whole text, one thread, and learning a vocabulary from it. Beside it: bench/peers/tokenizers_hf.py --time.
//
//   WEFT_TEXT=FILE bench_tokenizers      # default: the text of the demo, build/king-james-bible.txt
#include <cstdlib>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

#include <weft/tokenizers.hpp>

#include "large_tokenizer.hpp"

namespace {

const std::string& text() {
  static const std::string content = [] {
    const char* const named = std::getenv("WEFT_TEXT");
    const std::string path = named != nullptr ? named : "build/king-james-bible.txt";
    return std::filesystem::exists(path) ? weft::read_text(path) : std::string();
  }();
  return content;
}

bool lacks_text(benchmark::State& state) {
  if (text().empty()) state.SkipWithError("no text: name one with WEFT_TEXT=FILE, or run ./run demo first");
  return text().empty();
}

weft::Tokenizer byte_level() { return weft::train_bpe(text(), {.vocab_size = 6000}); }

/// The same merges on characters, without a rule that divides the text: as Llama 2 has it.
weft::Tokenizer of_characters() {
  auto json = weft::detail::parse_json(byte_level().json(), "bench");
  auto& file = *json.get_if<weft::detail::Json::Object>();
  using Object = weft::detail::Json::Object;
  file["normalizer"] = Object{{"type", "Replace"}, {"pattern", Object{{"String", " "}}}, {"content", "\u0120"}};
  file["pre_tokenizer"] = nullptr;
  return {weft::detail::json_text(json), "bench"};
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text().size()));
}

void encode(benchmark::State& state, weft::Tokenizer (*make)(), bool with_offsets) {
  if (lacks_text(state)) return;
  const weft::Tokenizer tokenizer = make();
  for (auto _ : state) {
    if (with_offsets) {
      benchmark::DoNotOptimize(tokenizer.encode_with_offsets(text()));
    } else {
      benchmark::DoNotOptimize(tokenizer.encode(text()));
    }
  }
  count_bytes(state);
}

void decode(benchmark::State& state) {
  if (lacks_text(state)) return;
  const weft::Tokenizer tokenizer = byte_level();
  const auto ids = tokenizer.encode(text());
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.decode(ids));
  count_bytes(state);
}

void learn(benchmark::State& state) {
  if (lacks_text(state)) return;
  for (auto _ : state) benchmark::DoNotOptimize(byte_level());
  count_bytes(state);
}

/// With as many tokens as SmolLM's and Llama 3's have.
void open(benchmark::State& state) {
  const std::string json = bench::large_tokenizer(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(weft::Tokenizer(json, "bench"));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(json.size()));
}

BENCHMARK_CAPTURE(encode, byte_level, byte_level, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, byte_level_with_offsets, byte_level, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, characters, of_characters, false)->Unit(benchmark::kMillisecond);
BENCHMARK(decode)->Unit(benchmark::kMillisecond);
BENCHMARK(open)->Arg(49152)->Arg(128000)->Unit(benchmark::kMillisecond);
BENCHMARK(learn)->Unit(benchmark::kMillisecond);

}  // namespace

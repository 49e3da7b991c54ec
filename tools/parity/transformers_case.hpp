// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs a plain Llama on a folder that Hugging Face's transformers wrote: logits at positions far from 0, greedy tokens.
#pragma once

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "parity/run_layer.hpp"

namespace parity {

/// The logits of the last `kept` tokens with positions from `start` on.
template <class Config>
std::vector<float> logits_from(const weft::LlamaForCausalLMWithGNN<Config>& model,
                               const Tensor<std::int64_t, Shape<Dyn, Dyn>>& ids, Index start, Index kept) {
  std::vector<Index> positions(static_cast<std::size_t>(ids.extent(1)));
  std::iota(positions.begin(), positions.end(), start);
  weft::Inference inference;
  const auto logits = model(inference, ids, {.attention_mask = nullptr, .position_ids = positions});
  std::vector<float> last;
  const Index row = logits.extent(1) * logits.extent(2);
  for (Index b = 0; b < logits.extent(0); ++b) {
    last.insert(last.end(), logits.data() + (b + 1) * row - kept * logits.extent(2), logits.data() + (b + 1) * row);
  }
  return last;
}

/// \tparam Config  weft::Dynamic, or a type of the folder's shape
template <class Config>
void run_transformers_model(const std::string& folder, GoldenCase& golden) {
  const auto model = weft::load_pretrained<Config>(folder);
  const auto ids = golden.tensor<std::int64_t, Dyn, Dyn>("in.input_ids");
  const std::string prefix = "out.logits.";
  std::set<Index> starts;  // rising: `dynamic` scaling remembers the longest text
  for (const std::string& name : golden.file().names()) {
    if (name.starts_with(prefix)) starts.insert(std::stol(name.substr(prefix.size())));
  }
  for (const Index start : starts) {
    const std::string name = prefix + std::to_string(start);
    const auto logits = logits_from(model, ids, start, golden.file().tensor(name).shape[1]);
    golden.compare(name, logits.data(), static_cast<Index>(logits.size()));
  }
  const auto prompt = golden.tensor<std::int64_t, Dyn, Dyn>("in.prompt_ids");
  const std::vector<std::int32_t> start(prompt.span().begin(), prompt.span().end());
  const Index count = golden.file().tensor("out.greedy_tokens").shape[0];
  golden.compare_exactly("out.greedy_tokens",
                         weft::generate(model, start, {.max_new_tokens = count, .stop_at_eos = false}));
}

}  // namespace parity

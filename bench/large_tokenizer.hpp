// SPDX-License-Identifier: Apache-2.0
/// \file
/// A tokenizer.json as large as those of real models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/tokenizers/byte_symbols.hpp"

namespace bench {

/// Byte-level with `count` tokens: the bytes, and random words of up to ten letters by their merges.
inline std::string large_tokenizer(std::size_t count) {
  using weft::detail::Json;
  std::vector<std::string> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    tokens.push_back(weft::detail::byte_symbol(static_cast<unsigned char>(byte)));
  }
  std::set<std::string> known(tokens.begin(), tokens.end());
  std::vector<std::string> words;
  for (char letter = 'a'; letter <= 'z'; ++letter) words.emplace_back(1, letter);
  std::mt19937 rng(1);
  const auto any = [&]() -> const std::string& { return words[rng() % words.size()]; };
  std::string vocab;
  std::string merges;
  while (tokens.size() < count) {
    const std::string& left = any();
    const std::string& right = any();
    std::string merged = left + right;
    if (merged.size() > 10 || !known.insert(merged).second) continue;
    merges += (merges.empty() ? "" : ",\n") + weft::detail::json_text(Json(left + " " + right));
    tokens.push_back(merged);
    words.push_back(std::move(merged));
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    vocab += (vocab.empty() ? "" : ",\n") + weft::detail::json_text(Json(tokens[i])) + ": " + std::to_string(i);
  }
  return R"({"version": "1.0", "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
"decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
"model": {"type": "BPE", "vocab": {)" +
         vocab + "},\n\"merges\": [" + merges + "]}}\n";
}

}  // namespace bench

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Vocabulary, merges and added tokens out of a tokenizer.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weft/tokenizers/added_tokens.hpp"
#include "weft/tokenizers/byte_pair_encoding.hpp"
#include "weft/tokenizers/json_component.hpp"

namespace weft::detail {

inline BytePairEncoding::Vocabulary read_vocabulary(JsonComponent& model) {
  BytePairEncoding::Vocabulary vocabulary;
  std::unordered_map<std::int32_t, std::string_view> tokens;
  for (const auto& [token, json] : model.object("vocab")) {
    const std::int32_t id = JsonComponent::id_of(json, model.where("vocab"));
    const auto [other, is_new] = tokens.emplace(id, token);
    if (!is_new)
      fail(concat(model.where("vocab"), " has ", id, " for ", in_quotes(other->second), " and for ", in_quotes(token)));
    vocabulary.emplace(token, id);
  }
  return vocabulary;
}

/// Both tokens of a merge: "a b", or ["a", "b"] in files of later versions (quirk K6).
inline std::pair<std::string, std::string> read_merge(const Json& json, const std::string& where) {
  if (const auto* text = json.get_if<std::string>()) {
    const std::size_t space = text->find(' ');
    if (space != std::string::npos && text->find(' ', space + 1) == std::string::npos) {
      return {text->substr(0, space), text->substr(space + 1)};
    }
  }
  if (const auto* both = json.get_if<Json::Array>(); both != nullptr && both->size() == 2) {
    const auto* left = (*both)[0].get_if<std::string>();
    const auto* right = (*both)[1].get_if<std::string>();
    if (left != nullptr && right != nullptr) return {*left, *right};
  }
  fail(concat(where, " must be two tokens, \"a b\" or [\"a\", \"b\"], found ", json_excerpt(json)));
}

inline std::vector<BytePairEncoding::Merge> read_merges(JsonComponent& model,
                                                        const BytePairEncoding::Vocabulary& vocabulary) {
  std::vector<BytePairEncoding::Merge> merges;
  for_each_component(model, "merges", [&](const Json& json, const std::string& at) {
    const auto [left, right] = read_merge(json, at);
    const auto id = [&](const std::string& token) {
      const auto found = vocabulary.find(token);
      if (found == vocabulary.end()) fail(concat(at, ": ", in_quotes(token), " is not in the vocabulary"));
      return found->second;
    };
    merges.push_back({id(left), id(right), id(left + right)});
  });
  return merges;
}

/// \param byte_level  as the pre-tokenizer says
inline BytePairEncoding read_model(const Json& json, const std::string& where, bool byte_level) {
  JsonComponent model(json, where);
  const std::string type = model.text("type", "BPE");
  if (type != "BPE") model.refuse("type", type, "BPE");
  for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) model.expect_unused(name);
  BPEOptions options{.byte_level = byte_level,
                     .byte_fallback = model.truth("byte_fallback", false),
                     .ignore_merges = model.truth("ignore_merges", false),
                     .fuse_unk = model.truth("fuse_unk", false)};
  if (model.find("unk_token") != nullptr) options.unk_token = model.text("unk_token");
  const auto vocabulary = read_vocabulary(model);
  if (options.unk_token && !vocabulary.contains(*options.unk_token)) {
    fail(concat(model.where("unk_token"), " must be in the vocabulary, found ", in_quotes(*options.unk_token)));
  }
  const auto merges = read_merges(model, vocabulary);
  model.expect_no_others();
  const bool falls_back = options.byte_level && options.byte_fallback;
  BytePairEncoding encoding(vocabulary, merges, std::move(options));
  if (falls_back && !encoding.has_all_bytes()) {
    fail(concat(where, ".byte_fallback is not supported where words are bytes and the vocabulary lacks some of them"));
  }
  return encoding;
}

inline AddedToken read_added_token(const Json& json, const std::string& where) {
  JsonComponent component(json, where);
  AddedToken token{.id = component.id("id"),
                   .content = component.text("content"),
                   .lstrip = component.truth("lstrip", false),
                   .rstrip = component.truth("rstrip", false),
                   .normalized = component.truth("normalized", false),
                   .special = component.truth("special", false)};
  if (token.content.empty()) fail(concat(component.where("content"), " must not be empty"));
  component.expect_unused("single_word");
  component.expect_no_others();
  return token;
}

}  // namespace weft::detail

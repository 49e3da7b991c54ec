// SPDX-License-Identifier: Apache-2.0
/// \file
/// Vocabulary, merges and added tokens out of a tokenizer.json.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/strict_json.hpp"
#include "weft/tokenizers/added_tokens.hpp"
#include "weft/tokenizers/byte_pair_encoding.hpp"
#include "weft/tokenizers/json_component.hpp"
#include "weft/tokenizers/merges.hpp"
#include "weft/tokenizers/vocabulary.hpp"

namespace weft::detail {

/// Both tokens of a merge: "a b", or ["a", "b"] in files of later versions (quirk K6); none where it is something else.
inline std::optional<std::pair<std::string_view, std::string_view>> read_merge(const Json& json) {
  if (const auto* text = json.get_if<std::string>()) {
    const std::string_view both = *text;
    const std::size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) return {};
    return std::pair(both.substr(0, space), both.substr(space + 1));
  }
  if (const auto* both = json.get_if<Json::Array>(); both != nullptr && both->size() == 2) {
    const auto* left = (*both)[0].get_if<std::string>();
    const auto* right = (*both)[1].get_if<std::string>();
    if (left != nullptr && right != nullptr) return std::pair<std::string_view, std::string_view>(*left, *right);
  }
  return {};
}

/// The vocabulary and the merges of a file, which are nearly all of it, as they are read.
class ModelTables {
 public:
  /// \param where  the file, for messages
  explicit ModelTables(std::string_view where)
      : vocab_(concat(where, ".model.vocab")), merges_(concat(where, ".model.merges")) {}

  /// What fills these tables; valid as long as this object is.
  std::array<JsonStream, 2> streams() {
    return {{{{"model", "vocab"}, true, [this](std::string_view token, const Json& id) { add_token(token, id); }},
             {{"model", "merges"}, false, [this](std::string_view, const Json& merge) { add_merge(merge); }}}};
  }

  Vocabulary take_vocabulary() { return std::move(vocabulary_); }

  /// Merges may stand before the vocabulary: only now all their tokens have numbers.
  Merges merges(const Vocabulary& vocabulary) const {
    std::vector<Merge> merges;
    merges.reserve(sizes_.size());
    std::string_view rest = texts_;
    for (const MergeSizes& sizes : sizes_) {
      const auto id = [&](std::size_t begin, std::size_t size) {
        const std::int32_t known = vocabulary.id_of(rest.substr(begin, size));
        if (known < 0) refuse_token(merges.size(), rest.substr(begin, size));
        return known;
      };
      const std::size_t both = std::size_t{sizes.left} + sizes.right;
      merges.push_back({id(0, sizes.left), id(sizes.left, sizes.right), id(0, both)});
      rest.remove_prefix(both);
    }
    return Merges(std::move(merges));
  }

 private:
  struct MergeSizes {
    std::uint32_t left;
    std::uint32_t right;
  };

  void add_token(std::string_view token, const Json& id) {
    vocabulary_.add(token, JsonComponent::id_of(id, vocab_), vocab_);
  }

  void add_merge(const Json& json) {
    const auto merge = read_merge(json);
    if (!merge) {
      fail(concat(merges_, "[", sizes_.size(), "] must be two tokens, \"a b\" or [\"a\", \"b\"], found ",
                  json_excerpt(json)));
    }
    const auto [left, right] = *merge;
    texts_.append(left).append(right);
    sizes_.push_back({static_cast<std::uint32_t>(left.size()), static_cast<std::uint32_t>(right.size())});
  }

  [[noreturn]] void refuse_token(std::size_t i, std::string_view token) const {
    fail(concat(merges_, "[", i, "]: ", in_quotes(token), " is not in the vocabulary"));
  }

  std::string vocab_;  ///< the places of both in the file
  std::string merges_;
  Vocabulary vocabulary_;
  std::string texts_;  ///< of all merges, left and right by turns
  std::vector<MergeSizes> sizes_;
};

/// \param byte_level  as the pre-tokenizer says
/// \param tables      what was read of the same file, and is taken
inline BytePairEncoding read_model(const Json& json, const std::string& where, bool byte_level, ModelTables& tables) {
  JsonComponent model(json, where);
  const std::string type = model.text("type", "BPE");
  if (type != "BPE") model.refuse("type", type, "BPE");
  for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) model.expect_unused(name);
  BPEOptions options{.byte_level = byte_level,
                     .byte_fallback = model.truth("byte_fallback", false),
                     .ignore_merges = model.truth("ignore_merges", false),
                     .fuse_unk = model.truth("fuse_unk", false)};
  if (model.find("unk_token") != nullptr) options.unk_token = model.text("unk_token");
  model.object("vocab");
  model.list("merges");
  Vocabulary vocabulary = tables.take_vocabulary();
  if (options.unk_token && vocabulary.id_of(*options.unk_token) < 0) {
    fail(concat(model.where("unk_token"), " must be in the vocabulary, found ", in_quotes(*options.unk_token)));
  }
  Merges merges = tables.merges(vocabulary);
  model.expect_no_others();
  const bool falls_back = options.byte_level && options.byte_fallback;
  BytePairEncoding encoding(std::move(vocabulary), std::move(merges), std::move(options));
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

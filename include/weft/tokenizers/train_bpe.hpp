// SPDX-License-Identifier: Apache-2.0
/// \file
/// A byte-level tokenizer from texts (`train_tokenizer_from_scratch` of the reference).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weft/io/notes.hpp"
#include "weft/tokenizers/bpe_trainer.hpp"
#include "weft/tokenizers/tokenizer.hpp"

namespace weft {

/// What a tokenizer learns. The defaults are those of the reference.
struct BPETrainingOptions {
  /// Tokens at most, merged ones included. The special tokens and the 256 bytes are there in any case: with the
  /// defaults that makes 263 tokens and no merge (quirk K3).
  std::int32_t vocab_size = 128;
  /// A pair must be as frequent to be merged.
  std::int64_t min_frequency = 2;
  /// The first tokens, never divided by `encode`. In the texts that are learnt from they are text like any other (quirk
  /// K4).
  std::vector<std::string> special_tokens{"<|pad|>",  "<|eot_id|>",   "<|begin_of_text|>", "<|unk|>",
                                          "<|mask|>", "<|sequence|>", "<|/sequence|>"};
  /// What they are for; each must be one of them (quirk K2). None given: those of the reference, where the special tokens
  /// have all of its seven, and no roles elsewhere.
  std::optional<TokenizerRoles> roles{};
};

namespace detail {

inline Json special_token_json(std::int32_t id, const std::string& content) {
  return Json::Object{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                      {"rstrip", false}, {"normalized", false}, {"special", true}};
}

inline Json byte_level_json() {
  return Json::Object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

/// A template that adds nothing.
inline Json plain_template_json() {
  const auto sequence = [](const char* id, int type) {
    return Json(Json::Object{{"Sequence", Json::Object{{"id", id}, {"type_id", type}}}});
  };
  return Json::Object{{"type", "TemplateProcessing"},
                      {"single", Json::Array{sequence("A", 0)}},
                      {"pair", Json::Array{sequence("A", 0), sequence("B", 1)}},
                      {"special_tokens", Json::Object{}}};
}

inline Json bpe_json(const BPETrainer& trainer) {
  const std::vector<std::string>& tokens = trainer.tokens();
  Json::Object vocabulary;
  for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.emplace(tokens[id], id);
  Json::Array merges;
  for (const auto& [pair, merged] : trainer.merges()) {
    merges.emplace_back(tokens[static_cast<std::size_t>(pair.first)] + " " +
                        tokens[static_cast<std::size_t>(pair.second)]);
  }
  return Json::Object{{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", ""},
                      {"end_of_word_suffix", ""},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", std::move(vocabulary)},
                      {"merges", std::move(merges)}};
}

inline std::string tokenizer_json(const BPETrainer& trainer, const std::vector<std::string>& special_tokens) {
  const std::vector<std::string>& tokens = trainer.tokens();
  Json::Array added;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (std::find(special_tokens.begin(), special_tokens.end(), tokens[id]) == special_tokens.end()) break;
    added.push_back(special_token_json(static_cast<std::int32_t>(id), tokens[id]));
  }
  return json_lines(Json::Object{{"version", "1.0"},
                                 {"truncation", nullptr},
                                 {"padding", nullptr},
                                 {"added_tokens", std::move(added)},
                                 {"normalizer", nullptr},
                                 {"pre_tokenizer", byte_level_json()},
                                 {"post_processor", plain_template_json()},
                                 {"decoder", byte_level_json()},
                                 {"model", bpe_json(trainer)}});
}

inline void expect_trainable(const BPETrainingOptions& options) {
  if (options.vocab_size < 1) fail(concat("train_bpe: vocab_size must be positive, found ", options.vocab_size));
  const auto& specials = options.special_tokens;
  if (std::find(specials.begin(), specials.end(), "") != specials.end()) {
    fail("train_bpe: special_tokens must not be empty texts");
  }
  if (!std::all_of(specials.begin(), specials.end(), [](const std::string& text) { return is_utf8(text); })) {
    fail("train_bpe: special_tokens must be UTF-8");
  }
  if (!options.roles) return;
  for_each_role(*options.roles, [&](std::string_view role, const std::string& token) {
    if (std::find(specials.begin(), specials.end(), token) != specials.end()) return;
    fail(concat("train_bpe: roles.", role, " must be one of special_tokens (quirk K2), found ", in_quotes(token)));
  });
}

/// What somebody should know who asked for fewer tokens than there are in any case.
inline std::vector<std::string> notes_on(const BPETrainer& trainer, const BPETrainingOptions& options) {
  const std::size_t size = trainer.tokens().size();
  if (size <= static_cast<std::size_t>(options.vocab_size)) return {};
  return {concat("train_bpe: vocab_size is ", options.vocab_size, ", but the special tokens and the bytes alone are ",
                 size, " tokens: the tokenizer has these, and no pair is merged (quirk K3)")};
}

}  // namespace detail

/// Learns from texts, the same from the same texts in any order. Raises Error for options that make no sense.
///
///     const auto tokenizer = weft::train_bpe(text, {.vocab_size = 1000});
///     tokenizer.save_pretrained("tokenizer");
///
/// \param notes  gets a sentence where there are more tokens than `vocab_size` (quirk K3); null: standard error gets it
inline Tokenizer train_bpe(std::span<const std::string_view> texts, const BPETrainingOptions& options = {},
                           std::vector<std::string>* notes = nullptr) {
  detail::expect_trainable(options);
  detail::PreTokenizer words_of;
  words_of.add(detail::ByteLevelStep{
      false, detail::SplitStep(std::make_shared<detail::RegularExpression>(detail::kByteLevelPattern, "train_bpe"))});
  std::unordered_map<std::string, std::int64_t> counts;
  for (const std::string_view text : texts) {
    detail::DerivedTexts derived(false, text.size());
    detail::PreTokenizer::Words words;
    words_of(derived, detail::valid_section(derived, text), words);
    for (const auto& word : words) ++counts[std::string(word.text())];
  }
  detail::BPETrainer trainer(options.special_tokens);
  for (const auto& [word, count] : counts) trainer.add_word(word, count);
  trainer.train(static_cast<std::size_t>(options.vocab_size), options.min_frequency);
  detail::give_notes(detail::notes_on(trainer, options), notes);
  Tokenizer tokenizer(detail::tokenizer_json(trainer, options.special_tokens), "train_bpe");
  const TokenizerRoles roles = options.roles.value_or(TokenizerRoles{});
  if (detail::are_roles_of(roles, options.special_tokens)) tokenizer.remainder = detail::role_files(roles);
  return tokenizer;
}

/// Learns from one text.
inline Tokenizer train_bpe(std::string_view text, const BPETrainingOptions& options = {},
                           std::vector<std::string>* notes = nullptr) {
  return train_bpe(std::span<const std::string_view>(&text, 1), options, notes);
}

}  // namespace weft

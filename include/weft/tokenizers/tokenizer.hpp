// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tokenizer that a tokenizer.json describes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"
#include "weft/tokenizers/read_model.hpp"
#include "weft/tokenizers/read_parts.hpp"
#include "weft/tokenizers/text_encoder.hpp"
#include "weft/tokenizers/text_stream.hpp"
#include "weft/tokenizers/tokenizer_roles.hpp"

namespace weft {

/// How a text becomes tokens.
struct EncodeOptions {
  bool add_special_tokens = true;  ///< those of the file's template, a token that begins a text for instance
  bool split_special_tokens =
      false;  ///< special tokens that the text spells are text like any other: for what strangers say
};

/// How tokens become a text.
struct DecodeOptions {
  bool skip_special_tokens = false;  ///< leaves out the added tokens that are special
  bool clean_up_tokenization_spaces =
      false;  ///< takes out spaces before punctuation, as `transformers` does if told to
};

namespace detail {

/// In turn: " ." to ".", " ?", " !", " ,", " ' " to "'", " n't", " 'm", " 's", " 've", " 're".
inline std::string clean_up_spaces(std::string text) {
  constexpr std::array<std::string_view, 10> kSpaced{" .",   " ?",  " !",  " ,",   " ' ",
                                                     " n't", " 'm", " 's", " 've", " 're"};
  for (const std::string_view spaced : kSpaced) {
    const std::string_view tight = spaced == " ' " ? "'" : spaced.substr(1);
    text = replace_all(text, spaced, tight);
  }
  return text;
}

}  // namespace detail

/// Byte-pair encoding as `tokenizer.json` of Hugging Face's library has it: byte-level (GPT-2, Llama 3) or on
/// characters with bytes to fall back on (Llama 2). The ids are the same as there.
///
///     const auto tokenizer = weft::Tokenizer::from_file("tokenizer.json");
///     const auto ids = tokenizer.encode("In the beginning");
///     tokenizer.decode(ids, {.skip_special_tokens = true});
///
/// Supported are the normalisers Prepend, Replace, NFC, NFD, NFKC and NFKD; the pre-tokenizers Split, Digits, Whitespace,
/// WhitespaceSplit, Punctuation, ByteLevel and Metaspace; the model BPE; the post-processors TemplateProcessing and ByteLevel;
/// the decoders ByteLevel, ByteFallback, Fuse, Replace (of a text), Strip and Metaspace; and sequences of them. Everything else
/// is refused by name. The settings `truncation` and `padding`, which training programs leave in the file, are about rows of
/// texts: they are kept, and no text is cut or filled up, as with transformers' tokenizers unless a call asks for it.
///
/// Which characters are letters or numbers is asked of PCRE2, and what they are composed of is asked of utf8proc, each with its
/// version of Unicode (14 in PCRE2 10.42, 15 in utf8proc 2.8). Characters that are younger than the version that another
/// library has, or that changed their class since, may get other tokens there.
///
/// All `const` member functions may be called from several threads.
class Tokenizer {
 public:
  /// Raises Error, with the place in the file, for what is not supported or contradicts itself. `tokenizer_config.json` and
  /// `special_tokens_map.json` beside a file that is called tokenizer.json are kept as they are.
  static Tokenizer from_file(const std::string& path) {
    Tokenizer tokenizer(read_text(path), path);
    tokenizer.remainder = detail::read_files_beside(path);
    return tokenizer;
  }

  /// Of the folder that the tokenizer was read from, or the roles that `train_bpe` was given; empty elsewhere.
  TokenizerRemainder remainder{};

  /// \param json   the text of a tokenizer.json
  /// \param where  its name, for messages
  Tokenizer(std::string json, const std::string& where) : json_(std::move(json)) {
    detail::ModelTables tables(where);
    const detail::Json root = detail::parse_json(json_, where, false, tables.streams());
    detail::JsonComponent file(root, where);
    for (const char* name : {"truncation", "padding"}) file.expect_object_or_null(name);
    file.text("version", "1.0");
    read_parts(file, tables);
    read_added_tokens(file);
    file.expect_no_others();
  }

  /// The tokens of a text. Bytes that are no UTF-8 count as U+FFFD. Raises Error where a regular expression of the file
  /// gives up, after ten million steps and 64 for each byte, which it has beyond the first 4096 at every place; and where the
  /// file's steps make a text more than 32 times as large, and 1024 bytes, all of them together.
  std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const {
    Encoding encoding = detail::TextEncoder(parts_, text, false, options.split_special_tokens)();
    if (options.add_special_tokens) parts_.post_processor.surround(encoding.ids);
    return std::move(encoding.ids);
  }

  /// The tokens of a text and where in it they are, in bytes. A token that is a part of a character has all of it.
  Encoding encode_with_offsets(std::string_view text, const EncodeOptions& options = {}) const {
    Encoding encoding = detail::TextEncoder(parts_, text, true, options.split_special_tokens)();
    const auto& processor = parts_.post_processor;
    for (std::size_t i = 0; processor.trims_offsets && i < encoding.ids.size(); ++i) {
      const TextRange range = encoding.offsets[i];
      const bool is_added = added_.contains(encoding.ids[i]);  // it may have taken white space that it does not have
      const auto spelled = is_added ? text.substr(range.begin, range.end - range.begin) : token(encoding.ids[i]);
      encoding.offsets[i] = processor.trimmed(text, spelled, range);
    }
    if (options.add_special_tokens) processor.surround(encoding);
    return encoding;
  }

  /// The text of tokens. Raises Error for a number that is no token.
  std::string decode(std::span<const std::int32_t> ids, const DecodeOptions& options = {}) const {
    detail::Decoder::Tokens tokens;
    for (const std::int32_t id : ids) {
      if (!options.skip_special_tokens || !is_special(id)) tokens.emplace_back(token(id));
    }
    std::string text = parts_.decoder(std::move(tokens));
    return options.clean_up_tokenization_spaces ? detail::clean_up_spaces(std::move(text)) : text;
  }

  /// A decoder for a text that arrives token by token, which gives out whole characters. The tokenizer must outlive it.
  TextStream<Tokenizer> stream(bool skip_special_tokens = false) const { return {*this, skip_special_tokens}; }

  /// One more than the largest number of a token: the least `vocab_size` of a model.
  std::int32_t vocab_size() const { return vocab_size_; }

  /// The number of a token, as the file spells it; -1 where there is none.
  std::int32_t token_id(std::string_view token) const {
    const auto found = added_ids_.find(std::string(token));
    return found != added_ids_.end() ? found->second : vocabulary().id_of(token);
  }

  /// The token of a number, as the file spells it, and as the normaliser does where it is added as `normalized`; valid as long
  /// as this object. Raises Error where there is none.
  std::string_view token(std::int32_t id) const {
    const auto found = find_token(id);
    if (!found) fail(concat("Tokenizer: the number of a token is expected, less than ", vocab_size_, ", found ", id));
    return *found;
  }

  /// Whether `skip_special_tokens` leaves a token out.
  bool is_special(std::int32_t id) const {
    const auto found = added_.find(id);
    return found != added_.end() && found->second.special;
  }

  /// Whether a token stands for the same bytes wherever it is.
  bool is_byte_level() const { return parts_.decoder.is_byte_level(); }
  /// Whether a text can be told before all of its tokens are there.
  bool can_stream() const { return parts_.decoder.can_stream(); }

  /// The text of the file that describes this tokenizer, byte for byte as it was read.
  const std::string& json() const { return json_; }
  /// Writes it; see AtomicFile.
  void save(const std::string& path) const { write_text(path, json_); }

  /// Writes tokenizer.json into a folder, which is made if it is missing, and what stands beside it: `tokenizer_config.json` and
  /// `special_tokens_map.json`, by which Hugging Face's AutoTokenizer finds the tokens that begin, end and fill texts. Those of
  /// another tokenizer are removed where this one has none.
  void save_pretrained(const std::string& folder) const {
    detail::make_folders(folder);
    save(folder + "/tokenizer.json");
    detail::write_text_or_remove(folder + "/tokenizer_config.json", remainder.tokenizer_config);
    detail::write_text_or_remove(folder + "/special_tokens_map.json", remainder.special_tokens_map);
  }

 private:
  /// What an added token is to `decode`.
  struct Added {
    std::string text;
    bool special = false;
  };

  const detail::Vocabulary& vocabulary() const { return parts_.model.vocabulary(); }

  std::optional<std::string_view> find_token(std::int32_t id) const {
    const auto found = added_.find(id);
    return found != added_.end() ? found->second.text : vocabulary().text_of(id);
  }

  void read_parts(detail::JsonComponent& file, detail::ModelTables& tables) {
    bool byte_level = false;
    if (const auto* json = file.find("normalizer")) {
      read_normalizer(*json, file.where("normalizer"), parts_.normalizer);
    }
    if (const auto* json = file.find("pre_tokenizer")) {
      byte_level = read_pre_tokenizer(*json, file.where("pre_tokenizer"), parts_.pre_tokenizer);
    }
    if (const auto* json = file.find("post_processor")) {
      read_post_processor(*json, file.where("post_processor"), parts_.post_processor);
    }
    if (const auto* json = file.find("decoder")) read_decoder(*json, file.where("decoder"), parts_.decoder);
    parts_.model = detail::read_model(file.require("model"), file.where("model"), byte_level, tables);
    vocab_size_ = vocabulary().end_id();
  }

  void read_added_tokens(detail::JsonComponent& file) {
    std::vector<AddedToken> given;
    std::vector<AddedToken> normalized;
    if (file.find("added_tokens") != nullptr) {
      detail::for_each_component(file, "added_tokens", [&](const detail::Json& json, const std::string& at) {
        AddedToken token = detail::read_added_token(json, at);
        add(token, at);
        if (token.normalized) token.content = parts_.normalizer(token.content);
        (token.normalized ? normalized : given).push_back(std::move(token));
      });
    }
    parts_.in_given_text = detail::AddedTokenFinder(std::move(given));
    parts_.in_normalized_text = detail::AddedTokenFinder(std::move(normalized));
  }

  void add(const AddedToken& token, const std::string& where) {
    const std::int32_t known = token_id(token.content);
    if (known >= 0 && known != token.id) {
      fail(concat(where, ".id must be ", known, ", as the vocabulary has it for ", detail::in_quotes(token.content),
                  ", found ", token.id));
    }
    const auto other = find_token(token.id);
    if (other && *other != token.content) {
      fail(concat(where, ".id must be free or that of ", detail::in_quotes(token.content), ", but ", token.id, " is ",
                  detail::in_quotes(*other)));
    }
    added_ids_[token.content] = token.id;
    added_[token.id] = {token.normalized ? parts_.normalizer(token.content) : token.content, token.special};
    vocab_size_ = std::max(vocab_size_, token.id + 1);
  }

  std::string json_;
  detail::TokenizerParts parts_;
  std::unordered_map<std::string, std::int32_t> added_ids_;
  std::unordered_map<std::int32_t, Added> added_;
  std::int32_t vocab_size_ = 0;
};

}  // namespace weft

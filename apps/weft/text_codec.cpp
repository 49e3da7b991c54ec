// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/text_codec.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include "weft/io/folder.hpp"
#include "weft/models/byte_tokenizer.hpp"

#include "apps/weft/command.hpp"

namespace apps {

std::string tokenizer_path(const std::string& path) {
  return weft::detail::is_folder(path) ? path + "/tokenizer.json" : path;
}

std::vector<std::int32_t> read_ids(std::string_view text, std::string_view where) {
  constexpr std::string_view between = " \t\r\n,[]";
  std::vector<std::int32_t> ids;
  for (std::size_t begin = text.find_first_not_of(between); begin != std::string_view::npos;
       begin = text.find_first_not_of(between, begin)) {
    const std::size_t end = std::min(text.find_first_of(between, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), ids.emplace_back());
    if (error != std::errc() || stop != word.data() + word.size()) {
      weft::fail(weft::concat(where, ": token numbers are expected, \"1 2 3\", found ", weft::detail::in_quotes(word)));
    }
    begin = end;
  }
  return ids;
}

void expect_tokens(std::span<const std::int32_t> tokens, std::int64_t vocab_size) {
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < vocab_size) continue;
    weft::fail(weft::concat("a token of this model must be in [0, ", vocab_size, "), found ", token));
  }
}

std::string ids_text(std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) text += weft::concat(text.empty() ? "" : " ", id);
  return text;
}

TextCodec::TextCodec(const std::string& folder, std::int64_t vocab_size, std::string_view instead) {
  const std::string path = folder + "/tokenizer.json";
  if (weft::detail::path_exists(path)) {
    tokenizer_ = weft::Tokenizer::from_file(path);
    return;
  }
  if (vocab_size < weft::ByteTokenizer::kVocabSize) {
    weft::fail(weft::concat(folder, " has no tokenizer.json, and a vocabulary of ", vocab_size,
                            " is too small for bytes, which need ", weft::ByteTokenizer::kVocabSize, "; ", instead));
  }
  if (vocab_size > weft::ByteTokenizer::kVocabSize) {
    print_notes({folder + " has no tokenizer.json: tokens 0 to 255 are taken for bytes"});
  }
}

std::int64_t TextCodec::vocab_size() const {
  return tokenizer_ ? tokenizer_->vocab_size() : weft::ByteTokenizer::kVocabSize;
}

std::vector<std::int32_t> TextCodec::encode(std::string_view text) const {
  return tokenizer_ ? tokenizer_->encode(text) : weft::ByteTokenizer{}.encode(text);
}

double TextCodec::bytes_per_token(std::string_view text, std::size_t tokens) const {
  if (!tokenizer_) return 1;
  const weft::Encoding encoding = tokenizer_->encode_with_offsets(text);
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < std::min(tokens, encoding.offsets.size()); ++i) {
    if (encoding.offsets[i].end == encoding.offsets[i].begin) continue;
    bytes = std::max(bytes, encoding.offsets[i].end);
    ++count;
  }
  return count == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(count);
}

std::string TextCodec::label(std::int32_t token) const {
  if (!tokenizer_) return token < 0x80 ? std::string(1, static_cast<char>(token)) : "·";
  if (!tokenizer_->is_byte_level()) return std::string(tokenizer_->token(token));
  return tokenizer_->decode(std::span(&token, 1), {.skip_special_tokens = false});
}

std::function<std::string(std::optional<std::int32_t>)> TextCodec::stream(bool keeps_special) const {
  const auto with = [](auto stream, std::int32_t vocab_size) {
    const auto shared = std::make_shared<decltype(stream)>(std::move(stream));
    return [shared, vocab_size](std::optional<std::int32_t> token) {
      if (!token) return shared->finish();
      return *token < vocab_size ? shared->push(*token) : std::string();
    };
  };
  if (tokenizer_) return with(tokenizer_->stream(!keeps_special), tokenizer_->vocab_size());
  return with(weft::ByteTokenizer{}.stream(), weft::ByteTokenizer::kVocabSize);
}

}  // namespace apps

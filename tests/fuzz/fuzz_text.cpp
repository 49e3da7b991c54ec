// SPDX-License-Identifier: Apache-2.0
// Texts of any bytes through the tokenizers of the golden files: the first byte chooses which, the rest is the text.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weft/models/byte_tokenizer.hpp"
#include "weft/tokenizers/tokenizer.hpp"

#include "fuzz/limits.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

// A byte of text may become a token of 4 bytes, and while offsets are wanted two of 16 bytes for each byte that a normaliser
// makes of it, three for a space, eleven for the longest character that is there for compatibility (U+FDFA); vectors that grow
// hold twice as much.
constexpr std::size_t kPerByte = 4 * 3 * 16;
constexpr std::size_t kPerByteFormed = 4 * 11 * 16;
constexpr std::size_t kInAnyCase = 65536;  // PCRE2's memory for a match

/// A tokenizer, and whether it brings texts into a normal form first.
struct Candidate {
  Tokenizer tokenizer;
  bool forms;
};

const std::vector<Candidate>& candidates() {
  static const std::vector<Candidate> all = [] {
    std::vector<Candidate> read;
    for (const char* name : {"gpt2", "llama2", "llama3", "metaspace_always", "metaspace_first", "metaspace_never",
                             "trained", "unknown", "unknown_fused", "nfc", "nfkc", "nfkd", "nfd"}) {
      const std::string path = std::string(WEFT_TEST_DATA "/tokenizers/") + name + "/tokenizer.json";
      read.push_back({Tokenizer::from_file(path), name[0] == 'n'});
    }
    return read;
  }();
  return all;
}

template <class Stream>
std::string streamed(Stream stream, std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  return text += stream.finish();
}

void check_offsets(const Encoding& encoding, std::string_view text) {
  expect(encoding.ids.size() == encoding.offsets.size(), "an offset for each token");
  for (const TextRange range : encoding.offsets) {
    expect(range.begin <= range.end && range.end <= text.size(), "offsets inside the text");
  }
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  const Encoding encoding = tokenizer.encode_with_offsets(text);
  expect(encoding.ids == ids, "the same tokens with and without offsets");
  check_offsets(encoding, text);
  const std::string decoded = tokenizer.decode(ids);
  expect(detail::is_utf8(decoded), "UTF-8");
  expect(streamed(tokenizer.stream(), ids) == decoded, "the same text token by token");
  const std::string plain = tokenizer.decode(ids, {.skip_special_tokens = true});
  expect(streamed(tokenizer.stream(true), ids) == plain, "the same text token by token without special tokens");
}

/// What a byte-level tokenizer gives back is what it got, but for a space in front and what an added token strips.
void check_lossless(const Tokenizer& tokenizer, std::string_view text) {
  const std::string given = detail::replace_invalid_utf8(text);
  std::string decoded = tokenizer.decode(tokenizer.encode(text, {.add_special_tokens = false}));
  if (decoded.find("<tool call>") != std::string::npos) return;
  if (decoded == given) return;
  const bool has_added = given.find("The") != std::string::npos || given.find('<') != std::string::npos;
  if (has_added) std::erase(decoded, ' ');  // each section has a space in front
  std::string expected = has_added ? given : " " + given;
  if (has_added) std::erase(expected, ' ');
  expect(decoded == expected, "the text that went in");
}

/// Any numbers of tokens in any order.
void check_ids(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const unsigned number = static_cast<unsigned char>(text[i]) * 256U + static_cast<unsigned char>(text[i + 1]);
    ids.push_back(static_cast<std::int32_t>(number % static_cast<unsigned>(tokenizer.vocab_size())));
  }
  const std::string decoded = tokenizer.decode(ids);
  expect(detail::is_utf8(decoded), "UTF-8 of any tokens");
  const std::string together = streamed(tokenizer.stream(), ids);
  expect(!tokenizer.is_byte_level() || together == decoded, "any tokens one by one");
}

void check_bytes(std::string_view text) {
  const ByteTokenizer tokenizer;
  const auto ids = tokenizer.encode(text);
  expect(tokenizer.decode(ids) == text, "bytes");
  expect(streamed(tokenizer.stream(), ids) == text, "bytes one by one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& [tokenizer, forms] = candidates()[data[0] % candidates().size()];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const Limits limits(size, kInAnyCase, forms ? kPerByteFormed : kPerByte);
  check_text(tokenizer, text);
  if (tokenizer.is_byte_level() && !forms) check_lossless(tokenizer, text);
  check_ids(tokenizer, text);
  check_bytes(text);
  return 0;
}

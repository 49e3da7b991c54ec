// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: refused with a line, or a short text goes through it and back.
#include <cstdint>
#include <string>
#include <vector>

#include "weft/tokenizers/tokenizer.hpp"

#include "fuzz/json_mutator.hpp"
#include "fuzz/limits.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr std::string_view kText = "The  abab isn't\n12345 \xE2\x96\x81 \xC3\xA9\xF0\x9F\x91\x8D <s> a\xFF b";

// Each byte that the file's steps may make of the text as a word, in a list that grew; more than PCRE2 takes for the shortest
// expression.
constexpr std::size_t kInAnyCase = 2 * sizeof(detail::TextSection) *
                                   (detail::DerivedBytes::per_byte * kText.size() + detail::DerivedBytes::in_any_case);

void use(const Tokenizer& tokenizer) {
  const Encoding encoding = tokenizer.encode_with_offsets(kText);
  expect(encoding.ids == tokenizer.encode(kText), "the same tokens with and without offsets");
  expect(encoding.ids.size() == encoding.offsets.size(), "an offset for each token");
  for (const TextRange range : encoding.offsets) {
    expect(range.begin <= range.end && range.end <= kText.size(), "offsets inside the text");
  }
  std::vector<std::int32_t> known;  // a template may add numbers that are no tokens
  for (const std::int32_t id : encoding.ids) {
    try {
      tokenizer.token(id);
      known.push_back(id);
    } catch (const Error&) {
    }
  }
  tokenizer.decode(known);
  tokenizer.decode(known, {.skip_special_tokens = true, .clean_up_tokenization_spaces = true});
  auto stream = tokenizer.stream();
  for (const std::int32_t id : known) stream.push(id);
  stream.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits(size, kInAnyCase);
  try {
    use(Tokenizer(std::string(reinterpret_cast<const char*>(data), size), "tokenizer.json"));
  } catch (const Error& error) {
    expect(std::string_view(error.what()).find('\n') == std::string_view::npos, "a message of one line");
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return mutate_json_bytes(data, size, max_size, seed);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* first, std::size_t first_size,
                                                 const std::uint8_t* second, std::size_t second_size, std::uint8_t* out,
                                                 std::size_t max_size, unsigned seed) {
  return cross_json_bytes(first, first_size, second, second_size, out, max_size, seed);
}

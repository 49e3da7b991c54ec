// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/tokenizers/decoder.hpp"

#include "support/catch.hpp"

using namespace weft::detail;
using Kind = DecoderStep::Kind;

namespace {

Decoder decoder(const std::vector<DecoderStep>& steps) {
  Decoder result;
  for (const auto& step : steps) result.add(step);
  return result;
}

const std::string kMark(kReplacementCharacter);

}  // namespace

TEST_CASE("byte-level tokens are joined as bytes, and what is no symbol as it is") {
  const Decoder bytes = decoder({{.kind = Kind::byte_level}});
  CHECK(bytes({"\u0120a", "\u00C3", "\u00A9", "<|a b|>"}) == " a\u00E9<|a b|>");
  CHECK(bytes({"\u00C3"}) == kMark);
  CHECK(bytes({}).empty());
  CHECK(bytes.is_byte_level());
}

TEST_CASE("bytes to fall back on are text together or U+FFFD each") {
  const Decoder fallback = decoder({{.kind = Kind::byte_fallback}, {.kind = Kind::fuse}});
  CHECK(fallback({"a", "<0xC3>", "<0xA9>", "b"}) == "a\u00E9b");
  CHECK(fallback({"<0xC3>", "<0xA9>", "<0xFF>"}) == kMark + kMark + kMark);
  CHECK(fallback({"<0xC3>", "a", "<0xA9>"}) == kMark + "a" + kMark);
  CHECK(fallback({"<0x0g>", "<0x0>"}) == "<0x0g><0x0>");
  CHECK_FALSE(fallback.is_byte_level());
}

TEST_CASE("spaces come back, and the one in front goes") {
  const Decoder llama = decoder({{.kind = Kind::replace, .pattern = "\u2581", .content = " "},
                                 {.kind = Kind::fuse},
                                 {.kind = Kind::strip, .content = " ", .start = 1}});
  CHECK(llama({"\u2581\u2581a", "\u2581b"}) == " a b");
  const auto metaspace = [](PrependScheme scheme) {
    return decoder({{.kind = Kind::metaspace, .pattern = "\u2581", .prepend = scheme}});
  };
  CHECK(metaspace(PrependScheme::always)({"\u2581a", "\u2581b"}) == "a b");
  CHECK(metaspace(PrependScheme::never)({"\u2581a", "\u2581b"}) == " a b");
  CHECK(decoder({{.kind = Kind::strip, .content = "x", .start = 1, .stop = 2}})({"xxaxxx"}) == "xax");
}

TEST_CASE("without steps tokens are joined by spaces") { CHECK(decoder({})({"a", "b"}) == "a b"); }

TEST_CASE("replacements that double a token again and again are refused") {
  std::vector<DecoderStep> steps;
  for (int i = 0; i < 24; ++i) steps.push_back({.kind = Kind::replace, .pattern = "a", .content = "aa"});
  const Decoder doubling = decoder(steps);
  CHECK(doubling({"b"}) == "b");
  CHECK_THROWS_WITH(doubling({"a", "b"}),
                    Catch::Matchers::Contains("the steps of decoder may make at most 1088 bytes of a text of 2 bytes"));
}

// SPDX-License-Identifier: Apache-2.0
#include "weft/train/text.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::find_invalid_utf8;

TEST_CASE("the tokens of a text are its bytes") {
  CHECK(weft::bytes_as_tokens("Az\xC3\xA9") == std::vector<std::int32_t>{65, 122, 195, 169});
  CHECK(weft::bytes_as_tokens("").empty());
}

TEST_CASE("UTF-8 of every length is accepted up to its borders") {
  for (const std::string text : {"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(find_invalid_utf8(text) == std::string::npos);
  }
  CHECK(find_invalid_utf8(std::string_view("a\0b", 3)) == std::string::npos);
}

TEST_CASE("what is not UTF-8 is found where it begins") {
  for (const std::string bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE1\x80", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF1\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK(find_invalid_utf8(bad) == 0);
    CHECK(find_invalid_utf8("ab\xC3\xA9" + bad) == 4);
    CHECK(find_invalid_utf8("ab\xC3\xA9" + bad + "more") == 4);
  }
}

TEST_CASE("a corpus is read whole, or refused with its path and the reason") {
  const weft::testing::TemporaryFolder folder;
  const std::string good = folder / "good.txt";
  weft::write_text(good, "In the beginning\n");
  CHECK(weft::read_corpus(good) == "In the beginning\n");

  CHECK_THROWS_WITH(weft::read_corpus(folder / "missing.txt"),
                    ContainsSubstring("missing.txt") && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(weft::read_corpus(folder.path()), ContainsSubstring("it is a folder"));
  weft::write_text(folder / "empty.txt", "");
  CHECK_THROWS_WITH(weft::read_corpus(folder / "empty.txt"), ContainsSubstring("empty.txt: it is empty"));
  weft::write_text(folder / "latin.txt", "caf\xE9 au lait");
  CHECK_THROWS_WITH(weft::read_corpus(folder / "latin.txt"), ContainsSubstring("latin.txt: it is not UTF-8 at byte 3"));
}

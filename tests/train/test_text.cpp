// SPDX-License-Identifier: Apache-2.0
#include "weft/train/text.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("the tokens of a text are its bytes") {
  CHECK(weft::bytes_as_tokens("Az\xC3\xA9") == std::vector<std::int32_t>{65, 122, 195, 169});
  CHECK(weft::bytes_as_tokens("").empty());
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

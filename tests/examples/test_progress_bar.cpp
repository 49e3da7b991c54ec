// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "apps/support/progress_bar.hpp"
#include "support/catch.hpp"

namespace {

const std::string text = "loss 2.345  validation 2.012 bits/byte  17000 tokens/s";

std::string line(long columns, double share = 0.5) {
  return apps::progress_line(share, "1234/1500", text, "1:23 left", columns);
}

/// Columns that it takes: the bytes that begin a character.
long width(const std::string& shown) {
  return std::count_if(shown.begin(), shown.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
}

}  // namespace

TEST_CASE("a wide terminal shows the bar and all of the text") {
  CHECK(line(120) == "[━━━━━━━━━━━━            ] 1234/1500  " + text + "  1:23 left");
  CHECK(line(120, 0).substr(0, 26) == "[" + std::string(24, ' ') + "]");
  CHECK(width(line(120, 1)) == width(line(120, 0)));
}

TEST_CASE("where the terminal is narrow, the text is shortened before the bar is left out") {
  CHECK(line(79) == "[━━━━━━━━        ] 1234/1500  loss 2.345  validation 2.012 bits/byte  1:23 left");
  CHECK(line(60) == "[━━━━━━━━━━━━            ] 1234/1500  loss 2.345  1:23 left");
  CHECK(line(25) == "1234/1500  1:23 left");
  CHECK(line(4) == "1234");
  CHECK(line(0).empty());
  for (long columns = 0; columns < 130; ++columns) CHECK(width(line(columns)) <= columns);
}

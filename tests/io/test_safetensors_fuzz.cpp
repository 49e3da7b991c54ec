// SPDX-License-Identifier: Apache-2.0
// Valid files, broken in one place at a time: whatever the reader accepts is read to the last byte, which the sanitizers'
// build watches.
#include <set>
#include <string>
#include <vector>

#include "weft/tensor/rng.hpp"

#include "io/safetensors_bytes.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr std::size_t kDataBytes = 56;

std::string valid_header() {
  return "{\"__metadata__\":{\"class\":\"test\"}," + tensor_json("a", "F32", "2,3", "0,24") + "," +
         tensor_json("b", "I64", "", "24,32") + "," + tensor_json("c", "BF16", "3,2,2", "32,56") + "}";
}

/// Numbers from one stream of Philox.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : rng_(seed) {}
  std::size_t below(std::size_t count) { return rng_.below(next_++, static_cast<std::uint32_t>(count)); }

  template <class Choice, std::size_t Count>
  const Choice& one_of(const Choice (&choices)[Count]) {
    return choices[below(Count)];
  }

 private:
  Rng rng_;
  std::uint64_t next_ = 0;
};

/// Puts something else in the place of one number of the header.
std::string break_number(std::string header, Dice& dice) {
  static const std::string numbers[] = {"0",
                                        "1",
                                        "-1",
                                        "1e3",
                                        "0.5",
                                        "25",
                                        "57",
                                        "4294967296",
                                        "9223372036854775807",
                                        "18446744073709551615",
                                        "99999999999999999999",
                                        "null",
                                        "\"8\"",
                                        "[]"};
  std::vector<std::size_t> starts;
  for (std::size_t i = 1; i < header.size(); ++i) {
    const auto digit = [&](std::size_t at) { return header[at] >= '0' && header[at] <= '9'; };
    if (digit(i) && (header[i - 1] == '[' || header[i - 1] == ',')) starts.push_back(i);
  }
  const std::size_t start = starts[dice.below(starts.size())];
  const std::size_t end = header.find_first_not_of("0123456789", start);
  return header.replace(start, end - start, dice.one_of(numbers));
}

/// Removes, doubles or moves a piece of the header.
std::string break_structure(std::string header, Dice& dice) {
  const std::size_t start = dice.below(header.size());
  const std::size_t length = 1 + dice.below(30);
  const std::string piece = header.substr(start, length);
  switch (dice.below(3)) {
    case 0:
      return header.erase(start, length);
    case 1:
      return header.insert(start, piece);
    default:
      return header.erase(start, length).insert(dice.below(header.size() + 1), piece);
  }
}

std::string broken_file(Dice& dice) {
  const std::string header = valid_header();
  switch (dice.below(4)) {
    case 0:
      return safetensors_bytes(break_number(header, dice), kDataBytes);
    case 1:
      return safetensors_bytes(break_structure(header, dice), kDataBytes);
    case 2:
      return safetensors_bytes(header, dice.below(2 * kDataBytes));
    default: {
      std::string bytes = safetensors_bytes(header, kDataBytes);
      bytes[dice.below(8 + header.size())] = static_cast<char>(dice.below(256));
      return bytes;
    }
  }
}

}  // namespace

TEST_CASE("A safetensors file that is broken in one place is refused with a line, or read without harm") {
  REQUIRE(refusal(safetensors_bytes(valid_header(), kDataBytes)).empty());
  Dice dice(2026);
  std::set<std::string> reasons;
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string reason = refusal(broken_file(dice));
    accepted += reason.empty() ? 1 : 0;
    if (!reason.empty()) reasons.insert(reason);
    REQUIRE(reason.find('\n') == std::string::npos);
  }
  CHECK(reasons.size() > 100);  // the files are broken in many ways
  CHECK(accepted > 0);          // other names and other metadata are as good
  CHECK(accepted < 2000);
}

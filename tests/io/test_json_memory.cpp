// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "weft/io/json_text.hpp"

#include "support/catch.hpp"

using weft::detail::beginning_of;
using weft::detail::in_quotes;
using weft::detail::Json;
using weft::detail::json_excerpt;
using weft::detail::JsonList;
using weft::detail::kLongestExcerpt;
using weft::detail::number_text;

namespace {

/// Counts how often one of them is moved to another place.
struct Moved {
  explicit Moved(int number) : value(number) {}
  Moved(Moved&& other) noexcept : value(other.value) { ++count; }
  Moved& operator=(Moved&&) = delete;
  ~Moved() = default;

  int value;
  static inline int count = 0;
};

}  // namespace

TEST_CASE("a list of JSON values has no block that grows with it") {
  Moved::count = 0;
  JsonList<Moved> list;
  std::vector<const Moved*> places;
  for (int i = 0; i < 100'000; ++i) {
    const Moved* const place = &list.emplace_back(i);
    if (i >= 64) places.push_back(place);
  }
  CHECK(Moved::count < 64);  // while the first piece of 64 grows
  REQUIRE(list.size() == 100'000);
  bool in_place = true;
  for (std::size_t i = 0; i < list.size(); ++i) {
    in_place = in_place && list[i].value == static_cast<int>(i) && (i < 64 || &list[i] == places[i - 64]);
  }
  CHECK(in_place);
}

TEST_CASE("a list of JSON values goes on from piece to piece") {
  for (const int size : {0, 1, 63, 64, 65, 128, 129}) {
    JsonList<int> list;
    for (int i = 0; i < size; ++i) list.push_back(i);
    CHECK(list.size() == static_cast<std::size_t>(size));
    CHECK(list.empty() == (size == 0));
    int next = 0;
    for (const int value : list) CHECK(value == next++);
    CHECK(next == size);
    CHECK(list == JsonList<int>(list.begin(), list.end()));
    list.push_back(-1);
    CHECK(list[list.size() - 1] == -1);
  }
}

TEST_CASE("of a value an excerpt looks at the beginning alone") {
  Json::Array many;
  for (int i = 0; i < 1000; ++i) many.push_back(std::string(1000, 'x'));
  std::size_t room = 1500;
  const Json begin = beginning_of(many, room);
  CHECK(room == 0);
  REQUIRE(begin.get_if<Json::Array>()->size() == 2);
  CHECK((*begin.get_if<Json::Array>())[0] == Json(std::string(1000, 'x')));
  CHECK((*begin.get_if<Json::Array>())[1] == Json(std::string(497, 'x')));  // each value counts as a byte
  room = 12;
  CHECK(beginning_of(Json::Object{{"a", 1}, {"b", Json::Object{{"c", true}}}}, room) ==
        Json(Json::Object{{"a", 1}, {"b", Json::Object{{"c", true}}}}));
  CHECK(room == 5);
}

TEST_CASE("an excerpt is short whatever the value is") {
  Json::Array many;
  for (int i = 0; i < 100'000; ++i) many.push_back(i);
  Json::Object names;
  for (int i = 0; i < 1000; ++i)
    names[std::string(1000, 'n') + std::to_string(i)] = Json::Array(many.begin(), many.begin());
  for (const Json& json : std::vector<Json>{many, names, std::string(1'000'000, '\xFF')}) {
    CHECK(json_excerpt(json).size() == kLongestExcerpt + 3);
    CHECK(json_excerpt(json).ends_with("..."));
  }
  CHECK(in_quotes(std::string(1'000'000, '\n')).size() == kLongestExcerpt + 3);
  CHECK(json_excerpt(std::string(kLongestExcerpt - 2, 'x')).size() == kLongestExcerpt);  // all of it
}

TEST_CASE("a number is written as people write it, and never as a row of zeros") {
  CHECK(number_text(0) == "0.0");
  CHECK(number_text(-0.0) == "-0.0");
  CHECK(number_text(1) == "1.0");
  CHECK(number_text(500'000) == "500000.0");
  CHECK(number_text(1'000'000) == "1000000.0");
  CHECK(number_text(10'000'000) == "1e+07");
  CHECK(number_text(-1e14) == "-1e+14");
  CHECK(number_text(123'456'789) == "123456789.0");
  CHECK(number_text(1e-4) == "0.0001");
  CHECK(number_text(1e-5) == "1e-05");
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(999'999'999'999'999.9) == "999999999999999.9");
  CHECK(number_text(std::numeric_limits<double>::infinity()) == "null");
}

TEST_CASE("a number that is written is the same when it is read") {
  for (int exponent = -330; exponent < 308; ++exponent) {
    for (const double digits : {1.0, -1.2345678901234567, 9.999999999999999, 4.0 / 3}) {
      const double number = digits * std::pow(10.0, exponent);
      const std::string text = number_text(number);
      double again = 0;
      std::from_chars(text.data(), text.data() + text.size(), again);
      REQUIRE(again == number);
    }
  }
}

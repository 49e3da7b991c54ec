// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/tensor/rng.hpp"

#include "io/safetensors_bytes.hpp"
#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::testing::little_endian;
using weft::testing::refusal;
using weft::testing::safetensors_bytes;
using weft::testing::tensor_json;

namespace {

/// A header that breaks one rule, and what the message says about it.
struct BadHeader {
  std::string header;
  std::size_t data_bytes;
  std::string message;
};

std::string in_braces(const std::string& members) { return "{" + members + "}"; }

const std::string two_tensors =
    in_braces(tensor_json("a", "F32", "2", "0,8") + "," + tensor_json("b", "I64", "1,1", "8,16"));

}  // namespace

TEST_CASE("a file that keeps every rule is accepted") {
  CHECK(refusal(safetensors_bytes(two_tensors, 16)).empty());
  CHECK(refusal(safetensors_bytes("{}", 0)).empty());
  CHECK(refusal(safetensors_bytes("{}      ", 0)).empty());
  CHECK(refusal(safetensors_bytes("{\"__metadata__\":{}}", 0)).empty());
  CHECK(refusal(safetensors_bytes(in_braces(tensor_json("scalar", "F64", "", "0,8")), 8)).empty());
  CHECK(refusal(safetensors_bytes(in_braces(tensor_json("\\u00e9 \\ud83d\\ude00", "U8", "1", "0,1")), 1)).empty());
}

TEST_CASE("tensors without elements are accepted, also where they share an offset") {
  const std::string header =
      in_braces(tensor_json("full", "F32", "1", "0,4") + "," + tensor_json("empty", "F32", "0,3", "0,0") + "," +
                tensor_json("none", "F64", "9223372036854775807,0", "4,4"));
  CHECK(refusal(safetensors_bytes(header, 4)).empty());
}

TEST_CASE("the order of the header need not be that of the data") {
  const std::string header =
      in_braces(tensor_json("later", "U8", "3", "4,7") + "," + tensor_json("first", "F32", "", "0,4"));
  const std::string bytes = safetensors_bytes(header, 7);
  const weft::SafetensorsFile file(std::as_bytes(std::span(bytes)), "test");
  CHECK(file.names() == std::vector<std::string>{"first", "later"});
  CHECK(std::to_integer<int>(file.tensor("later").bytes[0]) == 4);
}

TEST_CASE("a length that does not fit the file is refused") {
  CHECK_THAT(refusal(""), ContainsSubstring("test.safetensors: a safetensors file begins with 8 bytes, found 0"));
  CHECK_THAT(refusal("1234567"), ContainsSubstring("found 7"));
  CHECK_THAT(refusal(little_endian(100'000'001) + "{}"),
             ContainsSubstring("the header must be at most 100000000 bytes long, found 100000001"));
  CHECK_THAT(refusal(little_endian(~std::uint64_t{0}) + "{}"), ContainsSubstring("found 18446744073709551615"));
  CHECK_THAT(refusal(little_endian(3) + "{}"),
             ContainsSubstring("the header must end within the file: expected 3 bytes, found 2"));
}

TEST_CASE("every broken rule is refused by name") {
  const std::vector<BadHeader> cases = {
      // The frame.
      {"", 0, "the header must start with '{'"},
      {" {}", 0, "the header must start with '{'"},
      {"[]", 0, "the header must start with '{'"},
      {"{}\n", 0, "the header must end with '}', followed by nothing but spaces"},
      {std::string("{}\0", 3), 0, "the header must end with '}', followed by nothing but spaces"},
      {"{\"a\"}", 0, "test.safetensors: not JSON at line 1, column 5: "},
      {std::string("{\0}", 3), 0, "not JSON: byte 1 must not be zero"},
      {"{}{}", 0, "the document root must not be followed by other values"},
      {"{\"\xFF\":1}", 0, "it is not UTF-8"},
      {"{\"\xC0\x80\":1}", 0, "it is not UTF-8"},
      {"{\"\xED\xA0\x80\":1}", 0, "it is not UTF-8"},
      {"{\"\\ud800\":1}", 0, "surrogate"},
      // Metadata.
      {R"({"__metadata__":null})", 0, "__metadata__ must be an object, found null"},
      {R"({"__metadata__":{"k":1}})", 0, "__metadata__: \"k\" must be a string, found 1"},
      {R"({"__metadata__":{"k":{}}})", 0, "__metadata__: \"k\" must be a string, found {}"},
      {R"({"__metadata__":{"k":"1","k":"1"}})", 0, "the key \"k\" must not appear twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "the key \"__metadata__\" must not appear twice"},
      // The keys of a tensor.
      {R"({"a":null})", 0, "tensor \"a\": it must be an object, found null"},
      {R"({"a":{"shape":[],"data_offsets":[0,0]}})", 0, "tensor \"a\": dtype must be there, found none"},
      {R"({"a":{"dtype":"U8","data_offsets":[0,0]}})", 0, "tensor \"a\": shape must be there, found none"},
      {R"({"a":{"dtype":"U8","shape":[0]}})", 0, "tensor \"a\": data_offsets must be there, found none"},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "\"dtype\" must not appear twice"},
      {R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})", 0, "\"shape\" must not appear twice"},
      {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]}})", 0,
       "the key \"data_offsets\" must not"},
      {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}})", 0,
       "tensor \"a\": every key must be dtype, shape or data_offsets, found \"more\""},
      {in_braces(tensor_json("a", "U8", "0", "0,0") + "," + tensor_json("a", "U8", "0", "0,0")), 0,
       "test.safetensors: the key \"a\" must not appear twice"},
      // Their values.
      {in_braces(tensor_json("a", "F31", "0", "0,0")), 0, "dtype must be a name of the format, found \"F31\""},
      {R"({"a":{"dtype":1,"shape":[0],"data_offsets":[0,0]}})", 0, "dtype must be a string, found 1"},
      {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "shape must be an array, found 1"},
      {in_braces(tensor_json("a", "U8", "-1", "0,0")), 0,
       "an extent must be a whole number from 0 to 2^64 - 1, found -1"},
      {in_braces(tensor_json("a", "U8", "1.0", "0,1")), 1, "an extent must be a whole number"},
      {in_braces(tensor_json("a", "U8", "1e0", "0,1")), 1, "an extent must be a whole number"},
      {in_braces(tensor_json("a", "U8", "01", "0,1")), 1, "not JSON"},
      {in_braces(tensor_json("a", "U8", "\\\"1\\\"", "0,1")), 1, "not JSON"},
      {in_braces(tensor_json("a", "U8", "[1]", "0,1")), 1,
       "an extent must be a whole number from 0 to 2^64 - 1, found [1]"},
      {in_braces(tensor_json("a", "U8", "9223372036854775808", "0,1")), 1, "an extent must be below 2^63"},
      {in_braces(tensor_json("a", "U8", "18446744073709551616", "0,1")), 1, "an extent must be a whole number"},
      {in_braces(tensor_json("a", "U8", "1", "0")), 1, "data_offsets must be two numbers, found [0]"},
      {in_braces(tensor_json("a", "U8", "1", "0,1,1")), 1, "data_offsets must be two numbers, found [0,1,1]"},
      {in_braces(tensor_json("a", "U8", "1", "-1,0")), 1, "an offset must be a whole number"},
      {in_braces(tensor_json("a", "U8", "1", "1,0")), 1, "data_offsets must not go backwards, found [1, 0]"},
      // Sizes.
      {in_braces(tensor_json("a", "F32", "2,3", "0,20")), 20,
       "tensor \"a\" of F32 [2, 3]: data_offsets must span its size: expected 24 bytes, found 20"},
      {in_braces(tensor_json("a", "F4", "3", "0,2")), 2, "the elements must fill whole bytes, found 12 bits"},
      {in_braces(tensor_json("a", "U8", "4294967296,4294967296", "0,0")), 0, "must be a 64-bit number"},
      {in_braces(tensor_json("a", "F32", "4611686018427387904,4", "0,0")), 0, "must be a 64-bit number"},
      {in_braces(tensor_json("a", "F64", "2305843009213693952", "0,0")), 0, "must be a 64-bit number"},
      // Coverage.
      {in_braces(tensor_json("a", "U8", "1", "1,2")), 2,
       "tensor \"a\": data_offsets must leave no hole and not overlap: "
       "expected to begin at 0, found 1"},
      {in_braces(tensor_json("a", "U8", "2", "0,2") + "," + tensor_json("b", "U8", "2", "1,3")), 3,
       "tensor \"b\": data_offsets must leave no hole and not overlap: expected to begin at 2, found 1"},
      {in_braces(tensor_json("a", "U8", "2", "0,2") + "," + tensor_json("b", "U8", "2", "0,2")), 2, "tensor \"b\""},
      {in_braces(tensor_json("a", "U8", "2", "0,2")), 3, "must end with the file: expected 2 bytes of data, found 3"},
      {in_braces(tensor_json("a", "U8", "2", "0,2")), 1, "must end with the file: expected 2 bytes of data, found 1"},
      {in_braces(tensor_json("a", "U8", "18446744073709551615", "0,18446744073709551615")), 1, "below 2^63"},
      {in_braces(tensor_json("a", "U8", "1152921504606846976", "0,1152921504606846976")), 1, "must end with the file"},
  };
  for (const BadHeader& bad : cases) {
    INFO(bad.header);
    CHECK_THAT(refusal(safetensors_bytes(bad.header, bad.data_bytes)), ContainsSubstring(bad.message));
  }
}

TEST_CASE("a long or hostile name cannot flood a message") {
  const std::string name = "\\u001b[31m" + std::string(100'000, 'x');
  const std::string message = refusal(safetensors_bytes(in_braces(tensor_json(name, "U8", "1", "0,0")), 0));
  CHECK(message.size() < 400);
  CHECK(message.find('\x1B') == std::string::npos);
}

TEST_CASE("a file shortened at any byte is refused") {
  const std::string whole = safetensors_bytes(two_tensors + "   ", 16);
  REQUIRE(refusal(whole).empty());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(refusal(whole.substr(0, size)).empty());
  }
  CHECK_FALSE(refusal(whole + "x").empty());
}

TEST_CASE("no damage to a file makes the reader read beyond it") {
  // Random headers from the words of the format, and random bytes in good files: accepted or refused, never a fault.
  // What is accepted is read to the last byte, so that a sanitizer sees it.
  const std::vector<std::string> words = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          ",",
                                          ":",
                                          "\"a\"",
                                          "\"b\"",
                                          "\"dtype\"",
                                          "0",
                                          "1",
                                          "8",
                                          "16",
                                          "-1",
                                          "\"",
                                          " ",
                                          "null",
                                          "\"shape\"",
                                          "\"F32\"",
                                          "\"U8\"",
                                          "\"data_offsets\"",
                                          "\"__metadata__\"",
                                          "9223372036854775807"};
  const weft::Rng rng(7);
  std::uint64_t counter = 0;
  const auto below = [&](std::size_t limit) {
    return static_cast<std::size_t>(rng.uniform(counter++) * static_cast<double>(limit));
  };
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string header = two_tensors;
    for (std::size_t edits = below(4); edits > 0; --edits) {
      const std::size_t place = below(header.size());
      const std::string& word = words[below(words.size())];
      header.replace(place, below(4), word);
    }
    accepted += refusal(safetensors_bytes(header, below(3) == 0 ? below(40) : 16)).empty() ? 1 : 0;

    std::string bytes = safetensors_bytes(two_tensors, 16);
    for (std::size_t edits = below(3); edits > 0; --edits) bytes[below(bytes.size())] = static_cast<char>(below(256));
    accepted += refusal(bytes).empty() ? 1 : 0;
  }
  CHECK(accepted > 500);
  CHECK(accepted < 5500);
}

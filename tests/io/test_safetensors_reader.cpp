// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "weft/io/safetensors_set.hpp"
#include "weft/tensor/tensor.hpp"

#include "io/safetensors_bytes.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::Dyn;
using weft::SafetensorsFile;
using weft::Shape;
using weft::Tensor;
using weft::testing::little_endian;
using weft::testing::safetensors_bytes;
using weft::testing::tensor_json;

namespace {

const std::string goldens = WEFT_TEST_DATA;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A file of one tensor "t" with one axis; one byte before the data leaves nothing aligned.
template <class T>
SafetensorsFile file_of(std::string& memory, std::string_view dtype, const std::vector<T>& values) {
  const std::string header =
      "{" + tensor_json("t", dtype, std::to_string(values.size()), "0," + std::to_string(values.size() * sizeof(T))) +
      "}";
  memory = "?" + little_endian(header.size()) + header + bytes_of(values);
  return SafetensorsFile(std::as_bytes(std::span(memory).subspan(1)), "memory");
}

template <class Target, class T>
std::vector<Target> load_as(std::string_view dtype, const std::vector<T>& values) {
  std::string memory;
  const SafetensorsFile file = file_of(memory, dtype, values);
  Tensor<Target, Shape<Dyn>> tensor(Shape<Dyn>(static_cast<weft::Index>(values.size())));
  file.load_into(tensor, "t");
  return {tensor.data(), tensor.data() + tensor.size()};
}

}  // namespace

TEST_CASE("equal element types are copied bit for bit") {
  const std::vector<float> floats = {0.0F, -0.0F, 1.5F, std::numeric_limits<float>::infinity(), 1e-45F};
  CHECK(bytes_of(load_as<float>("F32", floats)) == bytes_of(floats));
  const std::vector<std::int64_t> ids = {-100, 0, std::int64_t{1} << 40};
  CHECK(load_as<std::int64_t>("I64", ids) == ids);
  const auto nan = load_as<float>("F32", std::vector<float>{std::nanf("")});
  CHECK(std::isnan(nan[0]));
}

TEST_CASE("narrower numbers become wider ones exactly") {
  const std::vector<float> floats = {1.1F, -3e38F, 1e-45F};
  const auto doubles = load_as<double>("F32", floats);
  for (std::size_t i = 0; i < floats.size(); ++i) CHECK(doubles[i] == static_cast<double>(floats[i]));
  const std::vector<std::uint16_t> brain = {0x3F80, 0xC049, 0x0001, 0x7F80};
  const auto from_brain = load_as<float>("BF16", brain);
  for (std::size_t i = 0; i < brain.size(); ++i) {
    CHECK(from_brain[i] == static_cast<float>(weft::bf16::from_bits(brain[i])));
  }
  CHECK(load_as<std::int64_t>("I32", std::vector<std::int32_t>{-7, 1 << 30}) == std::vector<std::int64_t>{-7, 1 << 30});
}

TEST_CASE("every half-precision number becomes the float of the same value") {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  const auto floats = load_as<float>("F16", halves);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31U);
    const int fraction = static_cast<int>(i & 1023U);
    double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
    if (std::isnan(value)) {
      REQUIRE(std::isnan(floats[i]));
    } else {
      REQUIRE(static_cast<double>(floats[i]) == (i >= 32768 ? -value : value));
      REQUIRE(std::signbit(floats[i]) == (i >= 32768));
    }
  }
}

TEST_CASE("wider numbers are rounded to nearest") {
  CHECK(load_as<float>("F64", std::vector<double>{0.1, 1e-300})[0] == 0.1F);
  const auto brain = load_as<weft::bf16>("F32", std::vector<float>{1.00390625F, 1.01171875F});
  CHECK(static_cast<float>(brain[0]) == 1.0F);  // ties to even
  CHECK(static_cast<float>(brain[1]) == 1.015625F);
}

TEST_CASE("other pairs of element types are refused") {
  CHECK_THROWS_WITH(load_as<float>("I32", std::vector<std::int32_t>{1}),
                    "memory: tensor \"t\": the element types must agree: expected F32, found I32");
  CHECK_THROWS_WITH(load_as<std::int32_t>("I64", std::vector<std::int64_t>{1}), ContainsSubstring("found I64"));
  CHECK_THROWS_WITH(load_as<std::int64_t>("F32", std::vector<float>{1}), ContainsSubstring("expected I64, found F32"));
}

TEST_CASE("a tensor of another shape or name is refused and the target stays") {
  std::string memory;
  const SafetensorsFile file = file_of(memory, "F32", std::vector<float>{1, 2});
  Tensor<float, Shape<1, 2>> matrix;
  CHECK_THROWS_WITH(file.load_into(matrix, "t"),
                    "memory: tensor \"t\": the shapes must agree: expected [1, 2], found F32 [2]");
  Tensor<float, Shape<Dyn>> three(Shape<Dyn>(3));
  CHECK_THROWS_WITH(file.load_into(three, "t"), ContainsSubstring("expected [3], found F32 [2]"));
  Tensor<float, Shape<>> scalar;
  CHECK_THROWS_WITH(file.load_into(scalar, "t"), ContainsSubstring("expected [], found F32 [2]"));
  CHECK_THROWS_WITH(file.load_into(matrix, "u"), "memory: tensor \"u\" is expected, but not there");
  CHECK_THROWS_WITH(weft::SafetensorsSet(file).tensor("u"),
                    "memory: tensor \"u\" is expected, but not there; of 1 the first is \"t\"");
  CHECK_THROWS_WITH(weft::SafetensorsSet({}, "none").tensor("u"),
                    "none: tensor \"u\" is expected, but not there; there is none");
  CHECK(matrix(0, 0) == 0.0F);
}

TEST_CASE("a tensor that nobody expects is refused") {
  std::string memory;
  const SafetensorsFile file = file_of(memory, "F32", std::vector<float>{1, 2});
  CHECK_NOTHROW(file.expect_no_others(std::vector<std::string>{"u", "t"}));
  CHECK_THROWS_WITH(file.expect_no_others(std::vector<std::string>{"u"}),
                    "memory: tensor \"t\" of F32 [2] is not expected");
}

TEST_CASE("a file that is missing, a folder or empty is refused with its name") {
  const weft::testing::TemporaryFolder folder;
  CHECK_THROWS_WITH(SafetensorsFile(folder / "none"), "cannot open " + folder / "none" + ": No such file or directory");
  CHECK_THROWS_WITH(SafetensorsFile(folder.path()), ContainsSubstring("it is a folder"));
  CHECK_THROWS_WITH(SafetensorsFile("/dev/null"), ContainsSubstring("it is not a regular file"));
}

TEST_CASE("a file object may be moved") {
  SafetensorsFile first(goldens + "/layers/ginlayer_expand.safetensors");
  const std::vector<std::string> names = first.names();
  const SafetensorsFile second = std::move(first);
  CHECK(second.names() == names);
  CHECK(second.tensor(names.back()).name == names.back());
  CHECK(second.metadata().at("class") == "GINLayer");
}

TEST_CASE("a golden file of the reference is read as its description says") {
  const SafetensorsFile file(goldens + "/layers/hf_rmsnorm.safetensors");
  CHECK(file.metadata().at("class") == "LlamaRMSNorm");
  Tensor<float, Shape<24>> weight;
  file.load_into(weight, "param.weight");
  const auto& input = file.tensor("in.x");
  CHECK(input.dtype == "F32");
  REQUIRE(input.shape.size() == 3);
  Tensor<float, Shape<Dyn, Dyn, 24>> x(Shape<Dyn, Dyn, 24>(input.shape[0], input.shape[1]));
  Tensor<float, Shape<Dyn, Dyn, 24>> y(x.shape());
  file.load_into(x, "in.x");
  file.load_into(y, "out.output");
  for (weft::Index token = 0; token < x.size() / 24; ++token) {
    double squares = 0;
    for (int i = 0; i < 24; ++i) squares += std::pow(x.data()[token * 24 + i], 2);
    for (int i = 0; i < 24; ++i) {
      const double expected = weight(i) * x.data()[token * 24 + i] / std::sqrt(squares / 24 + 1e-5);
      CHECK(y.data()[token * 24 + i] == Approx(expected).epsilon(1e-6).margin(1e-6));
    }
  }
}

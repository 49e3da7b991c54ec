// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <string>

#include "weft/io/safetensors_reader.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/io/text_file.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::Dyn;
using weft::SafetensorsFile;
using weft::SafetensorsWriter;
using weft::Shape;
using weft::Tensor;
using weft::testing::TemporaryFolder;

namespace {

/// Host memory that the writer must not touch but through `copy_to_host`.
struct FarDevice : weft::Cpu {
  static constexpr bool host_accessible = false;
};

template <class T, class ShapeType>
bool same(const Tensor<T, ShapeType>& a, const Tensor<T, ShapeType>& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0;
}

}  // namespace

TEST_CASE("what is written is read back bit for bit") {
  const TemporaryFolder folder;
  const auto matrix = weft::testing::random_tensor<float>(Shape<Dyn, 3>(5), 1);
  const auto wide = weft::testing::random_tensor<double>(Shape<7>(), 2);
  Tensor<std::int64_t, Shape<>> scalar;
  *scalar.data() = -5;
  Tensor<weft::bf16, Shape<2, 0>> empty;
  SafetensorsWriter writer({{"format", "pt"}, {"odd \"key\"\n", "\x01 caf\xC3\xA9 \\"}});
  writer.add("matrix", matrix);
  writer.add("wide", wide);
  writer.add("a.scalar", scalar);
  writer.add("empty", empty);
  writer.write(folder / "file");

  const SafetensorsFile file(folder / "file");
  CHECK(file.names() == std::vector<std::string>{"a.scalar", "empty", "matrix", "wide"});
  CHECK(file.metadata().at("odd \"key\"\n") == "\x01 caf\xC3\xA9 \\");
  Tensor<float, Shape<Dyn, 3>> matrix_again(Shape<Dyn, 3>(5));
  file.load_into(matrix_again, "matrix");
  CHECK(same(matrix, matrix_again));
  Tensor<double, Shape<7>> wide_again;
  file.load_into(wide_again, "wide");
  CHECK(same(wide, wide_again));
  CHECK(file.tensor("a.scalar").shape.empty());
  CHECK(file.tensor("empty").type_text() == "BF16 [2, 0]");
}

TEST_CASE("the bytes of a file do not depend on the order of its tensors") {
  const TemporaryFolder folder;
  const auto one = weft::testing::random_tensor<float>(Shape<3>(), 1);
  const auto two = weft::testing::random_tensor<double>(Shape<2>(), 2);
  SafetensorsWriter writer;
  writer.add("one", one);
  writer.add("two", two);
  writer.write(folder / "file");
  SafetensorsWriter other;
  other.add("two", two);
  other.add("one", one);
  other.write(folder / "other");
  CHECK(weft::read_text(folder / "file") == weft::read_text(folder / "other"));
}

TEST_CASE("the header is padded to 8 bytes and every tensor aligned to its elements") {
  const TemporaryFolder folder;
  Tensor<float, Shape<1>> one;
  Tensor<double, Shape<1>> two;
  Tensor<weft::bf16, Shape<3>> three;
  SafetensorsWriter writer;
  writer.add("a", three);
  writer.add("b", one);
  writer.add("c", two);
  writer.write(folder / "file");
  const std::string bytes = weft::read_text(folder / "file");
  CHECK(static_cast<unsigned char>(bytes[0]) % 8 == 0);
  const SafetensorsFile file(folder / "file");
  const std::byte* begin = file.tensor("c").bytes.data();
  CHECK(reinterpret_cast<std::uintptr_t>(begin) % 8 == 0);
  CHECK(file.tensor("b").bytes.data() == begin + 8);
  CHECK(file.tensor("a").bytes.data() == begin + 12);
}

TEST_CASE("an empty file is a file") {
  const TemporaryFolder folder;
  SafetensorsWriter().write(folder / "file");
  CHECK(SafetensorsFile(folder / "file").names().empty());
}

TEST_CASE("tensors of other devices are copied through the host, both ways") {
  const TemporaryFolder folder;
  constexpr weft::Index many = 300'001;  // more than one chunk
  Tensor<float, Shape<Dyn>, FarDevice> far{Shape<Dyn>(many)};
  for (weft::Index i = 0; i < many; ++i) far.data()[i] = static_cast<float>(i);
  SafetensorsWriter writer;
  writer.add("far", far);
  writer.write(folder / "file");
  Tensor<float, Shape<Dyn>, FarDevice> again{Shape<Dyn>(many)};
  const SafetensorsFile file(folder / "file");
  file.load_into(again, "far");
  CHECK(std::memcmp(far.data(), again.data(), many * sizeof(float)) == 0);
  Tensor<double, Shape<Dyn>, FarDevice> wide{Shape<Dyn>(many)};
  file.load_into(wide, "far");
  CHECK(wide.data()[many - 1] == static_cast<double>(many - 1));
}

TEST_CASE("what the reader would refuse is not written, and the old file stays") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  Tensor<float, Shape<1>> tensor;
  const auto refusal = [&](const std::string& name, const std::string& other_name) {
    weft::write_text(path, "old");
    SafetensorsWriter writer;
    writer.add(name, tensor);
    writer.add(other_name, tensor);
    std::string message;
    try {
      writer.write(path);
    } catch (const weft::Error& error) {
      message = error.what();
    }
    CHECK(weft::read_text(path) == "old");
    return message;
  };
  CHECK_THAT(refusal("a", "a"), ContainsSubstring("tensor \"a\": its name must not appear twice"));
  CHECK_THAT(refusal("a", "\xFF"), ContainsSubstring("names and metadata must be UTF-8"));
  CHECK_THAT(refusal("a", "__metadata__"), ContainsSubstring("__metadata__"));
}

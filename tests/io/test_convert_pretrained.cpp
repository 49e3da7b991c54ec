// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "weft/io/convert_pretrained.hpp"
#include "weft/io/pretrained.hpp"

#include "models/tiny_models.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

std::uint16_t half(float value) { return detail::Half(value).bits; }

template <class Target>
std::uint16_t bits_of(Target value) {
  return std::bit_cast<std::uint16_t>(value);
}

/// A folder with one tensor "x" of these values, and one of whole numbers.
template <class T>
void write_folder(const std::string& folder, const std::vector<T>& values) {
  fs::create_directories(folder);
  Tensor<T, Shape<Dyn>> x(Shape<Dyn>(static_cast<Index>(values.size())));
  std::copy(values.begin(), values.end(), x.data());
  Tensor<std::int64_t, Shape<2>> counts;
  counts.data()[0] = 3;
  counts.data()[1] = -1;
  SafetensorsWriter writer({{"format", "pt"}, {"made by", "hand"}});
  writer.add("x", x);
  writer.add("counts", counts);
  writer.write(folder + "/model.safetensors");
  write_text(folder + "/config.json", R"({"torch_dtype": "float32", "unknown": {"deep": [1, 2.5]}})");
  write_text(folder + "/tokenizer.json", "{}");
  write_text(folder + "/checkpoint.safetensors", "of a run");
}

template <class T>
std::vector<T> elements(const SafetensorsTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

std::ptrdiff_t files_in(const std::string& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

}  // namespace

TEST_CASE("floats round to the nearest half, ties to even") {
  CHECK(half(0.0F) == 0x0000);
  CHECK(half(-0.0F) == 0x8000);
  CHECK(half(1.0F) == 0x3C00);
  CHECK(half(-2.5F) == 0xC100);
  CHECK(half(1 + 0x1p-11F) == 0x3C00);             // a tie, to even
  CHECK(half(1 + 3 * 0x1p-11F) == 0x3C02);         // a tie, to even
  CHECK(half(1 + 0x1p-11F + 0x1p-20F) == 0x3C01);  // beyond the tie
  CHECK(half(65504.0F) == 0x7BFF);                 // the largest
  CHECK(half(65519.0F) == 0x7BFF);
  CHECK(half(65520.0F) == 0x7C00);  // a tie with what would follow: infinite
  CHECK(half(1e30F) == 0x7C00);
  CHECK(half(0x1p-14F) == 0x0400);             // the least normal one
  CHECK(half(0x1p-14F - 0x1p-25F) == 0x0400);  // a tie below it, to even
  CHECK(half(0x1p-24F) == 0x0001);             // the least
  CHECK(half(0x1p-25F) == 0x0000);             // a tie, to even
  CHECK(half(3 * 0x1p-25F) == 0x0002);         // a tie, to even
  CHECK(half(-std::numeric_limits<float>::infinity()) == 0xFC00);
  CHECK(std::isnan(static_cast<float>(detail::Half(std::nanf("")))));
}

TEST_CASE("every half is the half of its float") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto original = std::bit_cast<detail::Half>(static_cast<std::uint16_t>(bits));
    const auto value = static_cast<float>(original);
    if (std::isnan(value)) continue;
    REQUIRE(half(value) == bits);
  }
}

TEST_CASE("doubles round to 16 bits once") {
  const double above_tie = 1 + 0x1p-11 + 0x1p-40;  // as a float it is on the tie
  CHECK(bits_of(detail::nearest<detail::Half>(above_tie)) == 0x3C01);
  CHECK(bits_of(detail::nearest<detail::Half>(-above_tie)) == 0xBC01);
  CHECK(bits_of(detail::nearest<detail::Half>(1 + 0x1p-11)) == 0x3C00);
  CHECK(detail::nearest<bf16>(1 + 0x1p-8 + 0x1p-40).bits() == 0x3F81);
  CHECK(detail::nearest<bf16>(1 + 3 * 0x1p-8 - 0x1p-40).bits() == 0x3F81);
  CHECK(detail::nearest<bf16>(1 + 0x1p-8).bits() == 0x3F80);
  CHECK(std::isinf(static_cast<float>(detail::nearest<detail::Half>(1e300))));
  CHECK(std::isnan(static_cast<float>(detail::nearest<bf16>(std::nan("")))));
  CHECK(detail::nearest<float>(0.1) == 0.1F);
}

TEST_CASE("a folder is converted, and keeps what it says") {
  const TemporaryFolder folder;
  write_folder<float>(folder / "a", {1, 1 + 0x1p-11F, -0.3F, 65504});
  const ConvertReport report = convert_pretrained(folder / "a", folder / "b", {.dtype = "F16"});
  CHECK(report.tensors == 2);
  CHECK(report.converted == 1);
  CHECK(report.bytes == 8 + 16);
  CHECK(report.files == 1);
  CHECK(report.copied == std::vector<std::string>{"tokenizer.json"});
  const SafetensorsFile file(folder / "b/model.safetensors");
  CHECK(file.tensor("x").dtype == "F16");
  CHECK(elements<std::uint16_t>(file.tensor("x")) == std::vector<std::uint16_t>{0x3C00, 0x3C00, 0xB4CD, 0x7BFF});
  CHECK(elements<std::int64_t>(file.tensor("counts")) == std::vector<std::int64_t>{3, -1});
  CHECK(file.metadata().at("made by") == "hand");
  const auto config = detail::parse_json(read_text(folder / "b/config.json"), "config");
  CHECK(config == detail::parse_json(R"({"torch_dtype": "float16", "unknown": {"deep": [1, 2.5]}})", "expected"));
  CHECK_FALSE(fs::exists(folder / "b/checkpoint.safetensors"));
  CHECK(files_in(folder.path()) == 2);

  write_text(folder / "a/config.json", R"({"dtype": "float32", "torch_dtype": "float32"})");
  convert_pretrained(folder / "a", folder / "c", {.dtype = "BF16"});
  CHECK(detail::parse_json(read_text(folder / "c/config.json"), "config") ==
        detail::parse_json(R"({"dtype": "bfloat16", "torch_dtype": "bfloat16"})", "expected"));

  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "d", {.dtype = "F64"}),
                    "convert_pretrained: the element type must be F32, BF16 or F16, found \"F64\"");

  convert_pretrained(folder / "a", folder / "same");
  CHECK(read_text(folder / "same/model.safetensors") == read_text(folder / "a/model.safetensors"));
  CHECK(read_text(folder / "same/config.json") == read_text(folder / "a/config.json"));
}

TEST_CASE("a model goes to 16 bits, into shards and back") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  convert_pretrained(folder / "model", folder / "shards", {.dtype = "BF16", .max_shard_size = 4096});
  CHECK(fs::exists(folder / "shards/model.safetensors.index.json"));
  convert_pretrained(folder / "shards", folder / "back", {.dtype = "F32"});
  auto narrow = load_pretrained<TinyLlama>(folder / "shards");
  auto back = load_pretrained<TinyLlama>(folder / "back");
  std::vector<float> expected;
  std::vector<float> from_shards;
  std::vector<float> found;
  const auto collect = [](auto& from, std::vector<float>& to) {
    for_each_parameter(from, [&](const ParameterName&, const auto& parameter) {
      for (const float value : parameter.value().span()) to.push_back(static_cast<float>(bf16(value)));
    });
  };
  collect(model, expected);
  collect(narrow, from_shards);
  collect(back, found);
  CHECK(from_shards == expected);
  CHECK(found == expected);

  // Another index's fields stay.
  const std::string index = folder / "shards/model.safetensors.index.json";
  auto json = detail::parse_json(read_text(index), index);
  (*json.get_if<detail::Json::Object>())["kept"] = true;
  write_text(index, detail::json_text(json));
  convert_pretrained(folder / "shards", folder / "again", {.max_shard_size = 8192});
  const auto again = detail::parse_json(read_text(folder / "again/model.safetensors.index.json"), index);
  CHECK(*again.find("kept") == detail::Json(true));
  CHECK(*again.find("metadata")->find("total_size") == *json.find("metadata")->find("total_size"));
}

TEST_CASE("what cannot be converted leaves nothing behind") {
  const TemporaryFolder folder;
  write_folder<double>(folder / "a", {1, 70000});
  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "b", {.dtype = "F16"}),
                    ContainsSubstring("\"x\" has an element beyond the largest of F16"));
  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "b", {.dtype = "I8"}),
                    ContainsSubstring("F32, BF16 or F16, found \"I8\""));
  write_text(folder / "file", "");
  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "file"), ContainsSubstring("exists already"));
  CHECK_THROWS_WITH(convert_pretrained(folder / "none", folder / "b"), ContainsSubstring("none/config.json"));
  const ConvertOptions stopped{.on_progress = [](std::uint64_t, std::uint64_t) { throw std::runtime_error("enough"); }};
  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "b", stopped), "enough");
  CHECK(files_in(folder.path()) == 2);
  fs::create_directories(folder / "b");  // an empty folder is no obstacle
  convert_pretrained(folder / "a", folder / "b", {.dtype = "BF16"});
  CHECK(fs::exists(folder / "b/config.json"));
}

TEST_CASE("a conversion leaves what it did not make as it is") {
  const TemporaryFolder folder;
  write_folder<double>(folder / "b.partial", {1, 70000});
  fs::create_directories(folder / "notes");
  write_text(folder / "notes/diary", "mine");
  fs::create_directory_symlink("notes", folder / "c.partial");
  CHECK_THROWS_AS(convert_pretrained(folder / "b.partial", folder / "b", {.dtype = "F16"}), Error);
  convert_pretrained(folder / "b.partial", folder / "b");
  convert_pretrained(folder / "b.partial", folder / "c");
  CHECK(files_in(folder / "b.partial") == 4);
  CHECK(read_text(folder / "notes/diary") == "mine");
  CHECK(files_in(folder.path()) == 5);
}

TEST_CASE("a model is not converted into its own folder") {
  const TemporaryFolder folder;
  write_folder<float>(folder / "a", {1});
  fs::create_directory_symlink("a", folder / "link");
  for (const char* output : {"a", "a/", "a/b", "a/b/c", "link", "link/b", "link/../a"}) {
    CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / output), ContainsSubstring("must be outside of"));
  }
  CHECK(files_in(folder / "a") == 4);
  convert_pretrained(folder / "link", folder / "a b");  // a name that begins with the other
  CHECK(fs::exists(folder / "a b/config.json"));
}

TEST_CASE("what goes with a model is copied through links, and missed where they lead nowhere") {
  const TemporaryFolder folder;
  write_folder<float>(folder / "a", {1});
  write_text(folder / "licence", "text");
  fs::create_directories(folder / "pictures");
  fs::create_symlink("../licence", folder / "a/LICENSE");
  fs::create_directory_symlink("../pictures", folder / "a/pictures");
  CHECK(convert_pretrained(folder / "a", folder / "b").copied == std::vector<std::string>{"LICENSE", "tokenizer.json"});
  CHECK_FALSE(fs::is_symlink(folder / "b/LICENSE"));
  fs::remove(folder / "licence");
  CHECK_THROWS_WITH(convert_pretrained(folder / "a", folder / "c"), ContainsSubstring("a/LICENSE: No such file"));
  CHECK_FALSE(fs::exists(folder / "c"));
}

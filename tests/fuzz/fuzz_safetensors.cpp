// SPDX-License-Identifier: Apache-2.0
// safetensors: refused with a line, or every byte of every tensor is read. The mutator makes a valid file of what it gets and
// breaks one thing.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "weft/io/safetensors_reader.hpp"

#include "fuzz/json_mutator.hpp"
#include "fuzz/limits.hpp"
#include "io/safetensors_bytes.hpp"

using namespace weft;
using namespace weft::testing;
using detail::Json;

namespace {

constexpr std::size_t kInAnyCase = 4096;  // RapidJSON's buffers, a tensor's places in three lists, a message

volatile std::uint64_t sink;

template <class Target>
void load_vector(const SafetensorsFile& file, const SafetensorsTensor& source) {
  Tensor<Target, Shape<Dyn>> target{Shape<Dyn>(source.shape[0])};
  try {
    file.load_into(target, source.name);
  } catch (const Error&) {
    return;  // elements of another type
  }
  for (Index i = 0; i < target.size(); ++i) sink = sink + (target.data()[i] != Target{} ? 1 : 0);
}

void read_tensor(const SafetensorsFile& file, const SafetensorsTensor& tensor) {
  std::uint64_t sum = 0;
  for (const std::byte byte : tensor.bytes) sum += std::to_integer<std::uint64_t>(byte);
  for (const Index extent : tensor.shape) sum += static_cast<std::uint64_t>(extent);
  sink = sum + tensor.type_text().size();
  expect(&file.tensor(tensor.name) == &tensor, "a tensor under its name");
  if (tensor.shape.size() != 1 || tensor.bytes.empty()) return;
  if (tensor.dtype == "F16" || tensor.dtype == "BF16" || tensor.dtype == "F32" || tensor.dtype == "F64") {
    load_vector<float>(file, tensor);
    load_vector<double>(file, tensor);
    load_vector<bf16>(file, tensor);
  } else if (tensor.dtype == "I32" || tensor.dtype == "I64") {
    load_vector<std::int64_t>(file, tensor);
  }
}

/// A valid file: names and metadata out of JSON of any kind, and as much data as the tensors take, at most `most` bytes.
Json valid_header(const Json& json, Dice& dice, std::size_t most, std::size_t& data_bytes) {
  Json::Object header;
  data_bytes = 0;
  const auto* members = json.get_if<Json::Object>();
  for (const auto& [name, value] : members != nullptr ? *members : Json::Object()) {
    if (name == "__metadata__") {
      const auto* pairs = value.get_if<Json::Object>();
      Json::Object metadata;
      for (const auto& [key, text] : pairs != nullptr ? *pairs : Json::Object())
        metadata[key] = detail::json_text(text);
      header[name] = std::move(metadata);
      continue;
    }
    const auto& dtype = detail::safetensors_dtypes[dice.below(detail::safetensors_dtypes.size())];
    std::vector<std::size_t> extents(dice.below(4));
    std::size_t bits = static_cast<std::size_t>(dtype.bits);
    for (std::size_t& extent : extents) bits *= extent = dice.below(5);
    if (bits % 8 != 0 || bits / 8 > most - data_bytes) continue;
    header[name] = Json::Object{{"dtype", dtype.name},
                                {"shape", Json::Array(extents.begin(), extents.end())},
                                {"data_offsets", Json::Array{data_bytes, data_bytes + bits / 8}}};
    data_bytes += bits / 8;
  }
  if (dice.one_in(4)) {
    header["t" + std::to_string(dice.below(10))] = Json::Object{
        {"dtype", "U8"}, {"shape", Json::Array{1}}, {"data_offsets", Json::Array{data_bytes, data_bytes + 1}}};
    ++data_bytes;
  }
  return header;
}

Json header_of(const std::string& bytes) {
  try {
    return detail::parse_json(detail::split_safetensors(std::as_bytes(std::span(bytes)), "").header, "");
  } catch (const Error&) {
    return Json::Object();
  }
}

/// Breaks one thing, or nothing.
std::string broken_file(std::string header, Json json, std::size_t data_bytes, Dice& dice) {
  switch (dice.below(8)) {
    case 0:
      return safetensors_bytes(header, data_bytes);
    case 1:
      return safetensors_bytes(header, dice.below(2 * data_bytes + 2));
    case 2: {
      std::string bytes = safetensors_bytes(header, data_bytes);
      bytes.replace(
          0, 8, little_endian(dice.one_in(2) ? std::uint64_t{1} << dice.below(64) : header.size() + dice.below(9) - 4));
      return bytes;
    }
    case 3:
      return safetensors_bytes(mutate_text(header), data_bytes);
    case 4:
      return safetensors_bytes(header + std::string(dice.below(9), ' '), data_bytes);
    default:
      mutate_json(json, dice);
      return safetensors_bytes(detail::json_text(json), data_bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Limits limits(size, kInAnyCase);
  try {
    const SafetensorsFile file(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
    for (const SafetensorsTensor& tensor : file.tensors()) read_tensor(file, tensor);
    for (const auto& [key, text] : file.metadata()) sink = sink + key.size() + text.size();
    file.expect_no_others(file.names());
  } catch (const Error& error) {
    expect(std::string_view(error.what()).find('\n') == std::string_view::npos, "a message of one line");
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Dice dice(seed);
  if (dice.one_in(8)) return LLVMFuzzerMutate(data, size, max_size);
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  Json json = header_of(bytes);
  std::size_t data_bytes = size - std::min(size, detail::json_text(json).size() + 8);
  if (dice.one_in(2)) {
    if (dice.one_in(2)) mutate_json(json, dice);
    json = valid_header(json, dice, 512, data_bytes);
  }
  const std::string result = broken_file(detail::json_text(json), json, data_bytes, dice);
  const std::size_t length = std::min(result.size(), max_size);
  std::memcpy(data, result.data(), length);
  return length;
}

// SPDX-License-Identifier: Apache-2.0
// config.json and generation_config.json: refused with a line, or read; what was read is written and read again.
#include <cstdint>
#include <string>

#include "weft/io/generation_config.hpp"
#include "weft/io/json_config.hpp"

#include "fuzz/json_mutator.hpp"
#include "fuzz/limits.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr std::size_t kInAnyCase = 4096;  // RapidJSON's buffers, and the list of the configuration's fields

void read_generation(std::string_view text) {
  try {
    parse_generation_config(text);
  } catch (const Error& error) {
    expect(std::string_view(error.what()).find('\n') == std::string_view::npos, "a message of one line");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  PretrainedConfig config;
  try {
    const Limits limits(size, kInAnyCase);
    read_generation(text);
    config = parse_config(text);
  } catch (const Error& error) {
    expect(std::string_view(error.what()).find('\n') == std::string_view::npos, "a message of one line");
    return 0;
  }
  std::string written;
  try {
    written = config_text(config);
  } catch (const Error&) {
    return 0;  // a number that is not finite
  }
  expect(config_text(parse_config(written)) == written, "the same configuration after writing and reading");
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return mutate_json_bytes(data, size, max_size, seed);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* first, std::size_t first_size,
                                                 const std::uint8_t* second, std::size_t second_size, std::uint8_t* out,
                                                 std::size_t max_size, unsigned seed) {
  return cross_json_bytes(first, first_size, second, second_size, out, max_size, seed);
}

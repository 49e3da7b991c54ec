// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON that is changed and stays JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "weft/io/json.hpp"

/// Of libFuzzer, or of driver.cpp: changes bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace weft::testing {

/// Numbers of a mutator.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t count) { return engine_() % count; }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::minstd_rand engine_;
};

/// Changes one thing: a value becomes another one, a copy of one elsewhere or nothing, a name another name, a text or a
/// number a slightly different one, or two values change places.
void mutate_json(detail::Json& json, Dice& dice);

/// A random value of `to` becomes a random one of `from`.
void cross_json(detail::Json& to, detail::Json& from, Dice& dice);

/// For LLVMFuzzerCustomMutator: the bytes as JSON, or one time in eight as bytes.
std::size_t mutate_json_bytes(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);

/// For LLVMFuzzerCustomCrossOver.
std::size_t cross_json_bytes(const std::uint8_t* first, std::size_t first_size, const std::uint8_t* second,
                             std::size_t second_size, std::uint8_t* out, std::size_t max_size, unsigned seed);

/// Bytes changed as libFuzzer changes them.
std::string mutate_text(std::string text);

}  // namespace weft::testing

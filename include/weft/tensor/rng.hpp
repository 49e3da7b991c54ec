// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counter-based random numbers: the i-th value of a stream is a function of (seed, stream, i) alone, so it does not
/// depend on who draws first or on how many threads draw.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "weft/tensor/types.hpp"

namespace weft {

/// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(second),
               static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(first)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// A family of random streams under one seed. Copies are independent; the state is two numbers that can be saved.
class Rng {
 public:
  /// All that a generator remembers.
  struct State {
    std::uint64_t seed = 0;
    std::uint64_t stream = 0;
    bool operator==(const State&) const = default;
  };

  explicit Rng(std::uint64_t seed = 0) : state_{seed, 0} {}
  explicit Rng(State state) : state_(state) {}

  State state() const { return state_; }

  /// Starts a new stream: values drawn from the result and from later streams do not overlap.
  Rng next_stream() {
    Rng stream(state_);
    ++state_.stream;
    return stream;
  }

  /// Four words of the current stream at a position.
  std::array<std::uint32_t, 4> words(std::uint64_t position) const {
    return philox4x32({static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
                       static_cast<std::uint32_t>(state_.stream), static_cast<std::uint32_t>(state_.stream >> 32)},
                      {static_cast<std::uint32_t>(state_.seed), static_cast<std::uint32_t>(state_.seed >> 32)});
  }

  /// The i-th uniform value in [0, 1), with 24 random bits.
  float uniform(std::uint64_t index) const { return static_cast<float>(words(index / 4)[index % 4] >> 8) * 0x1.0p-24F; }

  /// The i-th standard normal value (Box and Muller, from two 32-bit words, in double).
  double normal(std::uint64_t index) const {
    const auto four = words(index / 2);
    const double first = (four[index % 2 * 2] + 0.5) * 0x1.0p-32;
    const double second = four[index % 2 * 2 + 1] * 0x1.0p-32;
    return std::sqrt(-2.0 * std::log(first)) * std::cos(2.0 * std::numbers::pi * second);
  }

  /// The i-th integer in [0, bound), bound < 2^32, by multiplication and shift (bias below 2^-32 * bound).
  std::uint32_t below(std::uint64_t index, std::uint32_t bound) const {
    return static_cast<std::uint32_t>((std::uint64_t{words(index / 4)[index % 4]} * bound) >> 32);
  }

 private:
  State state_;
};

}  // namespace weft

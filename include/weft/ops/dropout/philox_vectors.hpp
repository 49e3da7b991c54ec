// SPDX-License-Identifier: Apache-2.0
/// \file
/// The random words of `Rng`, many positions at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/tensor/rng.hpp"

namespace weft::kernels {

namespace detail {

/// 32-bit words of Philox, one in the lower half of each lane; what the upper halves hold does not matter.
using PhiloxVector = xsimd::batch<std::uint64_t>;
inline constexpr std::size_t kPhiloxLanes = PhiloxVector::size;

/// Products of the lower halves of the lanes.
inline PhiloxVector multiply_low_halves(const PhiloxVector& a, std::uint32_t factor) {
  const PhiloxVector b(std::uint64_t{factor});
#if XSIMD_WITH_AVX512F
  return _mm512_mul_epu32(a, b);
#elif XSIMD_WITH_AVX2
  return _mm256_mul_epu32(a, b);
#elif XSIMD_WITH_SSE2
  return _mm_mul_epu32(a, b);
#else
  return (a & PhiloxVector(std::uint64_t{0xFFFFFFFFU})) * b;
#endif
}

/// words[4 j + k] = rng.words(position + j)[k] for j < kPhiloxLanes.
inline void philox_vector(const Rng::State& state, std::uint64_t position, std::uint32_t* words) {
  alignas(PhiloxVector) std::uint64_t lanes[kPhiloxLanes];
  for (std::size_t lane = 0; lane < kPhiloxLanes; ++lane) lanes[lane] = position + lane;
  PhiloxVector c0 = PhiloxVector::load_aligned(lanes);
  PhiloxVector c1 = c0 >> 32;
  PhiloxVector c2(state.stream);
  PhiloxVector c3(state.stream >> 32);
  auto first_key = static_cast<std::uint32_t>(state.seed);
  auto second_key = static_cast<std::uint32_t>(state.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const PhiloxVector first = multiply_low_halves(c0, 0xD2511F53U);
    const PhiloxVector second = multiply_low_halves(c2, 0xCD9E8D57U);
    c0 = (second >> 32) ^ c1 ^ PhiloxVector(std::uint64_t{first_key});
    c1 = second;
    c2 = (first >> 32) ^ c3 ^ PhiloxVector(std::uint64_t{second_key});
    c3 = first;
    first_key += 0x9E3779B9U;
    second_key += 0xBB67AE85U;
  }
  const auto store_pairs = [&](const PhiloxVector& low, const PhiloxVector& high, std::size_t offset) {
    const PhiloxVector lower_half(std::uint64_t{0xFFFFFFFFU});
    const PhiloxVector pair = std::endian::native == std::endian::little ? (low & lower_half) | (high << 32)
                                                                         : (low << 32) | (high & lower_half);
    pair.store_aligned(lanes);
    for (std::size_t lane = 0; lane < kPhiloxLanes; ++lane) std::memcpy(words + 4 * lane + offset, lanes + lane, 8);
  };
  store_pairs(c0, c1, 0);
  store_pairs(c2, c3, 2);
}

}  // namespace detail

/// Words that `philox_words` computes at a time.
inline constexpr Index kPhiloxWords = 64;

/// words[i] = word i of the stream counted from `first`, a multiple of kPhiloxWords: rng.words((first + i) / 4)[i % 4].
inline void philox_words(const Rng& rng, Index first, std::uint32_t (&words)[kPhiloxWords]) {
  constexpr Index step = 4 * static_cast<Index>(detail::kPhiloxLanes);
  static_assert(kPhiloxWords % step == 0);
  for (Index i = 0; i < kPhiloxWords; i += step) {
    detail::philox_vector(rng.state(), static_cast<std::uint64_t>(first + i) / 4, words + i);
  }
}

}  // namespace weft::kernels

// SPDX-License-Identifier: Apache-2.0
/// \file
/// The limits of the machine a benchmark runs on, measured by the benchmark itself: every row is read as a share of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/tensor/parallel.hpp"
#include "weft/tensor/tensor.hpp"

namespace bench {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Runs `body` until `seconds` have passed, at least three times; the shortest run.
template <class Body>
double best_seconds(double seconds, Body&& body) {
  double best = 1e30;
  const auto begin = std::chrono::steady_clock::now();
  for (int run = 0; run < 3 || seconds_since(begin) < seconds; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

/// Multiply-adds of floats in registers, in floating-point operations per second, on all threads in use.
inline double fma_peak() {
  using V = weft::kernels::Vector<float>;
  constexpr weft::Index kRounds = 200'000;
  constexpr weft::Index kChains = 12;  // hides the latency of a multiply-add at two a cycle
  const weft::Index threads = weft::thread_count();
  std::vector<float> results(static_cast<std::size_t>(threads));
  const double seconds = best_seconds(0.2, [&] {
    weft::parallel_for(threads, 1, [&](weft::Index begin, weft::Index end) {
      for (weft::Index t = begin; t < end; ++t) {
        V a0(0.1F), a1(0.2F), a2(0.3F), a3(0.4F), a4(0.5F), a5(0.6F), a6(0.7F), a7(0.8F), a8(0.9F), a9(1.0F), a10(1.1F),
            a11(1.2F);
        const V factor(0.999F + 1e-6F * static_cast<float>(t));
        const V term(0.001F);
        for (weft::Index round = 0; round < kRounds; ++round) {
          a0 = xsimd::fma(a0, factor, term), a1 = xsimd::fma(a1, factor, term), a2 = xsimd::fma(a2, factor, term);
          a3 = xsimd::fma(a3, factor, term), a4 = xsimd::fma(a4, factor, term), a5 = xsimd::fma(a5, factor, term);
          a6 = xsimd::fma(a6, factor, term), a7 = xsimd::fma(a7, factor, term), a8 = xsimd::fma(a8, factor, term);
          a9 = xsimd::fma(a9, factor, term), a10 = xsimd::fma(a10, factor, term), a11 = xsimd::fma(a11, factor, term);
        }
        results[static_cast<std::size_t>(t)] = (a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11).get(0);
      }
    });
  });
  const auto lanes = static_cast<double>(V::size);
  return 2.0 * lanes * static_cast<double>(kChains * kRounds * threads) / seconds;
}

/// Reads memory, on all threads in use where there are as many bytes as are worth it.
inline void read_memory(const void* data, weft::Index bytes) {
  using V = weft::kernels::Vector<std::int32_t>;
  constexpr auto lanes = static_cast<weft::Index>(V::size);
  constexpr weft::Index kStep = 4 * lanes;
  const auto* words = static_cast<const std::int32_t*>(data);
  const weft::Index steps = bytes / (kStep * static_cast<weft::Index>(sizeof(std::int32_t)));
  weft::parallel_for(steps, 256, [&](weft::Index begin, weft::Index end) {
    V sums[4] = {V(0), V(0), V(0), V(0)};
    for (weft::Index i = begin; i < end; ++i) {
      for (weft::Index s = 0; s < 4; ++s) sums[s] += V::load_unaligned(words + i * kStep + s * lanes);
    }
    [[maybe_unused]] static thread_local volatile std::int32_t read = 0;  // a store is not left out, nor what it needs
    read = (sums[0] + sums[1] + sums[2] + sums[3]).get(0);
  });
}

/// Memory that has been written to: until then all of its pages may be one page of zeros, which any cache holds.
inline weft::Tensor<float, weft::Shape<weft::Dyn>> written_memory(weft::Index floats) {
  weft::Tensor<float, weft::Shape<weft::Dyn>> memory{weft::Shape<weft::Dyn>(floats)};
  std::fill_n(memory.data(), floats, 1.0F);
  return memory;
}

/// Reads memory that no cache holds (256 MB); afterwards the caches hold nothing else.
inline double read_all_memory() {
  constexpr weft::Index kFloats = weft::Index{64} << 20;
  static const auto memory = written_memory(kFloats);
  read_memory(memory.data(), kFloats * weft::Index{sizeof(float)});
  return static_cast<double>(kFloats) * sizeof(float);
}

/// Reading memory, in bytes per second, on all threads in use.
inline double read_bandwidth() {
  const double bytes = read_all_memory();
  return bytes / best_seconds(0.3, [] { read_all_memory(); });
}

}  // namespace bench

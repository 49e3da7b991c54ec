// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `dropout`; the CPU's answer is in dropout_cpu.hpp.
#pragma once

#include <cmath>
#include <cstdint>

#include "weft/tensor/rng.hpp"

namespace weft {

/// Which elements stay, and what they are multiplied by. Element i stays where the upper 24 bits of word i of the
/// stream, rng.words(i / 4)[i % 4] >> 8, are at least `threshold`: where rng.uniform(i) >= probability.
struct DropoutMask {
  Rng rng;
  std::uint32_t threshold;
  double scale;

  DropoutMask(Rng stream, double probability)
      : rng(stream),
        threshold(static_cast<std::uint32_t>(std::ceil(probability * 0x1.0p24))),
        scale(1 / (1 - probability)) {}
};

/// Kernels of `dropout` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct DropoutKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/dropout/dropout_cpu.hpp"
#endif

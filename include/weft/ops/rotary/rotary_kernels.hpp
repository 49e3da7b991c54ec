// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `rotary_embedding`; the CPU's answer is in rotary_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// x is [batch, tokens, heads * head_dim]; the tables are [table_batch, tokens, head_dim].
struct RotarySize {
  Index batch;
  Index tokens;
  Index heads;
  Index head_dim;     ///< even
  Index table_batch;  ///< 1 (one table for all) or batch

  Index rows() const { return batch * tokens; }

  /// Where the table of a row of x begins.
  Index table_offset(Index row) const { return (table_batch == 1 ? row % tokens : row) * head_dim; }
};

/// Which way a rotation turns: the derivative of a rotation is the rotation back.
enum class Rotation : bool { forward, back };

/// Kernels of `rotary_embedding` on a device. A specialisation provides rotate.
template <class DeviceType>
struct RotaryKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/rotary/rotary_cpu.hpp"
#endif

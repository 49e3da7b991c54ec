// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `embedding`; the CPU's answer is in embedding_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// The extents of a lookup: `rows` ids in a table of `vocabulary` rows, of which `padding_id` takes no gradient.
struct EmbeddingSize {
  Index rows;
  Index vocabulary;
  Index features;
  Index padding_id = -1;  ///< negative: there is none
};

/// An id that is no row of the table, and where it stands.
struct MisplacedId {
  Index position = -1;  ///< negative: there is none
  Index id = 0;
};

/// Kernels of `embedding` on a device. A specialisation provides find_misplaced, forward and backward_weight.
template <class DeviceType>
struct EmbeddingKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/embedding/embedding_cpu.hpp"
#endif

// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `adjacency_mlp`; the CPU's answer is in adjacency_mlp_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/dropout/dropout_kernels.hpp"

namespace weft {

/// Maps of weights [batch, heads, queries, keys] and a hidden layer of `hidden` units between.
struct AdjacencyMLPSize {
  Index batch;
  Index heads;
  Index queries;
  Index keys;
  Index hidden;
};

/// The parameters as the kernels see them: W0 [hidden, heads], b0 [hidden], W3 [hidden], b3 [1].
template <class T>
struct AdjacencyMLPWeights {
  const T* w0;
  const T* b0;
  const T* w3;
  const T* b3;
};

/// Kernels of `adjacency_mlp` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct AdjacencyMLPKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/adjacency_mlp/adjacency_mlp_cpu.hpp"
#endif

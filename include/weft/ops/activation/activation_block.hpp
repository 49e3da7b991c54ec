// SPDX-License-Identifier: Apache-2.0
/// \file
/// Any activation on a block of elements that stays in the first-level cache. Operations that contain an activation
/// share these loops; a loop of their own for each activation would double the time that a program takes to compile.
#pragma once

#include <algorithm>

#include "weft/ops/activation/activation_function.hpp"
#include "weft/ops/elementwise/elementwise.hpp"

namespace weft::kernels {

/// Elements in a block.
inline constexpr Index kActivationBlock = 512;

/// The activations of a block and their derivatives, in whole vectors.
template <class T>
struct ActivationBlock {
  alignas(64) T values[kActivationBlock];
  alignas(64) T slopes[kActivationBlock];
};

namespace detail {

template <Activation Function, class T>
inline void fill_block(Index count, const T* x, ActivationBlock<T>& block) {
  for (Index i = 0; i < count; i += kLanes<T>) {
    const Vector<T> xs = i + kLanes<T> <= count ? Vector<T>::load_unaligned(x + i) : load_first(x + i, count - i);
    const auto [value, slope] = activation_and_slope<Function>(xs);
    value.store_aligned(block.values + i);
    slope.store_aligned(block.slopes + i);
  }
}

template <class T>
void fill_block(Activation activation, Index count, const T* x, ActivationBlock<T>& block) {
  switch (activation) {
    case Activation::identity:
      return fill_block<Activation::identity>(count, x, block);
    case Activation::silu:
      return fill_block<Activation::silu>(count, x, block);
    case Activation::gelu:
      return fill_block<Activation::gelu>(count, x, block);
    case Activation::gelu_tanh:
      return fill_block<Activation::gelu_tanh>(count, x, block);
    case Activation::relu:
      return fill_block<Activation::relu>(count, x, block);
    case Activation::sigmoid:
      return fill_block<Activation::sigmoid>(count, x, block);
    case Activation::tanh:
      return fill_block<Activation::tanh>(count, x, block);
    case Activation::softplus:
      return fill_block<Activation::softplus>(count, x, block);
  }
}

}  // namespace detail

/// For every vector of `count` elements, on all threads: `body(position, access, act(x), act'(x))`.
template <class T, class Body>
inline void for_each_activation(Activation activation, Index count, const T* x, Body&& body) {
  const Index blocks = (count + kActivationBlock - 1) / kActivationBlock;
  parallel_for(blocks, kElementsWorthAThread / kActivationBlock, [&](Index begin, Index end) {
    ActivationBlock<T> block;
    for (Index first = begin * kActivationBlock; first < std::min(end * kActivationBlock, count);
         first += kActivationBlock) {
      const Index size = std::min(kActivationBlock, count - first);
      detail::fill_block(activation, size, x + first, block);
      for_each_vector<T>(size, [&](Index i, auto access) {
        body(first + i, access, Vector<T>::load_aligned(block.values + i), Vector<T>::load_aligned(block.slopes + i));
      });
    }
  });
}

}  // namespace weft::kernels

// SPDX-License-Identifier: Apache-2.0
/// \file
/// `rotary_embedding` on the CPU: a vector of angles is loaded once and turns every head of its row.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/rotary/rotary_kernels.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct RotaryKernels<Cpu> {
  /// y = the rotated x, or added to y.
  template <class T>
  static void rotate(const RotarySize& size, Rotation rotation, const T* x, const T* cos, const T* sin,
                     GradientTarget<T> y) {
    const Index width = size.heads * size.head_dim;
    parallel_for(size.rows(), 8192 / (width + 1) + 1, [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const Index table = size.table_offset(row);
        rotate_row(size, rotation, x + row * width, cos + table, sin + table, y.data + row * width, y.accumulate);
      }
    });
  }

 private:
  template <class T>
  static void rotate_row(const RotarySize& size, Rotation rotation, const T* x, const T* cos, const T* sin, T* y,
                         bool accumulate) {
    using kernels::multiply_add;
    using Vector = kernels::Vector<T>;
    const Index half = size.head_dim / 2;
    // Of the 2 x 2 map of a pair, (low, high) -> (low cos + high to_low, high cos' + low to_high).
    const T* const to_low = rotation == Rotation::forward ? sin : sin + half;
    const T* const to_high = rotation == Rotation::forward ? sin + half : sin;
    const Vector sign(rotation == Rotation::forward ? T(-1) : T(1));
    kernels::for_each_vector<T>(half, [&](Index i, auto access) {
      const Vector cos_low = access.load(cos + i);
      const Vector cos_high = access.load(cos + half + i);
      const Vector sin_low = sign * access.load(to_low + i);
      const Vector sin_high = -sign * access.load(to_high + i);
      for (Index head = 0; head < size.heads; ++head) {
        const T* from = x + head * size.head_dim + i;
        T* to = y + head * size.head_dim + i;
        const Vector low = access.load(from);
        const Vector high = access.load(from + half);
        Vector new_low = multiply_add(high, sin_low, Vector(low * cos_low));
        Vector new_high = multiply_add(low, sin_high, Vector(high * cos_high));
        if (accumulate) {
          new_low += access.load(to);
          new_high += access.load(to + half);
        }
        access.store(to, new_low);
        access.store(to + half, new_high);
      }
    });
  }
};

}  // namespace weft

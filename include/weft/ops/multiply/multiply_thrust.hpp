// SPDX-License-Identifier: Apache-2.0
/// \file
/// `multiply` on Thrust devices.
#pragma once

#include "weft/ops/multiply/multiply_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = a b
template <class T>
struct MultiplyElement {
  const T* a;
  const T* b;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const { y[i] = a[i] * b[i]; }
};

/// da = dy b,  db = dy a; one after the other, because both may be one tensor's.
template <class T>
struct MultiplySlopeElement {
  const T* a;
  const T* b;
  const T* dy;
  GradientTarget<T> da;
  GradientTarget<T> db;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    if (da.data != nullptr) contribute(da.data, da.accumulate, i, dy[i] * b[i]);
    if (db.data != nullptr) contribute(db.data, db.accumulate, i, dy[i] * a[i]);
  }
};

}  // namespace kernels

template <>
struct MultiplyKernels<Thrust> {
  template <class T>
  static void forward(Index count, const T* a, const T* b, T* y) {
    Thrust::for_each_index(count, kernels::MultiplyElement<T>{a, b, y});
  }

  template <class T>
  static void backward(Index count, const T* a, const T* b, const T* dy, GradientTarget<T> da, GradientTarget<T> db) {
    Thrust::for_each_index(count, kernels::MultiplySlopeElement<T>{a, b, dy, da, db});
  }
};

}  // namespace weft

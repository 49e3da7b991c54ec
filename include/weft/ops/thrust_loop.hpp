// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the Thrust kernels share: how an element is read, how a gradient is written, sums in a fixed order.
#pragma once

#include <cstdint>
#include <cstring>

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/thrust_device.hpp"

namespace weft::kernels {

/// An element as arithmetic wants it.
template <class T>
WEFT_HOST_DEVICE inline T element(const T* values, Index i) {
  return values[i];
}
/// bf16 is the upper half of a float.
WEFT_HOST_DEVICE inline float element(const bf16* values, Index i) {
  std::uint16_t upper;
  std::memcpy(&upper, values + i, sizeof upper);
  const std::uint32_t bits = std::uint32_t{upper} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Writes a contribution to a gradient, or adds it to what is there.
template <class T>
WEFT_HOST_DEVICE inline void contribute(T* target, bool accumulate, Index i, T value) {
  target[i] = accumulate ? target[i] + value : value;
}

/// target = values, or target += values.
template <class T>
struct ContributeEach {
  const T* values;
  T* target;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const { contribute(target, accumulate, i, values[i]); }
};

template <class T>
inline void thrust_add_to_gradient(Index count, const T* values, const GradientTarget<T>& target) {
  if (target) Thrust::for_each_index(count, ContributeEach<T>{values, target.data, target.accumulate});
}

/// One thread of `thrust_fold`: every `lanes`-th value, so that neighbouring threads read neighbouring memory.
template <class T, class Value, class Combine>
struct FoldLane {
  Index count;
  Index lanes;
  T nothing;
  Value value;
  Combine combine;
  T* folded;

  WEFT_HOST_DEVICE void operator()(Index lane) const {
    T result = nothing;
    for (Index i = lane; i < count; i += lanes) result = combine(result, value(i));
    folded[lane] = result;
  }
};

/// Reads what an earlier round of `thrust_fold` left.
template <class T>
struct FoldedValue {
  const T* folded;

  WEFT_HOST_DEVICE T operator()(Index i) const { return folded[i]; }
};

/// *result = value(0) ∘ value(1) ∘ ..., in device memory; `nothing` when there are no values. Rounds of 64 values a
/// thread: the order depends on `count` alone, and no memory is allocated once the scratch has grown.
template <class T, class Value, class Combine>
void thrust_fold(Index count, T nothing, const Value& value, const Combine& combine, T* result) {
  constexpr Index each = 64;
  const auto lanes_for = [](Index values) { return (values + each - 1) / each; };
  if (count <= each) {
    Thrust::for_each_index(1, FoldLane<T, Value, Combine>{count, 1, nothing, value, combine, result});
    return;
  }
  Index lanes = lanes_for(count);
  T* folded = Thrust::scratch<FoldLane<T, Value, Combine>, T>(2 * lanes);
  Thrust::for_each_index(lanes, FoldLane<T, Value, Combine>{count, lanes, nothing, value, combine, folded});
  while (lanes > 1) {
    const Index values = lanes;
    lanes = lanes_for(values);
    T* to = lanes > 1 ? folded + values : result;
    Thrust::for_each_index(lanes, FoldLane<T, FoldedValue<T>, Combine>{values, lanes, nothing, {folded}, combine, to});
    folded = to;
  }
}

struct Plus {
  template <class T>
  WEFT_HOST_DEVICE T operator()(T first, T second) const {
    return first + second;
  }
};

/// Writes a sum of doubles, divided, as a contribution of one element.
template <class T>
struct ContributeSum {
  const double* sum;
  double divisor;
  T* target;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const { contribute(target, accumulate, i, static_cast<T>(*sum / divisor)); }
};

/// target = Σ value(i) / divisor, or target += that; the values are doubles.
template <class Value, class T>
void thrust_sum(Index count, const Value& value, double divisor, const GradientTarget<T>& target) {
  double* sum = Thrust::scratch<ContributeSum<T>, double>(1);
  thrust_fold(count, 0.0, value, Plus{}, sum);
  Thrust::for_each_index(1, ContributeSum<T>{sum, divisor, target.data, target.accumulate});
}

/// One value from device memory.
template <class T>
T from_device(const T* value) {
  T copy;
  Thrust::copy_to_host(&copy, value, sizeof(T));
  return copy;
}

}  // namespace weft::kernels

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Activation functions and their derivatives by their definitions: what the fast kernels are compared with.
#pragma once

#include <cmath>
#include <numbers>

#include "weft/ops/activation/activation_kind.hpp"
#include "weft/tensor/host_device.hpp"
#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// act(x)
template <class T>
WEFT_HOST_DEVICE T activation_naive(Activation activation, T x) {
  const T one = 1;
  switch (activation) {
    case Activation::identity:
      return x;
    case Activation::silu:
      return x / (one + std::exp(-x));
    case Activation::gelu:
      return x * std::erfc(-x * (std::numbers::sqrt2_v<T> / 2)) / 2;
    case Activation::gelu_tanh: {
      const T inner = std::sqrt(2 / std::numbers::pi_v<T>) * (x + T(0.044715L) * x * x * x);
      return x / 2 * (one + std::tanh(inner));
    }
    case Activation::relu:
      return x <= 0 ? T{0} : x;
    case Activation::sigmoid:
      return one / (one + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::softplus:
      return x > 20 ? x : std::log1p(std::exp(x));
  }
  return x;
}

/// d act(x) / dx
template <class T>
WEFT_HOST_DEVICE T activation_slope_naive(Activation activation, T x) {
  const T one = 1;
  const T sigmoid = one / (one + std::exp(-x));
  switch (activation) {
    case Activation::identity:
      return one;
    case Activation::silu:
      return sigmoid * (one + x * (one - sigmoid));
    case Activation::gelu: {
      const T density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi_v<T>);
      return std::erfc(-x * (std::numbers::sqrt2_v<T> / 2)) / 2 + x * density;
    }
    case Activation::gelu_tanh: {
      const T root = std::sqrt(2 / std::numbers::pi_v<T>);
      const T t = std::tanh(root * (x + T(0.044715L) * x * x * x));
      return (one + t) / 2 + x / 2 * (one - t * t) * root * (one + T(3 * 0.044715L) * x * x);
    }
    case Activation::relu:
      return x <= 0 ? T{0} : one;
    case Activation::sigmoid:
      return sigmoid * (one - sigmoid);
    case Activation::tanh:
      return one - std::tanh(x) * std::tanh(x);
    case Activation::softplus:
      return x > 20 ? one : sigmoid;
  }
  return one;
}

}  // namespace weft::kernels

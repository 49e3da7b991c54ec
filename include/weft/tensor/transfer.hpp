// SPDX-License-Identifier: Apache-2.0
/// \file
/// Copies of tensors in the memory of another device.
#pragma once

#include "weft/tensor/tensor.hpp"

namespace weft {

/// A copy in host memory of a tensor, view, result or parameter of any device.
template <class X>
auto to_host(const X& x) {
  using T = std::remove_const_t<typename X::Element>;
  Tensor<T, typename X::Shape> copy(x.shape());
  X::Device::copy_to_host(copy.data(), x.data(), static_cast<std::size_t>(copy.size()) * sizeof(T));
  return copy;
}

/// A copy on a device of a tensor, view, result or parameter in host memory.
template <class DeviceType, class X>
auto to_device(const X& x) {
  static_assert(X::Device::host_accessible, "to_device<Device>(x): x must be in host memory");
  using T = std::remove_const_t<typename X::Element>;
  Tensor<T, typename X::Shape, DeviceType> copy(x.shape());
  DeviceType::copy_to_device(copy.data(), x.data(), static_cast<std::size_t>(copy.size()) * sizeof(T));
  return copy;
}

}  // namespace weft

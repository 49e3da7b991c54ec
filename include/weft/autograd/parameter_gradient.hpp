// SPDX-License-Identifier: Apache-2.0
/// \file
/// What parameters of every shape have in common: whether they are trained, and their gradient.
#pragma once

#include <cstddef>
#include <utility>

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/error.hpp"

namespace weft {

/// The base of `Parameter`, without its type of shape, so that it is compiled once for all of them.
template <class DeviceType>
class ParameterGradient {
 public:
  ParameterGradient() = default;
  ParameterGradient(ParameterGradient&& other) noexcept
      : memory_(std::move(other.memory_)),
        gradient_(std::exchange(other.gradient_, {})),
        trainable_(other.trainable_) {}
  ParameterGradient& operator=(ParameterGradient&& other) noexcept {
    memory_ = std::move(other.memory_);
    gradient_ = std::exchange(other.gradient_, {});
    trainable_ = other.trainable_;
    return *this;
  }

  /// Whether training changes it. Freezing gives the gradient's memory back.
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) {
    trainable_ = trainable;
    if (!trainable) {
      memory_ = {};
      gradient_ = {};
    }
  }

  /// Whether a backward pass has reached it since `clear_gradient`.
  bool has_gradient() const { return gradient_.filled; }

  /// The gradient's elements, null where no backward pass has reached it.
  void* gradient_data() const { return gradient_.filled ? gradient_.data : nullptr; }

  /// The next contribution overwrites. Memory stays.
  void clear_gradient() { gradient_.filled = false; }

 protected:
  ~ParameterGradient() = default;

  [[gnu::noinline]] Gradient* slot(std::size_t bytes) const {
    if (!trainable_) return nullptr;
    if (gradient_.data == nullptr) {
      memory_ = DeviceType::allocate(bytes);
      gradient_ = {memory_.get(), bytes, false, true};
    }
    return &gradient_;
  }

 private:
  mutable typename DeviceType::Buffer memory_{};
  mutable Gradient gradient_;
  bool trainable_ = true;
};

}  // namespace weft

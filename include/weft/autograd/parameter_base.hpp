// SPDX-License-Identifier: Apache-2.0
/// \file
/// What parameters of every shape have in common: whether they are trained, their gradient, and elements kept as bf16.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/memory.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

namespace detail {

/// Elements of a `float` parameter as bf16, in memory that `owner` keeps alive. They are widened when somebody asks for the
/// floats; until somebody may have changed those, both are the parameter.
class NarrowElements {
 public:
  NarrowElements() = default;
  NarrowElements(NarrowElements&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), owner_(std::move(other.owner_)), widened_(other.widened_.load()) {
    other.widened_ = true;
  }
  NarrowElements& operator=(NarrowElements&& other) noexcept {
    data_ = std::exchange(other.data_, nullptr);
    owner_ = std::move(other.owner_);
    widened_ = other.widened_.exchange(true);
    return *this;
  }

  /// Null where there are none.
  const bf16* data() const { return data_; }

  /// From now on these are the parameter; its floats are not.
  void use(const bf16* data, std::shared_ptr<const void> owner) {
    data_ = data;
    owner_ = std::move(owner);
    widened_ = false;
  }

  /// Sees to it that the floats are there. Threads that share a constant model may ask at the same time.
  void widen(HostBuffer& floats, Index count) const {
    if (!widened_.load(std::memory_order_acquire)) fill(floats, count);
  }
  /// The same before they may be changed: they alone are the parameter from here on.
  void widen_and_forget(HostBuffer& floats, Index count) {
    widen(floats, count);
    forget();
  }

  /// The parameter's floats are others from here on.
  void forget() {
    widened_ = true;
    data_ = nullptr;
    owner_.reset();
  }

 private:
  [[gnu::noinline]] void fill(HostBuffer& floats, Index count) const {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (widened_.load(std::memory_order_relaxed)) return;
    floats = HostBuffer(allocate_aligned(static_cast<std::size_t>(count) * sizeof(float)).release());
    auto* const elements = reinterpret_cast<float*>(floats.get());
    for (Index i = 0; i < count; ++i) elements[i] = data_[i];
    widened_.store(true, std::memory_order_release);
  }

  const bf16* data_ = nullptr;
  std::shared_ptr<const void> owner_{};
  mutable std::atomic<bool> widened_{true};
};

}  // namespace detail

/// The base of `Parameter`, without its type of shape, so that it is compiled once for all of them.
template <class DeviceType>
class ParameterBase {
 public:
  ParameterBase() = default;
  ParameterBase(ParameterBase&& other) noexcept
      : memory_(std::move(other.memory_)),
        gradient_(std::exchange(other.gradient_, {})),
        trainable_(other.trainable_),
        narrow_(std::move(other.narrow_)) {}
  ParameterBase& operator=(ParameterBase&& other) noexcept {
    memory_ = std::move(other.memory_);
    gradient_ = std::exchange(other.gradient_, {});
    trainable_ = other.trainable_;
    narrow_ = std::move(other.narrow_);
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

  /// The elements as bf16 where a file had them so and nobody may have changed them since, or null. Products and lookups
  /// of a parameter that is not trained read these; whoever asks the parameter for its data has them widened first.
  const bf16* bf16_data() const { return narrow_.data(); }

  /// For `Parameter` and lists of parameters.
  detail::NarrowElements& narrow() { return narrow_; }
  const detail::NarrowElements& narrow() const { return narrow_; }

 protected:
  ~ParameterBase() = default;

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
  detail::NarrowElements narrow_{};
};

}  // namespace weft

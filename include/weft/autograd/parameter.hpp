// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameters: tensors that are learned, with the memory of their gradient.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "weft/autograd/gradient.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// A learned tensor. Its gradient takes memory only from the first recorded use on, and never while it is frozen.
template <class T, class ShapeType, class DeviceType = Cpu>
class Parameter {
 public:
  using Element = T;
  using Shape = ShapeType;
  using Device = DeviceType;

  Parameter() = default;
  explicit Parameter(ShapeType shape) : value_(shape) {}

  // Out of line: inlined, g++ 12 takes the memory of an absent optional parameter for uninitialised.
  [[gnu::noinline]] ~Parameter() = default;

  Parameter(Parameter&& other) noexcept
      : value_(std::move(other.value_)),
        gradient_memory_(std::move(other.gradient_memory_)),
        gradient_(std::exchange(other.gradient_, {})),
        trainable_(other.trainable_) {}
  Parameter& operator=(Parameter&& other) noexcept {
    value_ = std::move(other.value_);
    gradient_memory_ = std::move(other.gradient_memory_);
    gradient_ = std::exchange(other.gradient_, {});
    trainable_ = other.trainable_;
    return *this;
  }

  Tensor<T, ShapeType, DeviceType>& value() { return value_; }
  const Tensor<T, ShapeType, DeviceType>& value() const { return value_; }
  T* data() { return value_.data(); }
  const T* data() const { return value_.data(); }
  const ShapeType& shape() const { return value_.shape(); }
  Index extent(int axis) const { return value_.extent(axis); }
  Index size() const { return value_.size(); }
  operator TensorView<const T, ShapeType, DeviceType>() const { return value_.view(); }

  /// Whether training changes it. Freezing gives the gradient's memory back.
  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) {
    trainable_ = trainable;
    if (!trainable) {
      gradient_memory_ = {};
      gradient_ = {};
    }
  }

  /// Whether a backward pass has reached it since `clear_gradient`.
  bool has_gradient() const { return gradient_.filled; }

  /// d loss / d value; an error when no backward pass reached it.
  TensorView<const T, ShapeType, DeviceType> gradient() const {
    if (!gradient_.filled) fail("Parameter::gradient(): no backward pass has reached this parameter");
    return {gradient_.values<T>(), shape()};
  }

  /// The next contribution overwrites. Memory stays.
  void clear_gradient() { gradient_.filled = false; }

  /// For tapes and optimisers: the slot a backward pass writes to, null when frozen. The parameter itself may be const:
  /// gathering a gradient does not change what it computes.
  Gradient* gradient_slot() const {
    if (!trainable_) return nullptr;
    if (gradient_.data == nullptr) {
      const std::size_t bytes = static_cast<std::size_t>(size()) * sizeof(T);
      gradient_memory_ = DeviceType::allocate(bytes);
      gradient_ = {gradient_memory_.get(), bytes, false, true};
    }
    return &gradient_;
  }

 private:
  Tensor<T, ShapeType, DeviceType> value_;
  mutable typename DeviceType::Buffer gradient_memory_{};
  mutable Gradient gradient_;
  bool trainable_ = true;
};

/// The name of a parameter in a state dict, with the further names that some parameters of the reference carry.
struct ParameterName {
  std::string name;
  std::string alias;                         ///< empty for most
  std::vector<std::string> further_aliases;  ///< of a module that more than two others share
  bool in_norm = false;                      ///< directly in an RMSNorm or LayerNorm: optimisers do not decay it

  [[gnu::noinline]] ParameterName(std::string first, std::string second = "")
      : name(std::move(first)), alias(std::move(second)) {}

  /// Appends one more name.
  void add_alias(std::string other) {
    if (alias.empty()) {
      alias = std::move(other);
    } else {
      further_aliases.push_back(std::move(other));
    }
  }

  /// Calls visit(name) for every name but the first.
  template <class Visit>
  void for_each_alias(Visit&& visit) const {
    if (!alias.empty()) visit(alias);
    for (const std::string& other : further_aliases) visit(other);
  }

  /// The name of a parameter of a norm, which optimisers do not decay.
  static ParameterName of_norm(std::string first, std::string second = "") {
    ParameterName result(std::move(first), std::move(second));
    result.in_norm = true;
    return result;
  }
};

/// Calls `visit(ParameterName, Parameter&)` for every parameter of a layer or model, in the reference's order.
/// Layers offer it as `static void visit_parameters(self, visit, prefix)`, which serves const and mutable layers alike.
template <class Layer, class Visit>
void for_each_parameter(Layer& layer, Visit&& visit, const std::string& prefix = "") {
  std::remove_const_t<Layer>::visit_parameters(layer, visit, prefix);
}

/// The number of learned values, each counted once.
template <class Layer>
Index count_parameters(const Layer& layer) {
  Index count = 0;
  for_each_parameter(layer, [&](const ParameterName&, const auto& parameter) { count += parameter.size(); });
  return count;
}

/// Freezes or unfreezes every parameter of a layer or model.
template <class Layer>
void set_trainable(Layer& layer, bool trainable) {
  for_each_parameter(layer, [&](const ParameterName&, auto& parameter) { parameter.set_trainable(trainable); });
}

/// Forgets all gradients: the next backward pass starts anew.
template <class Layer>
void clear_gradients(Layer& layer) {
  for_each_parameter(layer, [](const ParameterName&, auto& parameter) { parameter.clear_gradient(); });
}

}  // namespace weft

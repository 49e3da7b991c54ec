// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameters: tensors that are learned, with the memory of their gradient.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/autograd/parameter_base.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// A learned tensor. Its gradient takes memory only from the first recorded use on, and never while it is frozen.
template <class T, class ShapeType, class DeviceType = Cpu>
class Parameter : public ParameterBase<DeviceType> {
 public:
  using Element = T;
  using Shape = ShapeType;
  using Device = DeviceType;

  /// Whether the elements may be kept as bf16, see `bf16_data`.
  static constexpr bool kWidens = std::is_same_v<T, float> && std::is_same_v<DeviceType, Cpu>;

  Parameter() = default;
  explicit Parameter(ShapeType shape) : value_(shape) {}

  // Out of line: inlined, g++ 12 takes the memory of an absent optional parameter for uninitialised.
  [[gnu::noinline]] ~Parameter() = default;

  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(Parameter&&) noexcept = default;

  /// The elements; those that are constant leave `bf16_data` valid, the others do not.
  Tensor<T, ShapeType, DeviceType>& value() {
    if constexpr (kWidens) this->narrow().widen_and_forget(value_.buffer(), size());
    return value_;
  }
  const Tensor<T, ShapeType, DeviceType>& value() const {
    if constexpr (kWidens) this->narrow().widen(value_.buffer(), size());
    return value_;
  }
  T* data() { return value().data(); }
  const T* data() const { return value().data(); }
  const ShapeType& shape() const { return value_.shape(); }
  Index extent(int axis) const { return value_.extent(axis); }
  Index size() const { return value_.size(); }
  operator TensorView<const T, ShapeType, DeviceType>() const { return value().view(); }

  /// For lists of parameters: the memory of the elements, none while `bf16_data` alone stands for them.
  typename DeviceType::Buffer& buffer() { return value_.buffer(); }

  /// d loss / d value; an error when no backward pass reached it.
  TensorView<const T, ShapeType, DeviceType> gradient() const {
    if (!this->has_gradient()) fail("Parameter::gradient(): no backward pass has reached this parameter");
    return {static_cast<const T*>(this->gradient_data()), shape()};
  }

  /// For tapes and optimisers: the slot a backward pass writes to, null when frozen. The parameter itself may be const:
  /// gathering a gradient does not change what it computes.
  Gradient* gradient_slot() const { return this->slot(static_cast<std::size_t>(size()) * sizeof(T)); }

 private:
  mutable Tensor<T, ShapeType, DeviceType> value_;
};

/// Where a linear layer may have a low-rank adapter beside its weight: the base of `LoraPlace`.
struct AdapterPlace {};

/// The name of a parameter in a state dict, with the further names that some parameters of the reference carry.
struct ParameterName {
  std::string name;
  std::string alias;                         ///< empty for most
  std::vector<std::string> further_aliases;  ///< of a module that more than two others share
  bool in_norm = false;                      ///< directly in an RMSNorm or LayerNorm: optimisers do not decay it
  AdapterPlace* adapter = nullptr;           ///< of the weight of a linear layer that can have an adapter

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

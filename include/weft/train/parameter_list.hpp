// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a model as a flat list: what optimisers and checkpoints work on.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/autograd/any_parameter.hpp"

namespace weft {

/// One parameter, whatever its shape. It looks at the parameter where that lies, which must not be moved.
template <class T, class DeviceType = Cpu>
class ParameterEntry {
 public:
  /// Raises Error for a parameter of another element type or on another device.
  explicit ParameterEntry(AnyParameter parameter)
      : parameter_(std::move(parameter)),
        size_(parameter_.size()),
        decayed_(!parameter_.name().in_norm && name().find("bias") == std::string::npos) {
    if (parameter_.element() != element_name<T>) {
      fail(concat("ParameterList(model): every parameter must have elements ", element_name<T>, ", found ",
                  parameter_.element(), " in ", name()));
    }
    if (!parameter_.template lives_on<DeviceType>()) {
      fail(concat("ParameterList(model): every parameter must live on the list's device, but not ", name()));
    }
  }

  /// Its name in a state dict, and the second name that a few have (empty otherwise).
  const std::string& name() const { return parameter_.name().name; }
  const std::string& alias() const { return parameter_.name().alias; }

  const std::vector<Index>& extents() const { return parameter_.extents(); }
  Index size() const { return size_; }

  /// Whether weight decay applies: to all but those directly in a norm and those with "bias" in their name (the rule of
  /// Hugging Face's Trainer). Scalars such as `epsilon` are decayed.
  bool decayed() const { return decayed_; }

  bool trainable() const { return parameter_.trainable(); }

  /// To be changed; `values` only to be read.
  T* data() const { return static_cast<T*>(parameter_.data()); }
  const T* values() const { return static_cast<const T*>(parameter_.values()); }

  /// The elements of a frozen parameter that its file has as bf16, or null; see `Parameter::bf16_data`.
  const bf16* frozen_bf16() const { return trainable() ? nullptr : parameter_.bf16_data(); }

  /// d loss / d value, or null when no backward pass has reached the parameter since `clear_gradient`.
  T* gradient() const { return static_cast<T*>(parameter_.gradient()); }
  void clear_gradient() const { parameter_.clear_gradient(); }

  /// Whether this is the same parameter as another's.
  bool same_parameter(const ParameterEntry& other) const { return parameter_.same_parameter(other.parameter_); }

 private:
  AnyParameter parameter_;
  Index size_;
  bool decayed_;
};

/// Every parameter of a model once, in the reference's order. Collecting them allocates; using the list does not.
/// The model must stay where it is as long as the list is used.
template <class T, class DeviceType = Cpu>
class ParameterList {
 public:
  using Entry = ParameterEntry<T, DeviceType>;

  template <class Model>
  requires(!std::is_same_v<std::remove_const_t<Model>, ParameterList>) explicit ParameterList(Model& model)
      : ParameterList(list_parameters(model)) {}

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }
  const Entry& operator[](std::size_t index) const { return entries_[index]; }

  /// The next backward pass starts anew.
  void clear_gradients() const {
    for (const Entry& entry : entries_) entry.clear_gradient();
  }

 private:
  explicit ParameterList(std::vector<AnyParameter> parameters) {
    for (AnyParameter& parameter : parameters) add(Entry(std::move(parameter)));
  }

  /// A parameter that two layers share is known by its first name.
  void add(Entry entry) {
    for (const Entry& known : entries_) {
      if (known.same_parameter(entry)) return;
    }
    entries_.push_back(std::move(entry));
  }

  std::vector<Entry> entries_;
};

/// A list has the element type and the device of its model.
template <class Model>
ParameterList(Model&) -> ParameterList<typename Model::Element, typename Model::Device>;

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a model as a flat list: what optimisers and checkpoints work on.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/autograd/parameter.hpp"

namespace weft {

/// One parameter, whatever its shape. It looks at the parameter where that lies, which must not be moved.
template <class T, class DeviceType = Cpu>
class ParameterEntry {
 public:
  template <class ParameterType>
  ParameterEntry(const ParameterName& name, ParameterType& parameter)
      : name_(name.name),
        alias_(name.alias),
        decayed_(!name.in_norm && name.name.find("bias") == std::string::npos),
        parameter_(&parameter),
        access_(&access_of<ParameterType>) {
    static_assert(std::is_same_v<typename ParameterType::Element, T>,
                  "ParameterList<T>(model): every parameter of the model must have the element type T");
    static_assert(std::is_same_v<typename ParameterType::Device, DeviceType>,
                  "ParameterList<T, Device>(model): every parameter of the model must live on the device");
    const auto extents = parameter.shape().extents();
    extents_.assign(extents.begin(), extents.end());
    size_ = parameter.size();
  }

  /// Its name in a state dict, and the second name that a few have (empty otherwise).
  const std::string& name() const { return name_; }
  const std::string& alias() const { return alias_; }

  const std::vector<Index>& extents() const { return extents_; }
  Index size() const { return size_; }

  /// Whether weight decay applies: to all but those directly in a norm and those with "bias" in their name (the rule of
  /// Hugging Face's Trainer). Scalars such as `epsilon` are decayed.
  bool decayed() const { return decayed_; }

  bool trainable() const { return access_->trainable(parameter_); }

  T* data() const { return access_->data(parameter_); }

  /// d loss / d value, or null when no backward pass has reached the parameter since `clear_gradient`.
  T* gradient() const { return access_->gradient(parameter_); }
  void clear_gradient() const { access_->clear_gradient(parameter_); }

  /// Whether this is the same parameter as another's.
  bool same_parameter(const ParameterEntry& other) const { return parameter_ == other.parameter_; }

 private:
  struct Access {
    T* (*data)(void*);
    T* (*gradient)(void*);
    void (*clear_gradient)(void*);
    bool (*trainable)(void*);
  };

  template <class ParameterType>
  static ParameterType& as(void* parameter) {
    return *static_cast<ParameterType*>(parameter);
  }

  template <class ParameterType>
  static constexpr Access access_of{[](void* parameter) -> T* { return as<ParameterType>(parameter).data(); },
                                    [](void* parameter) -> T* {
                                      auto& typed = as<ParameterType>(parameter);
                                      return typed.has_gradient() ? static_cast<T*>(typed.gradient_slot()->data)
                                                                  : nullptr;
                                    },
                                    [](void* parameter) { as<ParameterType>(parameter).clear_gradient(); },
                                    [](void* parameter) { return as<ParameterType>(parameter).trainable(); }};

  std::string name_;
  std::string alias_;
  std::vector<Index> extents_;
  Index size_ = 0;
  bool decayed_;
  void* parameter_;
  const Access* access_;
};

/// Every parameter of a model once, in the reference's order. Collecting them allocates; using the list does not.
/// The model must stay where it is as long as the list is used.
template <class T, class DeviceType = Cpu>
class ParameterList {
 public:
  using Entry = ParameterEntry<T, DeviceType>;

  template <class Model>
  requires(!std::is_same_v<std::remove_const_t<Model>, ParameterList>) explicit ParameterList(Model& model) {
    for_each_parameter(model, [this](const ParameterName& name, auto& parameter) {
      Entry entry(name, parameter);
      for (const Entry& known : entries_) {
        if (known.same_parameter(entry)) return;  // shared by two layers: known by its first name
      }
      entries_.push_back(std::move(entry));
    });
  }

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }
  const Entry& operator[](std::size_t index) const { return entries_[index]; }

  /// The next backward pass starts anew.
  void clear_gradients() const {
    for (const Entry& entry : entries_) entry.clear_gradient();
  }

 private:
  std::vector<Entry> entries_;
};

/// A list has the element type and the device of its model.
template <class Model>
ParameterList(Model&) -> ParameterList<typename Model::Element, typename Model::Device>;

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameters without the types of their shapes: what optimisers and files see of a model.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/autograd/parameter.hpp"

namespace weft {

/// One parameter, whatever its shape, element type and device. It looks at the parameter where that lies, which must not
/// be moved.
class AnyParameter {
 public:
  template <class ParameterType>
  AnyParameter(const ParameterName& name, ParameterType& parameter)
      : AnyParameter(name, parameter.shape().extents(), &parameter.buffer(),
                     static_cast<ParameterBase<typename ParameterType::Device>*>(&parameter),
                     access_of<typename ParameterType::Element, typename ParameterType::Device>) {}

  /// Appends a parameter to a list, by code that does not depend on its type.
  template <class ParameterType>
  static void append(std::vector<AnyParameter>& all, const ParameterName& name, ParameterType& parameter) {
    using Device = typename ParameterType::Device;
    append(all, name, parameter.shape().extents(), &parameter.buffer(), static_cast<ParameterBase<Device>*>(&parameter),
           access_of<typename ParameterType::Element, Device>);
  }

  const ParameterName& name() const { return name_; }
  const std::vector<Index>& extents() const { return extents_; }

  Index size() const {
    Index product = 1;
    for (const Index extent : extents_) product *= extent;
    return product;
  }

  /// The element type as safetensors writes it: "F32".
  std::string_view element() const { return access_->element; }

  /// Whether the host may read and write at `data()`.
  bool host_accessible() const { return access_->host_accessible; }

  /// Whether it is a parameter of this device.
  template <class DeviceType>
  bool lives_on() const {
    return access_->copy_to_device == &DeviceType::copy_to_device;
  }

  /// The elements, on the parameter's device, to be changed.
  void* data() const { return access_->data(buffer_, base_, size()); }

  /// The elements to be read; see `Parameter::bf16_data`.
  const void* values() const { return access_->values(buffer_, base_, size()); }
  const bf16* bf16_data() const { return access_->bf16_data(base_); }

  /// Whether `use_memory` is possible.
  bool can_use_memory() const { return access_->use_memory != nullptr; }
  /// From now on the elements are those at `data`, which `owner` keeps alive; the parameter's own memory is given back.
  void use_memory(std::byte* data, std::shared_ptr<const void> owner) const {
    access_->use_memory(buffer_, base_, data, std::move(owner));
  }

  /// Whether `use_bf16` is possible.
  bool can_use_bf16() const { return access_->use_bf16 != nullptr; }
  /// From now on the elements are those at `data`, which `owner` keeps alive; see `Parameter::bf16_data`.
  void use_bf16(const bf16* data, std::shared_ptr<const void> owner) const {
    *static_cast<HostBuffer*>(buffer_) = {};
    access_->use_bf16(base_, data, std::move(owner));
  }

  /// d loss / d value, or null when no backward pass has reached the parameter since `clear_gradient`.
  void* gradient() const { return access_->gradient(base_); }
  void clear_gradient() const { access_->clear_gradient(base_); }
  bool trainable() const { return access_->trainable(base_); }
  void set_trainable(bool trainable) const { access_->set_trainable(base_, trainable); }

  /// How bytes get to its device and back; each returns when they are there.
  using Copy = void (*)(void* target, const void* source, std::size_t bytes);
  Copy copy_to_device() const { return access_->copy_to_device; }
  Copy copy_to_host() const { return access_->copy_to_host; }

  /// Whether this is the same parameter as another's.
  bool same_parameter(const AnyParameter& other) const { return base_ == other.base_; }

 private:
  struct Access {
    std::string_view element;
    bool host_accessible;
    Copy copy_to_device;
    Copy copy_to_host;
    void* (*data)(void* buffer, void* base, Index size);
    const void* (*values)(void* buffer, void* base, Index size);
    const bf16* (*bf16_data)(void* base);
    void (*use_bf16)(void* base, const bf16* data, std::shared_ptr<const void> owner);  ///< null: not for such elements
    void (*use_memory)(void* buffer, void* base, std::byte* data,
                       std::shared_ptr<const void> owner);  ///< null: not on this device
    void* (*gradient)(void*);
    void (*clear_gradient)(void*);
    bool (*trainable)(void*);
    void (*set_trainable)(void*, bool trainable);
  };

  AnyParameter(ParameterName name, std::span<const Index> extents, void* buffer, void* base, const Access& access)
      : name_(std::move(name)),
        extents_(extents.begin(), extents.end()),
        buffer_(buffer),
        base_(base),
        access_(&access) {}

  static void use_host_memory(void* buffer, void* base, std::byte* data, std::shared_ptr<const void> owner) {
    as<Cpu>(base).narrow().forget();
    *static_cast<HostBuffer*>(buffer) = borrow_memory(data, std::move(owner));
  }

  [[gnu::noinline]] static void append(std::vector<AnyParameter>& all, const ParameterName& name,
                                       std::span<const Index> extents, void* buffer, void* base, const Access& access) {
    all.push_back(AnyParameter(name, extents, buffer, base, access));
  }

  static void use_bf16_elements(void* base, const bf16* data, std::shared_ptr<const void> owner) {
    as<Cpu>(base).narrow().use(data, std::move(owner));
  }

  template <class Element, class DeviceType>
  static constexpr bool kept_as_bf16 = std::is_same_v<Element, float>&& std::is_same_v<DeviceType, Cpu>;

  template <class Element, class DeviceType>
  static void* data_of(void* buffer, void* base, Index size) {
    auto& memory = *static_cast<typename DeviceType::Buffer*>(buffer);
    if constexpr (kept_as_bf16<Element, DeviceType>) as<DeviceType>(base).narrow().widen_and_forget(memory, size);
    return memory.get();
  }

  template <class Element, class DeviceType>
  static const void* values_of(void* buffer, void* base, Index size) {
    auto& memory = *static_cast<typename DeviceType::Buffer*>(buffer);
    if constexpr (kept_as_bf16<Element, DeviceType>) as<DeviceType>(base).narrow().widen(memory, size);
    return memory.get();
  }

  template <class DeviceType>
  static ParameterBase<DeviceType>& as(void* base) {
    return *static_cast<ParameterBase<DeviceType>*>(base);
  }

  template <class Element, class DeviceType>
  static constexpr Access access_of{element_name<Element>,
                                    DeviceType::host_accessible,
                                    &DeviceType::copy_to_device,
                                    &DeviceType::copy_to_host,
                                    &data_of<Element, DeviceType>,
                                    &values_of<Element, DeviceType>,
                                    [](void* base) { return as<DeviceType>(base).bf16_data(); },
                                    kept_as_bf16<Element, DeviceType> ? &use_bf16_elements : nullptr,
                                    std::is_same_v<DeviceType, Cpu> ? &use_host_memory : nullptr,
                                    [](void* base) { return as<DeviceType>(base).gradient_data(); },
                                    [](void* base) { as<DeviceType>(base).clear_gradient(); },
                                    [](void* base) { return as<DeviceType>(base).trainable(); },
                                    [](void* base, bool trainable) { as<DeviceType>(base).set_trainable(trainable); }};

  ParameterName name_;
  std::vector<Index> extents_;
  void* buffer_;  ///< of the device: where the elements are
  void* base_;    ///< the parameter's base
  const Access* access_;
};

namespace detail {

/// One type of visitor for all who want a list: each other type makes the compiler walk through every layer anew.
struct ParameterCollector {
  std::vector<AnyParameter>& all;

  template <class ParameterType>
  void operator()(const ParameterName& name, ParameterType& parameter) const {
    AnyParameter::append(all, name, parameter);
  }
};

}  // namespace detail

/// Every parameter of a layer or model, in the reference's order. Of a constant one they are only to be read; that it is
/// constant is taken away because the walk through its layers is compiled once for both.
template <class Layer>
std::vector<AnyParameter> list_parameters(Layer& layer) {
  std::vector<AnyParameter> all;
  const detail::ParameterCollector collector{all};
  for_each_parameter(const_cast<std::remove_const_t<Layer>&>(layer), collector);
  return all;
}

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tensors that own their memory and views that do not: row-major, contiguous, last axis fastest.
#pragma once

#include <array>
#include <cassert>
#include <span>
#include <type_traits>

#include "weft/tensor/device.hpp"
#include "weft/tensor/shape.hpp"

namespace weft {

template <class T, class ShapeType, class DeviceType>
class TensorView;

namespace detail {

/// Row-major position of (i, j, ...) in a shape.
template <class ShapeType, class... Indices>
Index offset_of(const ShapeType& shape, Indices... indices) {
  static_assert(sizeof...(Indices) == static_cast<std::size_t>(ShapeType::rank),
                "tensor(i, j, ...): one index for each axis");
  Index offset = 0;
  int axis = 0;
  ((assert(static_cast<Index>(indices) >= 0 && static_cast<Index>(indices) < shape[axis]),
    offset = offset * shape[axis] + static_cast<Index>(indices), ++axis),
   ...);
  return offset;
}

}  // namespace detail

/// A tensor in somebody else's memory: pointer and extents. Cheap to copy; valid as long as that memory is.
template <class T, class ShapeType, class DeviceType = Cpu>
class TensorView {
 public:
  using Element = T;
  using Shape = ShapeType;
  using Device = DeviceType;

  TensorView() = default;
  TensorView(T* data, ShapeType shape) : data_(data), shape_(shape) {}

  /// A view of mutable elements is a view of constant ones.
  template <class Mutable>
  requires std::is_same_v<const Mutable, T> TensorView(const TensorView<Mutable, ShapeType, DeviceType>& view)
      : TensorView(view.data(), view.shape()) {}

  T* data() const { return data_; }
  const ShapeType& shape() const { return shape_; }
  Index extent(int axis) const { return shape_[axis < 0 ? axis + ShapeType::rank : axis]; }
  Index size() const { return shape_.size(); }
  std::span<T> span() const { return {data_, static_cast<std::size_t>(size())}; }

  /// One element; host memory only, checked by `assert`.
  template <class... Indices>
  T& operator()(Indices... indices) const {
    static_assert(DeviceType::host_accessible, "tensor(i, j, ...): copy a device tensor to the host first");
    return data_[detail::offset_of(shape_, indices...)];
  }

  /// The sub-tensor at an index of the first axis.
  auto operator[](Index index) const {
    static_assert(ShapeType::rank > 0, "tensor[i]: a scalar has no axis to index");
    if (index < 0 || index >= shape_[0]) {
      fail(concat("tensor[i]: i must be in [0, ", shape_[0], "), found ", index));
    }
    using Inner = DropFirst<ShapeType>;
    const auto inner = Inner::from(drop_first(shape_.extents()));
    return TensorView<T, Inner, DeviceType>(data_ + index * inner.size(), inner);
  }

  /// Indices [begin, begin + count) of the first axis.
  auto slice(Index begin, Index count) const {
    static_assert(ShapeType::rank > 0, "slice(begin, count): a scalar has no axis to slice");
    if (begin < 0 || count < 0 || begin > shape_[0] - count) {
      fail(concat("slice(begin, count): ", count, " from ", begin, " on are not within [0, ", shape_[0], ")"));
    }
    using Sliced = ReplaceAxis<ShapeType, 0, Dyn>;
    auto extents = shape_.extents();
    extents[0] = count;
    const Index inner = shape_[0] > 0 ? size() / shape_[0] : 0;
    return TensorView<T, Sliced, DeviceType>(data_ + begin * inner, Sliced::from(extents));
  }

  /// The same elements under another shape with the same number of them; checked at compile time where both are static.
  template <class NewShape>
  auto reshape(const NewShape& shape) const {
    if constexpr (NewShape::is_static && ShapeType::is_static) {
      static_assert(NewShape{}.size() == ShapeType{}.size(), "reshape(shape): the number of elements must not change");
    }
    if (shape.size() != size()) {
      fail(concat("reshape(shape): the number of elements must not change, found ", shape_.text(), " and ",
                  shape.text()));
    }
    return TensorView<T, NewShape, DeviceType>(data_, shape);
  }

 private:
  static auto drop_first(const std::array<Index, static_cast<std::size_t>(ShapeType::rank)>& extents) {
    std::array<Index, static_cast<std::size_t>(ShapeType::rank - 1)> rest{};
    for (std::size_t axis = 0; axis < rest.size(); ++axis) rest[axis] = extents[axis + 1];
    return rest;
  }

  T* data_ = nullptr;
  [[no_unique_address]] ShapeType shape_{};
};

/// A tensor that owns its memory (64-byte aligned), zero-initialised. Moves are cheap; copies are explicit by `clone`.
template <class T, class ShapeType, class DeviceType = Cpu>
class Tensor {
 public:
  using Element = T;
  using Shape = ShapeType;
  using Device = DeviceType;

  Tensor() requires(ShapeType::is_static) : Tensor(ShapeType{}) {}
  Tensor() requires(!ShapeType::is_static) = default;

  /// Raises Error for a negative extent, a number of bytes that no Index holds, and where memory is short.
  explicit Tensor(ShapeType shape)
      : shape_(shape),
        buffer_(DeviceType::allocate_zeroed(detail::checked_bytes("Tensor", shape.extents(), sizeof(T)))) {}

  T* data() { return reinterpret_cast<T*>(buffer_.get()); }
  const T* data() const { return reinterpret_cast<const T*>(buffer_.get()); }
  const ShapeType& shape() const { return shape_; }
  Index extent(int axis) const { return shape_[axis < 0 ? axis + ShapeType::rank : axis]; }
  Index size() const { return shape_.size(); }
  std::span<T> span() { return view().span(); }
  std::span<const T> span() const { return view().span(); }

  TensorView<T, ShapeType, DeviceType> view() { return {data(), shape_}; }
  TensorView<const T, ShapeType, DeviceType> view() const { return {data(), shape_}; }
  operator TensorView<T, ShapeType, DeviceType>() { return view(); }
  operator TensorView<const T, ShapeType, DeviceType>() const { return view(); }

  template <class... Indices>
  T& operator()(Indices... indices) {
    return view()(indices...);
  }
  template <class... Indices>
  const T& operator()(Indices... indices) const {
    return view()(indices...);
  }
  auto operator[](Index index) { return view()[index]; }
  auto operator[](Index index) const { return view()[index]; }
  auto slice(Index begin, Index count) { return view().slice(begin, count); }
  auto slice(Index begin, Index count) const { return view().slice(begin, count); }
  template <class NewShape>
  auto reshape(const NewShape& shape) {
    return view().reshape(shape);
  }
  template <class NewShape>
  auto reshape(const NewShape& shape) const {
    return view().reshape(shape);
  }

  /// The memory itself.
  const typename DeviceType::Buffer& buffer() const { return buffer_; }
  typename DeviceType::Buffer& buffer() { return buffer_; }

  /// A copy with memory of its own.
  Tensor clone() const {
    Tensor copy(shape_);
    DeviceType::copy(copy.data(), data(), bytes());
    return copy;
  }

  /// Fills from host elements; as many as the tensor has.
  void assign(std::span<const T> values) {
    if (static_cast<Index>(values.size()) != size()) {
      fail(concat("assign(values): shape ", shape_.text(), " needs ", size(), " values, found ", values.size()));
    }
    DeviceType::copy_to_device(data(), values.data(), bytes());
  }

 private:
  std::size_t bytes() const { return static_cast<std::size_t>(shape_.size()) * sizeof(T); }

  [[no_unique_address]] ShapeType shape_{};
  typename DeviceType::Buffer buffer_{};
};

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// The context that records nothing: an operation is a kernel call whose result lies in the context's workspace.
#pragma once

#include "weft/tensor/tensor.hpp"
#include "weft/tensor/workspace.hpp"

namespace weft {

/// Evaluates layers without derivatives.
///
///     weft::Inference inference;
///     auto y = layer(inference, x);   // valid until inference.reset()
template <class DeviceType>
class BasicInference {
 public:
  using Device = DeviceType;
  static constexpr bool records = false;
  template <class T, class ShapeType>
  using Result = TensorView<T, ShapeType, DeviceType>;

  BasicInference() = default;
  BasicInference(const BasicInference&) = delete;
  BasicInference& operator=(const BasicInference&) = delete;

  /// An uninitialised result; for operations.
  template <class T, class ShapeType>
  Result<T, ShapeType> make(const ShapeType& shape, bool /*needs_gradient*/ = false) {
    return {workspace_.template allocate<T>(shape.size()), shape};
  }

  /// A new result in the memory of another that nothing reads any more.
  template <class T, class ShapeType>
  Result<T, ShapeType> overwrite(const Result<T, ShapeType>& x, bool /*needs_gradient*/) {
    return x;
  }

  /// x becomes body(x), in place: what `body` allocated is given back, so that a deep stack needs the memory of one layer.
  template <class T, class ShapeType, class Body>
  Result<T, ShapeType> evolve(const Result<T, ShapeType>& x, Body&& body) {
    const auto mark = workspace_.mark();
    const Result<T, ShapeType> result = body(x);
    DeviceType::copy(x.data(), result.data(), static_cast<std::size_t>(x.size()) * sizeof(T));
    workspace_.release(mark);
    return x;
  }

  /// Gives back all results. Memory stays for the next evaluation.
  void reset() { workspace_.reset(); }

  BasicWorkspace<DeviceType>& workspace() { return workspace_; }

 private:
  BasicWorkspace<DeviceType> workspace_;
};

/// The inference context of host memory.
using Inference = BasicInference<Cpu>;

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows of a table, chosen by ids (torch.nn.functional.embedding).
#pragma once

#include <array>
#include <type_traits>

#include "weft/autograd/operand.hpp"
#include "weft/ops/embedding/embedding_kernels.hpp"

namespace weft {

namespace detail {

template <class ShapeType, auto Extent>
struct AppendAxis;
template <auto... Extents, auto Extent>
struct AppendAxis<Shape<Extents...>, Extent> {
  using type = Shape<Extents..., Extent>;
};

/// dweight[ids[row]] += dY[row], but for the padding
template <class T, class Id, class DeviceType>
struct EmbeddingBackward {
  const Id* ids;
  Gradient* weight;
  Gradient* y;
  EmbeddingSize size;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dweight = tape.template target<T>(weight);
    EmbeddingKernels<DeviceType>::backward_weight(size, ids, y->values<T>(), dweight);
  }
};

}  // namespace detail

/// What is special about a table.
struct EmbeddingOptions {
  /// The row of padding, which a lookup reads like any other but gives no gradient, so that it stays what it is unless the
  /// table has another use (torch's padding_idx). Negative: none.
  Index padding_id = -1;
};

/// y[..., :] = weight[ids[...], :]. An id outside of the table is refused before anything is written.
///
/// \param ids     [...], `std::int32_t` or `std::int64_t`, any rank; must outlive the step on a tape
/// \param weight  [vocabulary, features]; rows of a `bf16` table, which gets no gradient, are returned as `float`; so are
///                those of a parameter that is not trained and has such elements
/// \return        [..., features]
template <class Context, class Ids, class Weight>
auto embedding(Context& context, const Ids& ids, const Weight& weight, const EmbeddingOptions& options = {}) {
  using Id = ElementOf<Ids>;
  using Stored = ElementOf<Weight>;
  using T = std::conditional_t<std::is_same_v<Stored, bf16>, float, Stored>;
  using Device = typename Context::Device;
  using Kernels = EmbeddingKernels<Device>;
  static_assert(std::is_same_v<Id, std::int32_t> || std::is_same_v<Id, std::int64_t>,
                "embedding(ids, weight): ids must be std::int32_t or std::int64_t");
  static_assert(ShapeOf<Weight>::rank == 2, "embedding(ids, weight): weight must be [vocabulary, features]");
  using YShape = typename detail::AppendAxis<ShapeOf<Ids>, extent_of<ShapeOf<Weight>, 1>>::type;

  std::array<Index, static_cast<std::size_t>(YShape::rank)> extents{};
  for (int axis = 0; axis < ShapeOf<Ids>::rank; ++axis) extents[static_cast<std::size_t>(axis)] = ids.shape()[axis];
  extents.back() = weight.extent(1);
  const EmbeddingSize size{ids.size(), weight.extent(0), weight.extent(1), options.padding_id};

  const auto positions = operand(context, ids);
  if (const MisplacedId misplaced = Kernels::find_misplaced(size, positions.data); misplaced.position >= 0) {
    fail(concat("embedding(ids, weight): the id at position ", misplaced.position, " is ", misplaced.id,
                ", outside of the vocabulary [0, ", size.vocabulary, ")"));
  }
  constexpr bool differentiable = std::is_same_v<T, Stored>;
  if constexpr (detail::may_be_narrow<Context, Weight>) {
    if (const bf16* narrow = detail::narrow_elements(context, weight)) {
      auto y = context.template make<T>(YShape::from(extents), false);
      Kernels::forward(size, positions.data, narrow, y.data());
      return y;
    }
  }
  const auto weights = operand(context, weight);
  auto y = context.template make<T>(YShape::from(extents), differentiable && weights.gradient != nullptr);
  Kernels::forward(size, positions.data, weights.data, y.data());
  if constexpr (Context::records && differentiable) {
    context.record(y.gradient_slot(),
                   detail::EmbeddingBackward<T, Id, Device>{positions.data, weights.gradient, y.gradient_slot(), size});
  }
  return y;
}

}  // namespace weft

// SPDX-License-Identifier: Apache-2.0
/// \file
/// What extents of a layer owe each other beside being equal.
#pragma once

#include <string_view>

#include "weft/tensor/shape.hpp"

namespace weft {

namespace detail {

template <auto First, auto Second>
constexpr bool extent_is_multiple() {
  if constexpr (is_dynamic<First> || is_dynamic<Second>) {
    return true;
  } else {
    return Second != 0 && First % Second == 0;
  }
}

}  // namespace detail

/// The first extent is a multiple of the second, or one of them is known only at run time. A layer asserts it with the
/// sentence that is its error at run time.
template <auto First, auto Second>
concept MultipleOf = detail::extent_is_multiple<First, Second>();

/// An error unless the heads of an attention layer can be shared out and turned. The same rules for extents in a type are
/// `MultipleOf<Heads, KeyValueHeads>` and `MultipleOf<HeadDim, 2>`.
inline void expect_attention_heads(std::string_view owner, Index heads, Index key_value_heads, Index head_dim) {
  if (heads % key_value_heads != 0) {
    fail(concat(owner, ": key_value_heads must divide heads, found ", key_value_heads, " and ", heads));
  }
  if (head_dim % 2 != 0) {
    fail(concat(owner, ": head_dim must be even, because the rotary embedding turns pairs, found ", head_dim));
  }
}

}  // namespace weft

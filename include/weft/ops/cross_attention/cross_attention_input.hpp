// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the kernels of cross attention are told. Who may look at whom is a function of indices, never a tensor.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/dropout/dropout_kernels.hpp"
#include "weft/ops/packed_rows.hpp"
#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// The extents of cross attention: as many heads of keys and values as of queries, all `head_dim` wide. Where texts are
/// packed, `queries` and `keys` are the most that one has.
struct CrossAttentionSize {
  Index batch = 0;  ///< texts
  Index heads = 0;
  Index queries = 0;
  Index keys = 0;
  Index head_dim = 0;
  bool shared_queries = false;  ///< q is [1, queries, width]: every text is asked the same
  PackedRows query_texts = {};  ///< where the results of texts lie, and their queries unless these are shared
  PackedRows key_texts = {};
  Index skipped = 0;  ///< tokens at the front of each packed text that ask nothing and get 0

  Index width() const { return heads * head_dim; }
  Index queries_of(Index text) const { return std::max<Index>(0, query_texts.length(text, queries) - skipped); }
  Index keys_of(Index text) const { return key_texts.length(text, keys); }
  /// The rows of a text's first result, query and key.
  Index result_row(Index text) const { return query_texts.begin(text, queries) + skipped; }
  Index query_row(Index text) const { return shared_queries ? 0 : result_row(text); }
  Index key_row(Index text) const { return key_texts.begin(text, keys); }
};

/// A mask of tokens against tokens that is added to the scores. Where it is said by index it holds 0 or the smallest
/// number of T; several kinds may be given together. Null pointers and no `causal`: there is none.
template <class T>
struct TokenMask {
  bool causal = false;                      ///< token i sees tokens 0..i
  const std::int32_t* key_valid = nullptr;  ///< [batch, columns], 0 = padding
  const T* additive = nullptr;              ///< by the strides below; -inf counts as the smallest number
  Index rows = 0;
  Index columns = 0;
  Index additive_batch_stride = 0;  ///< entry (i, j) of batch b: additive[b * batch_stride + i * row_stride + j]
  Index additive_row_stride = 0;

  bool given() const { return causal || dense(); }
  /// Whether a row may see any set of keys, not only a range of them.
  bool dense() const { return key_valid != nullptr || additive != nullptr; }

  T at(Index batch, Index i, Index j) const {
    constexpr T lowest = std::numeric_limits<T>::lowest();
    if (causal && j > i) return lowest;
    if (key_valid != nullptr && key_valid[batch * columns + j] == 0) return lowest;
    if (additive == nullptr) return T{0};
    return std::max(additive[batch * additive_batch_stride + i * additive_row_stride + j], lowest);
  }
};

/// Pairs of a query and a key as an array, for a fill that is not causal: key j of query i, of head h of batch b, is
/// pairs[b * batch_stride + h * head_stride + i * row_stride + j]. A null pointer: there are none.
struct KeyFill {
  const std::int32_t* pairs = nullptr;  ///< not 0: the score of this pair is replaced
  Index rows = 0;                       ///< as many as queries
  Index columns = 0;                    ///< as many as keys
  Index batch_stride = 0;               ///< 0: the same for all texts
  Index head_stride = 0;                ///< 0: the same for all heads
  Index row_stride = 0;

  bool given() const { return pairs != nullptr; }
  const std::int32_t* row(Index batch, Index head, Index i) const {
    return pairs + batch * batch_stride + head * head_stride + i * row_stride;
  }
};

/// How queries and keys belong together in groups of `group_size` consecutive ones.
enum class KeyGroups {
  none,
  of_query,       ///< query n owns keys [n P, (n + 1) P); the others get the penalty
  of_key,         ///< query t belongs to key ⌊t / P⌋; the other keys get the penalty
  only_of_query,  ///< as of_query, but the other keys do not exist
  until_query,    ///< query t sees keys 0..⌊t / P⌋; later ones do not exist
};

/// The order in which a fill and added masks change a score; they differ where a mask is large.
enum class FillOrder { mask_then_fill, fill_then_mask };

/// Everything that changes scores. Additions happen in T one after the other, as in the reference: added to -1e9, a
/// float score below 32 disappears, and keys that all carry the penalty are looked at alike.
template <class T>
struct CrossAttentionMask {
  bool causal = false;  ///< the score of every later key becomes `penalty`
  FillOrder order = FillOrder::mask_then_fill;
  TokenMask<T> tokens;  ///< outside its rows and columns the penalty is added
  KeyGroups groups = KeyGroups::none;
  Index group_size = 1;
  T penalty = T(-1e9);

  /// Where several texts share the rows of q (and of the result), and of k and v. Indices are then those within a text. A
  /// query sees keys of its own text only; with packed texts only `tokens.causal` may be given of a mask of tokens.
  PackedRows query_texts = {};
  PackedRows key_texts = {};
  Index skipped = 0;  ///< tokens at the front of each text of `query_texts` that ask nothing: the result there is 0

  KeyFill fill = {};  ///< the scores of these pairs become `penalty` too

  bool packed() const { return query_texts || key_texts; }
};

/// Weights that come from elsewhere; all but `dense` are 0 for later keys.
enum class SuppliedWeights {
  none,
  dense,     ///< [batch, heads, queries, keys]
  ones,      ///< 1 for every key up to the query
  nearest,   ///< [texts, heads, extent, extent], entry (⌊i / P⌋, ⌊j / P⌋)
  bilinear,  ///< the same array, interpolated linearly between the middles of its cells (align_corners off)
};

/// The supplied weights and how they meet the computed ones: a = m w + (1 - m) s over its row sum + 1e-9 where m > 0,
/// a = s where not.
template <class T>
struct CrossAttentionMixing {
  SuppliedWeights kind = SuppliedWeights::none;
  const T* weights = nullptr;
  Index extent = 0;
  Index group_size = 1;
  TokenMask<T> visible;                   ///< supplied weights of keys it hides (<= -1e5) are 0; not for `dense`
  std::optional<DropoutMask> entry_drop;  ///< `ones`: dropout of the one entry a head that all are copies of
  T mix = 0;

  bool given() const { return kind != SuppliedWeights::none; }
  /// Whether scores are needed at all.
  bool local() const { return !given() || mix > 0; }
};

/// The keys that a query may give weight to.
struct KeyRange {
  Index begin;
  Index end;
};

template <class T>
struct CrossAttentionInput {
  CrossAttentionSize size;
  const T* q = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  T scale = 1;
  CrossAttentionMask<T> mask;
  CrossAttentionMixing<T> mixing;
  std::optional<DropoutMask> dropout;  ///< of the weights, after mixing

  const T* query(Index b, Index h, Index i) const { return q + at(size.query_row(b) + i, h); }
  const T* key(Index b, Index h, Index j) const { return k + at(size.key_row(b) + j, h); }
  const T* value(Index b, Index h, Index j) const { return v + at(size.key_row(b) + j, h); }

  /// Where one head of a row lies in [all rows, heads * head_dim].
  Index at(Index row, Index h) const { return row * size.width() + h * size.head_dim; }
};

/// What backward owes. When several of them are one tensor, the earlier in this list may overwrite and the later add.
template <class T>
struct CrossAttentionGradients {
  GradientTarget<T> dq;
  GradientTarget<T> dk;
  GradientTarget<T> dv;
  GradientTarget<T> d_supplied;  ///< of the array behind the supplied weights
  GradientTarget<T> d_mix;       ///< one element
};

/// What the masks add to the score of key j for query i.
template <class T>
T added_mask(const CrossAttentionMask<T>& mask, Index batch, Index i, Index j) {
  T sum = 0;
  if (mask.tokens.given()) {
    const bool inside = i < mask.tokens.rows && j < mask.tokens.columns;
    sum = inside ? mask.tokens.at(batch, i, j) : mask.penalty;
  }
  const bool outside = (mask.groups == KeyGroups::of_query && j / mask.group_size != i) ||
                       (mask.groups == KeyGroups::of_key && i / mask.group_size != j);
  return outside ? sum + mask.penalty : sum;
}

namespace detail {

inline KeyRange either(KeyRange preferred, KeyRange otherwise) {
  return preferred.begin < preferred.end ? preferred : otherwise;
}

}  // namespace detail

/// A range outside which no weight of query i of a text can be other than 0, so that no score there is computed.
template <class T>
KeyRange key_range(const CrossAttentionInput<T>& in, Index text, Index i) {
  const CrossAttentionMask<T>& mask = in.mask;
  const Index keys = in.size.keys_of(text);
  const Index size = mask.group_size;
  const Index until = std::min(keys, i + 1);
  if (mask.groups == KeyGroups::only_of_query) return {std::min(keys, i * size), std::min(keys, (i + 1) * size)};
  if (mask.groups == KeyGroups::until_query) return {0, std::min(keys, i / size + 1)};
  const bool anywhere = mask.tokens.additive != nullptr || mask.fill.given();
  if (in.mixing.kind == SuppliedWeights::dense || anywhere) return {0, keys};
  if (mask.causal) return {0, until};
  if (mask.tokens.dense()) return {0, keys};
  const bool outside = mask.tokens.causal && i >= mask.tokens.rows;
  const KeyRange seen{0, mask.tokens.causal && !outside ? until : keys};
  if (outside) return seen;
  if (mask.groups == KeyGroups::of_query) {
    return detail::either({i * size, std::min(seen.end, (i + 1) * size)}, seen);
  }
  if (mask.groups == KeyGroups::of_key) {
    return detail::either({i / size, std::min(seen.end, i / size + 1)}, seen);
  }
  return seen;
}

}  // namespace weft::kernels

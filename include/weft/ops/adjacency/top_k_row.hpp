// SPDX-License-Identifier: Apache-2.0
/// \file
/// The largest entries of a row, without sorting it.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

/// An entry of a row and where it stands.
template <class T>
struct RankedEntry {
  T value;
  Index index;
};

/// Whether a comes before b among the largest entries: NaN is the greatest of all, as PyTorch has it.
template <class T>
bool ranks_before(const RankedEntry<T>& a, const RankedEntry<T>& b) {
  return (std::isnan(a.value) && !std::isnan(b.value)) || a.value > b.value;
}

#if defined(__GLIBCXX__)
inline constexpr bool kHasTiesOfLibstdcxx = true;
#else
inline constexpr bool kHasTiesOfLibstdcxx = false;
#endif

/// Moves the k entries with the largest values to the front, in no order: 1 <= k <= count. Equal values are unspecified in
/// PyTorch, whose CPU kernel calls these very functions of libstdc++; with another standard library the first ones win.
template <class T>
void select_top_k(RankedEntry<T>* entries, Index count, Index k, TopKTies ties) {
  const auto before = [ties](const RankedEntry<T>& a, const RankedEntry<T>& b) {
    if (kHasTiesOfLibstdcxx && ties == TopKTies::libstdcxx) return ranks_before(a, b);
    return ranks_before(a, b) || (!ranks_before(b, a) && a.index < b.index);
  };
  if (64 * k <= count) {
    std::partial_sort(entries, entries + k, entries + count, before);
  } else {
    std::nth_element(entries, entries + k - 1, entries + count, before);
  }
}

/// The entries of a row of `count`, ready for `select_top_k`; valid until the next call on this thread. Those for which
/// `passes` is false count as 0.
template <class T, class Passes>
RankedEntry<T>* ranked_entries(const T* row, Index count, Passes&& passes) {
  struct Entries {};
  auto* entries = thread_scratch<Entries, RankedEntry<T>>(count);
  for (Index j = 0; j < count; ++j) entries[j] = {passes(row[j]) ? row[j] : T{0}, j};
  return entries;
}

/// p = 1 for the max(⌊fraction · count⌋, 1) largest of all `count` entries of the row, if at or before `last`; else 0.
template <class T>
void top_k_row(const ThresholdOptions& options, const T* a, Index count, Index last, T* p) {
  const Index k = std::max<Index>(1, static_cast<Index>(static_cast<double>(count) * options.top_k_fraction));
  auto* entries = ranked_entries(a, count, [](T) { return true; });
  select_top_k(entries, count, k, options.topk_ties);
  std::fill_n(p, count, T{0});
  for (Index i = 0; i < k; ++i) {
    if (entries[i].index <= last) p[entries[i].index] = T{1};
  }
}

/// p = 1 for the max(1, ⌈fraction · i⌉) largest of the `i` entries before the diagonal; else 0. Entries below the threshold
/// count as 0 but may be taken, unless `drop_below_threshold` (quirks A2, A3: row 0 and the diagonal stay empty).
///
/// \param count  elements of p
template <class T>
void scaled_top_k_row(const ThresholdOptions& options, T threshold, const T* a, Index i, Index count, T* p) {
  std::fill_n(p, count, T{0});
  if (i == 0) return;
  const Index k = std::max<Index>(1, static_cast<Index>(std::ceil(options.top_k_fraction * static_cast<double>(i))));
  const auto passes = [threshold](T value) { return value >= threshold; };
  auto* entries = ranked_entries(a, i, passes);
  select_top_k(entries, i, k, options.topk_ties);
  for (Index n = 0; n < k; ++n) {
    const Index j = entries[n].index;
    if (!options.drop_below_threshold || passes(a[j])) p[j] = T{1};
  }
}

}  // namespace weft::kernels

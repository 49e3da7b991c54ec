// SPDX-License-Identifier: Apache-2.0
/// \file
/// The four aggregates of a block of nodes, and their derivative with respect to the adjacency's rows and the values.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/adjacency/adjacency_rows.hpp"
#include "weft/ops/neighbour_max/neighbour_max_row.hpp"
#include "weft/ops/pna/pna_input.hpp"

namespace weft::kernels {

/// Addresses of what belongs to row `r` of a block.
template <class T>
struct PNARow {
  const PNAInput<T>& in;
  const AdjacencyBlock& block;
  Index r;

  Index kv_head() const { return block.head / in.size().group(); }
  Index position() const { return block.position + r; }
  Index node() const { return (block.batch * in.size().queries + block.first + r) * in.size().heads + block.head; }
  /// The first of the node's four parts in the result.
  Index result() const { return node() * 4 * in.dim; }
  /// The first token of the node's own sequence.
  Index first_key() const {
    const std::int32_t* keys = in.adjacency.attention.mask.first_key;
    return keys == nullptr ? 0 : keys[block.batch * in.size().queries + block.first + r];
  }
  const T* value(Index key) const { return in.v.at(block.batch, key, kv_head() * in.dim); }
  const T* norms() const { return in.norms + (block.batch * in.size().kv_heads + kv_head()) * in.size().keys; }
  /// The running maximum of this node's position; its tokens lie half of `from` further on.
  T* running() const {
    return in.from + ((block.batch * in.size().keys + position()) * in.size().kv_heads + kv_head()) * in.dim;
  }
};

namespace detail {

template <class T>
const T* block_moments(const PNAInput<T>& in, const AdjacencyBlock& block) {
  return in.moments + block.batch * in.size().keys * in.moment_row() + block.head / in.size().group() * 2 * in.dim;
}

template <class T>
T degree_of(Index width, const T* row) {
  return row_sums<T, 1>(width, [&](Index j, auto access, auto& sums) { sums[0] += access.load(row + j); })[0];
}

/// The neighbours with the longest and the shortest values, the first ones where several are alike.
template <class T>
void select_neighbours(const PNARow<T>& row, const T* p, T degree, T* selected) {
  const T* norms = row.norms();
  const T above = row.in.valid_above();
  constexpr T infinity = std::numeric_limits<T>::infinity();
  T longest = -infinity, shortest = infinity;
  Index first = -1, last = -1;
  for (Index j = 0; j < row.block.width; ++j) {
    if (!(p[j] > above)) continue;
    if (norms[j] > longest) longest = norms[first = j];
    if (norms[j] < shortest) shortest = norms[last = j];
  }
  const bool own = degree == T{0} || (first < 0 && row.in.rules.fallback == PNAFallback::self);
  const Index other = own ? row.position() : row.first_key();
  selected[0] = static_cast<T>(own || first < 0 ? other : first);
  selected[1] = static_cast<T>(own || last < 0 ? other : last);
}

/// The extremes of a node, into its parts of the result.
template <class T>
void write_extremes(const PNARow<T>& row, const T* p, T degree, T* out) {
  const PNAInput<T>& in = row.in;
  T* largest = out + in.rules.max_part() * in.dim;
  if (in.rules.selects()) {
    T* selected = in.from + 2 * row.node();
    select_neighbours(row, p, degree, selected);
    std::copy_n(row.value(static_cast<Index>(selected[0])), in.dim, largest);
    std::copy_n(row.value(static_cast<Index>(selected[1])), in.dim, out + 3 * in.dim);
    return;
  }
  const T empty = in.rules.empty_max == PNAEmptyMax::guard ? T{0} : -std::numeric_limits<T>::infinity();
  if (in.runs()) {
    std::copy_n(row.running(), in.dim, largest);
  } else if (in.rules.max == PNAMax::neighbours) {
    neighbour_max_row(row.block.width, p, row.value(0), in.v.row_stride, in.dim, empty, largest,
                      in.from + row.node() * in.dim);
  } else if (row_max(row.block.width, p) > T{0}) {
    std::copy_n(row.value(row.position()), in.dim, largest);
  } else {
    std::fill_n(largest, in.dim, empty);
  }
}

/// The gradient of the extremes goes to the values that they are.
template <class T>
void extremes_backward(const PNARow<T>& row, const T* p, const T* d, AttentionRows<T> dv) {
  const PNAInput<T>& in = row.in;
  const T* d_largest = d + in.rules.max_part() * in.dim;
  const auto add_to = [&](Index key, const T* from) {
    T* to = dv.at(row.block.batch, key, row.kv_head() * in.dim);
    for (Index c = 0; c < in.dim; ++c) to[c] += from[c];
  };
  if (in.rules.selects()) {
    const T* selected = in.from + 2 * row.node();
    add_to(static_cast<Index>(selected[0]), d_largest);
    add_to(static_cast<Index>(selected[1]), d + 3 * in.dim);
  } else if (in.rules.max == PNAMax::neighbours) {
    const T* from = in.runs() ? row.running() + in.from_size() / 2 : in.from + row.node() * in.dim;
    neighbour_max_row_backward(in.dim, from, d_largest, dv.at(row.block.batch, 0, row.kv_head() * in.dim),
                               dv.row_stride);
  } else if (row_max(row.block.width, p) > T{0}) {
    add_to(row.position(), d_largest);
  }
}

}  // namespace detail

/// With S = P x, Q = P x² and the degree δ = Σⱼ P (1 where that is 0): sum S, mean S/δ, variance max(Q/δ - mean², 0), and the
/// extremes. One product makes S and Q.
///
/// \param p    [count, width]
/// \param sums room for [count, 2 dim]
/// \param y    [batch, queries, heads, 4, dim]
template <class T>
void pna_block(const PNAInput<T>& in, const AdjacencyBlock& block, const T* p, T* sums, T* y) {
  const Index dim = in.dim;
  matmul(Transpose::no, Transpose::no, block.count, 2 * dim, block.width, p, block.width,
         detail::block_moments(in, block), in.moment_row(), sums, 2 * dim);
  for (Index r = 0; r < block.count; ++r, p += block.width, sums += 2 * dim) {
    const PNARow<T> row{in, block, r};
    T* out = y + row.result();
    const T degree = detail::degree_of(block.width, p);
    const Vector<T> divisor(degree == T{0} ? T{1} : degree);
    T* mean = out + in.rules.mean_part() * dim;
    T* variance = out + in.rules.variance_part() * dim;
    const bool with_sum = !in.rules.selects();
    for_each_vector<T>(dim, [&](Index c, auto access) {
      const Vector<T> sum = access.load(sums + c);
      const Vector<T> average = sum / divisor;
      if (with_sum) access.store(out + c, sum);
      access.store(mean + c, average);
      access.store(variance + c, Vector<T>(average * average));
    });
    // The squares are rounded first, as in the reference: a difference fused with its product would make of a single
    // neighbour's variance, 0, a rounding error that lets gradients through.
    for_each_vector<T>(dim, [&](Index c, auto access) {
      const Vector<T> spread = access.load(sums + dim + c) / divisor - access.load(variance + c);
      access.store(variance + c, xsimd::max(spread, Vector<T>(T{0})));
    });
    detail::write_extremes(row, p, degree, out);
  }
}

/// From the result y of a node and dy to [dS, dQ]: dQ = dvariance/δ where the variance is not cut, dS = dsum + (dmean -
/// 2 mean dvariance)/δ. Returns dsum · S.
template <class T>
T pna_row_backward(const PNAAttentionRules& rules, Index dim, T degree, const T* y, const T* dy, T* g) {
  const Vector<T> inverse(T{1} / (degree == T{0} ? T{1} : degree));
  const Vector<T> zero(T{0});
  const Index mean_at = rules.mean_part() * dim;
  const Index variance_at = rules.variance_part() * dim;
  const bool with_sum = !rules.selects();
  return row_sums<T, 1>(dim, [&](Index c, auto access, auto& total) {
    const Vector<T> mean = access.load(y + mean_at + c);
    const Vector<T> not_cut = xsimd::select(access.load(y + variance_at + c) > zero, Vector<T>(T{1}), zero);
    const Vector<T> d_variance = not_cut * access.load(dy + variance_at + c);
    const Vector<T> d_mean = access.load(dy + mean_at + c) - Vector<T>(T{2}) * mean * d_variance;
    const Vector<T> d_sum = with_sum ? access.load(dy + c) : zero;
    access.store(g + c, multiply_add(d_mean, inverse, d_sum));
    access.store(g + dim + c, Vector<T>(d_variance * inverse));
    if (with_sum) total[0] = multiply_add(d_sum, access.load(y + c), total[0]);
  })[0];
}

/// Makes d = dP of a block and adds to d moments and, through the extremes, to dv: dP = G + dδ with G = dS xᵀ + dQ (x²)ᵀ.
/// Mean and variance do not depend on a common factor of a row of P; their part of Σⱼ Pᵢⱼ dPᵢⱼ is therefore 0, which gives
/// dδ = (dsum · S - Σⱼ Pᵢⱼ Gᵢⱼ) / δ. Taken from G itself, dδ cancels its rounding errors, however small δ is.
///
/// \param g    room for [count, 2 dim + 1]
/// \param d    [count, width], or null where it is not wanted
template <class T>
void pna_block_backward(const PNAInput<T>& in, const AdjacencyBlock& block, const T* p, const T* y, const T* dy, T* g,
                        T* d, T* d_moments, AttentionRows<T> dv) {
  const Index dim = in.dim;
  T* through_sum = g + block.count * 2 * dim;
  for (Index r = 0; r < block.count; ++r) {
    const PNARow<T> row{in, block, r};
    const T* own = p + r * block.width;
    through_sum[r] = pna_row_backward(in.rules, dim, detail::degree_of(block.width, own), y + row.result(),
                                      dy + row.result(), g + r * 2 * dim);
    if (dv.data != nullptr) detail::extremes_backward(row, own, dy + row.result(), dv);
  }
  const T* sums = g;
  if (d_moments != nullptr) {
    const Index offset = detail::block_moments(in, block) - in.moments;
    matmul(Transpose::yes, Transpose::no, block.width, 2 * dim, block.count, p, block.width, sums, 2 * dim,
           d_moments + offset, in.moment_row(), MatmulEpilogue<T>{nullptr, true, T{1}});
  }
  if (d == nullptr) return;
  matmul(Transpose::no, Transpose::yes, block.count, block.width, 2 * dim, sums, 2 * dim,
         detail::block_moments(in, block), in.moment_row(), d, block.width);
  for (Index r = 0; r < block.count; ++r, p += block.width, d += block.width) {
    const T degree = detail::degree_of(block.width, p);
    if (degree == T{0}) continue;
    const auto [product] = row_sums<T, 1>(block.width, [&](Index j, auto access, auto& total) {
      total[0] = multiply_add(access.load(p + j), access.load(d + j), total[0]);
    });
    const Vector<T> d_degree((through_sum[r] - product) / degree);
    for_each_vector<T>(block.width,
                       [&](Index j, auto access) { access.store(d + j, Vector<T>(access.load(d + j) + d_degree)); });
  }
}

}  // namespace weft::kernels

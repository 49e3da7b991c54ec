// SPDX-License-Identifier: Apache-2.0
/// \file
/// The vector vocabulary of the matrix kernels: fused multiply-add, partial loads and stores, widening, transposition.
#pragma once

// g++ 12 takes the deliberately undefined registers inside its own AVX-512 headers for mistakes (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <type_traits>
#include <utility>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

template <class T>
using Vector = xsimd::batch<T>;

/// Elements in a vector.
template <class T>
inline constexpr Index kLanes = static_cast<Index>(Vector<T>::size);

/// Whether the machine has 32 vector registers (AVX-512, 64-bit ARM) or 16.
inline constexpr bool kManyRegisters = XSIMD_WITH_AVX512F != 0 || XSIMD_WITH_NEON64 != 0;

/// a * b + c, rounded once where the machine can, and always the same way: a contracted expression would be fused in one
/// tile shape and not in another. xsimd 8.1 has no fused form for AVX-512.
template <class T>
inline Vector<T> multiply_add(Vector<T> a, Vector<T> b, Vector<T> c) {
#if XSIMD_WITH_AVX512F
  if constexpr (std::is_same_v<T, float>) {
    return _mm512_fmadd_ps(a, b, c);
  } else {
    return _mm512_fmadd_pd(a, b, c);
  }
#else
  return xsimd::fma(a, b, c);
#endif
}

/// Makes the compiler hold a value in a register: g++ 12 otherwise folds one load into each of its uses, and a tile becomes
/// bound by loads.
template <class T>
inline void hold(Vector<T>& value) {
#if XSIMD_WITH_AVX512F
  asm("" : "+v"(value.data));
#elif XSIMD_WITH_SSE2
  asm("" : "+x"(value.data));
#elif XSIMD_WITH_NEON64
  asm("" : "+w"(value.data));
#endif
}

/// The first `count` elements (0 <= count <= lanes), zeros behind them; memory behind them is not touched.
template <class T>
inline Vector<T> load_first(const T* from, Index count) {
#if XSIMD_WITH_AVX512F
  if constexpr (std::is_same_v<T, float>) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1U), from);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << count) - 1U), from);
  }
#else
  alignas(Vector<T>) T lanes[kLanes<T>] = {};
  for (Index i = 0; i < count; ++i) lanes[i] = from[i];
  return Vector<T>::load_aligned(lanes);
#endif
}

/// Stores the first `count` elements and touches no memory behind them.
template <class T>
inline void store_first(T* to, Vector<T> value, Index count) {
#if XSIMD_WITH_AVX512F
  if constexpr (std::is_same_v<T, float>) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1U), value);
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << count) - 1U), value);
  }
#else
  alignas(Vector<T>) T lanes[kLanes<T>];
  value.store_aligned(lanes);
  for (Index i = 0; i < count; ++i) to[i] = lanes[i];
#endif
}

namespace detail {

using Halves = std::uint16_t __attribute__((vector_size(2 * kLanes<float>)));
using Words = std::uint32_t __attribute__((vector_size(4 * kLanes<float>)));

}  // namespace detail

/// Loads a vector of T from storage of T, or from bf16 as float.
template <class T, class Stored>
inline Vector<T> load_widened(const Stored* from) {
  if constexpr (std::is_same_v<T, Stored>) {
    return Vector<T>::load_unaligned(from);
  } else {
    static_assert(std::is_same_v<T, float> && std::is_same_v<Stored, bf16>, "only bf16 is widened, and only to float");
    detail::Halves halves;
    __builtin_memcpy(&halves, from, sizeof(halves));
    const detail::Words words = __builtin_convertvector(halves, detail::Words) << 16;
    return Vector<T>(__builtin_bit_cast(decltype(Vector<T>::data), words));
  }
}

/// `load_first` from storage of T, or from bf16 as float.
template <class T, class Stored>
inline Vector<T> load_first_widened(const Stored* from, Index count) {
  if constexpr (std::is_same_v<T, Stored>) {
    return load_first(from, count);
  } else {
    Stored lanes[kLanes<T>];
    for (Index i = 0; i < kLanes<T>; ++i) lanes[i] = i < count ? from[i] : Stored::from_bits(0);
    return load_widened<T>(lanes);
  }
}

namespace detail {

/// Exchanges the off-diagonal blocks of `Block` lanes between two registers: one step of a transposition by halves.
template <int Block, class Register, int... Lane>
inline void exchange_blocks(Register& low, Register& high, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane);
  const Register first = __builtin_shufflevector(low, high, ((Lane & Block) == 0 ? Lane : lanes + Lane - Block)...);
  const Register second = __builtin_shufflevector(low, high, ((Lane & Block) == 0 ? Lane + Block : lanes + Lane)...);
  low = first;
  high = second;
}

template <int Block, class Register, int Lanes>
inline void transpose_blocks(Register (&rows)[Lanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < Lanes; ++i) {
    if ((i & Block) == 0) exchange_blocks<Block>(rows[i], rows[i + Block], std::make_integer_sequence<int, Lanes>{});
  }
  if constexpr (2 * Block < Lanes) transpose_blocks<2 * Block>(rows);
}

}  // namespace detail

/// The registers behind one square block of `kLanes` vectors.
template <class T>
using SquareBlock = decltype(Vector<T>::data)[kLanes<T>];

/// Transposes a square block in registers: log2(lanes) rounds of exchanging off-diagonal blocks.
template <class T>
inline void transpose(SquareBlock<T>& rows) {
  detail::transpose_blocks<1>(rows);
}

}  // namespace weft::kernels

// A vector of float32 numbers, as wide as what the compiler is told to use: 8 with AVX2, 16 with
// AVX-512, where images may also be of bfloat16.

#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#ifdef __AVX512F__

#include "bfloat16.h"

using Vector = __m512;
using Lanes = __mmask16;  // which numbers of a vector there are

constexpr Index kLanes = 16;

[[gnu::always_inline]] inline Lanes lanes_of(Index channels) {
    return static_cast<Lanes>(channels < kLanes ? (1u << channels) - 1 : 0xffff);
}

[[gnu::always_inline]] inline Vector zero() { return _mm512_setzero_ps(); }
[[gnu::always_inline]] inline Vector all(float value) { return _mm512_set1_ps(value); }

[[gnu::always_inline]] inline Vector load(const float* from) { return _mm512_loadu_ps(from); }

// What is not there is zero.
[[gnu::always_inline]] inline Vector load(const float* from, Lanes lanes) {
    return _mm512_maskz_loadu_ps(lanes, from);
}
[[gnu::always_inline]] inline Vector load(const Half* from, Lanes lanes) {
    return widened(lanes, from);
}

[[gnu::always_inline]] inline void store(float* to, Vector value) { _mm512_storeu_ps(to, value); }
[[gnu::always_inline]] inline void store(float* to, Lanes lanes, Vector value) {
    _mm512_mask_storeu_ps(to, lanes, value);
}
[[gnu::always_inline]] inline void store(Half* to, Lanes lanes, Vector value) {
    store_rounded(to, lanes, value);
}

[[gnu::always_inline]] inline Vector plus(Vector a, Vector b) { return _mm512_add_ps(a, b); }
[[gnu::always_inline]] inline Vector minus(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
[[gnu::always_inline]] inline Vector times(Vector a, Vector b) { return _mm512_mul_ps(a, b); }

// a × b + c and c - a × b.
[[gnu::always_inline]] inline Vector add_product(Vector a, Vector b, Vector c) {
    return _mm512_fmadd_ps(a, b, c);
}
[[gnu::always_inline]] inline Vector less_product(Vector a, Vector b, Vector c) {
    return _mm512_fnmadd_ps(a, b, c);
}

// Of each number the first where `sign` has none, the second where it has.
[[gnu::always_inline]] inline Vector by_sign(Vector sign, Vector positive, Vector negative) {
    const __m512i bits = _mm512_castps_si512(sign);
    const Lanes is_negative = _mm512_cmplt_epi32_mask(bits, _mm512_setzero_si512());
    return _mm512_mask_blend_ps(is_negative, positive, negative);
}

// Of each number the first where the gate is above zero, the second where it is not.
[[gnu::always_inline]] inline Vector by_gate(Vector gate, Vector open, Vector shut) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(gate, zero(), _CMP_GT_OQ), shut, open);
}

#else

using Index = std::ptrdiff_t;
using Vector = __m256;
struct Lanes {};  // channels are multiples of 8: all numbers are there

constexpr Index kLanes = 8;

[[gnu::always_inline]] inline Lanes lanes_of(Index) { return {}; }

[[gnu::always_inline]] inline Vector zero() { return _mm256_setzero_ps(); }
[[gnu::always_inline]] inline Vector all(float value) { return _mm256_set1_ps(value); }

[[gnu::always_inline]] inline Vector load(const float* from) { return _mm256_loadu_ps(from); }
[[gnu::always_inline]] inline Vector load(const float* from, Lanes) { return load(from); }

[[gnu::always_inline]] inline void store(float* to, Vector value) { _mm256_storeu_ps(to, value); }
[[gnu::always_inline]] inline void store(float* to, Lanes, Vector value) { store(to, value); }

[[gnu::always_inline]] inline Vector plus(Vector a, Vector b) { return _mm256_add_ps(a, b); }
[[gnu::always_inline]] inline Vector minus(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
[[gnu::always_inline]] inline Vector times(Vector a, Vector b) { return _mm256_mul_ps(a, b); }

// a × b + c and c - a × b.
[[gnu::always_inline]] inline Vector add_product(Vector a, Vector b, Vector c) {
    return _mm256_fmadd_ps(a, b, c);
}
[[gnu::always_inline]] inline Vector less_product(Vector a, Vector b, Vector c) {
    return _mm256_fnmadd_ps(a, b, c);
}

// Of each number the first where `sign` has none, the second where it has.
[[gnu::always_inline]] inline Vector by_sign(Vector sign, Vector positive, Vector negative) {
    return _mm256_blendv_ps(positive, negative, sign);
}

// Of each number the first where the gate is above zero, the second where it is not.
[[gnu::always_inline]] inline Vector by_gate(Vector gate, Vector open, Vector shut) {
    return _mm256_blendv_ps(shut, open, _mm256_cmp_ps(gate, zero(), _CMP_GT_OQ));
}

#endif

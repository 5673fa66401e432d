// What kernels on bfloat16 images share.

#pragma once

#include <cpuid.h>
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

using Index = std::ptrdiff_t;
using Half = std::uint16_t;  // a bfloat16

// Whether the processor and the operating system have AVX-512 with instructions for bfloat16.
inline bool has_avx512_bf16() {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           (a >> 5 & 1);
}

// Up to 16 numbers as float32; 0 where the mask has none.
[[gnu::always_inline]] inline __m512 widened(__mmask16 mask, const Half* values) {
    const __m256i halves = _mm256_maskz_loadu_epi16(mask, values);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

// Store those of the mask, rounded.
[[gnu::always_inline]] inline void store_rounded(Half* at, __mmask16 mask, __m512 values) {
    const __m256bh rounded = _mm512_cvtneps_pbh(values);
    _mm256_mask_storeu_epi16(at, mask, reinterpret_cast<__m256i>(rounded));
}

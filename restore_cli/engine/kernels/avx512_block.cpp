// Residual blocks of 16 and of 24 channels on channels-last bfloat16 images, on one thread, by
// AVX-512's dot products of pairs of bfloat16.
//
// Where an image is channels-last, the channels of three neighbouring pixels lie one after the
// other: a row of the weights' three taps is one sum over 3 × channels numbers, and that of the
// next pixel begins one pixel further. 16 outputs of a pixel are one vector of sums; each pair of
// numbers of the image is multiplied into all of them, for as many pixels as there are registers.
// With 24 channels, the last 8 outputs of two neighbouring pixels share a vector.

#include "rows.h"

namespace {

constexpr Index kLanes = 16;
constexpr Index kMost = 24;  // pixels at once
constexpr __mmask16 kAll = 0xffff, kSecond = 0xff00;

// Of a row in the ring: padding, the pixels of whole blocks, and the padding behind.
inline Index pitch_of(Index width, Index channels) {
    return ((width + kMost + 2) * channels + 31) / 32 * 32;
}

[[gnu::always_inline]] inline __m512i twice(const Half* pair) {
    int both;
    std::memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
}

[[gnu::always_inline]] inline __m512 product(__m512 sum, __m512i taps, __m512i pairs) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(taps),
                            reinterpret_cast<__m512bh>(pairs));
}

// 8 numbers of one place and 8 of another.
[[gnu::always_inline]] inline __m512 widened_of_two(const Half* first, const Half* second) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(first));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(second));
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_set_m128i(high, low));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

[[gnu::always_inline]] inline void store_of_two(Half* first, Half* second, bool has_two,
                                                __m512 values) {
    const auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(first), _mm256_castsi256_si128(rounded));
    if (has_two)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(second), _mm256_extracti128_si256(rounded, 1));
}

// act(v), act scaling what is not positive.
struct Leaky {
    __m512 slope;

    __m512 operator()(__m512 v, Index) const {
        return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LE_OQ), v,
                                  slope);
    }
    __m512 of_two(__m512 v, Index, Index) const { return (*this)(v, 0); }
};

// v + what is at its place in a row.
struct Plus {
    const Half* line;

    __m512 operator()(__m512 v, Index at) const {
        return _mm512_add_ps(v, widened(kAll, line + at));
    }
    __m512 of_two(__m512 v, Index first, Index second) const {
        return _mm512_add_ps(v, widened_of_two(line + first, line + second));
    }
};

// Weights and bias of a convolution.
// weights: [3 rows][pairs][16 outputs, or 24 and the last 8 again][2].
struct Conv {
    const Half* weights;
    const float* bias;
};

// `Pixels` pixels of a row of 16 channels from x on, of which `columns` are inside the image.
template <int Pixels, typename Finish>
[[gnu::always_inline]] inline void compute_16(const Half* const* above, const Conv& conv, Index x,
                                              Index columns, Half* out, const Finish& finish) {
    constexpr Index channels = kLanes;
    __m512 sums[Pixels];
    const __m512 bias = conv.bias ? _mm512_loadu_ps(conv.bias) : _mm512_setzero_ps();
    for (__m512& sum : sums) sum = bias;
    const Half* weights = conv.weights;
    for (Index row = 0; row < kRing; ++row) {
        const Half* line = above[row] + x * channels;
#pragma GCC unroll 4
        for (Index k = 0; k < 3 * channels; k += 2, weights += 2 * kLanes) {
            const __m512i taps = _mm512_loadu_si512(weights);
#pragma GCC unroll 32
            for (int p = 0; p < Pixels; ++p)
                sums[p] = product(sums[p], taps, twice(line + p * channels + k));
        }
    }
#pragma GCC unroll 32
    for (int p = 0; p < Pixels; ++p) {
        const Index at = (x + p) * channels;
        if (p < columns) store_rounded(out + at, kAll, finish(sums[p], at));
    }
}

// Likewise of 24 channels; Pixels are even.
template <int Pixels, typename Finish>
[[gnu::always_inline]] inline void compute_24(const Half* const* above, const Conv& conv, Index x,
                                              Index columns, Half* out, const Finish& finish) {
    constexpr Index channels = 24;
    __m512 sums[Pixels], shared[Pixels / 2];
    const __m512 zero = _mm512_setzero_ps();
    const __m512 bias = conv.bias ? _mm512_loadu_ps(conv.bias) : zero;
    const __m512 last = conv.bias ? _mm512_maskz_loadu_ps(0xff, conv.bias + kLanes) : zero;
    for (__m512& sum : sums) sum = bias;
    for (__m512& sum : shared) sum = _mm512_shuffle_f32x4(last, last, 0x44);  // the last 8 twice
    const Half* weights = conv.weights;
    for (Index row = 0; row < kRing; ++row) {
        const Half* line = above[row] + x * channels;
#pragma GCC unroll 2
        for (Index k = 0; k < 3 * channels; k += 2, weights += 4 * kLanes) {
            const __m512i taps = _mm512_loadu_si512(weights);
            const __m512i others = _mm512_loadu_si512(weights + 2 * kLanes);
#pragma GCC unroll 32
            for (int p = 0; p < Pixels; p += 2) {
                const __m512i first = twice(line + p * channels + k);
                const __m512i second = twice(line + (p + 1) * channels + k);
                const __m512i both = _mm512_mask_blend_epi32(kSecond, first, second);
                sums[p] = product(sums[p], taps, first);
                sums[p + 1] = product(sums[p + 1], taps, second);
                shared[p / 2] = product(shared[p / 2], others, both);
            }
        }
    }
#pragma GCC unroll 32
    for (int p = 0; p < Pixels; p += 2) {
        const Index at = (x + p) * channels, next = at + channels;
        if (p >= columns) break;
        // At the end of a row there is nothing to add to a second pixel.
        const bool has_two = p + 1 < columns;
        const Index beside = (has_two ? next : at) + kLanes;
        store_rounded(out + at, kAll, finish(sums[p], at));
        if (has_two) store_rounded(out + next, kAll, finish(sums[p + 1], next));
        store_of_two(out + at + kLanes, out + beside, has_two,
                     finish.of_two(shared[p / 2], at + kLanes, beside));
    }
}

template <typename Finish>
void compute_row(Index channels, const Half* const* above, const Conv& conv, Index width,
                 Half* out, const Finish& finish) {
    Index x = 0;
    if (channels == kLanes) {
        for (; width - x > 16; x += kMost)
            compute_16<kMost>(above, conv, x, width - x, out, finish);
        for (; x < width; x += 8) compute_16<8>(above, conv, x, width - x, out, finish);
        return;
    }
    for (; width - x > 12; x += 16) compute_24<16>(above, conv, x, width - x, out, finish);
    for (; x < width; x += 4) compute_24<4>(above, conv, x, width - x, out, finish);
}

}  // namespace

extern "C" {

// Whether this processor runs what is compiled here.
int restore_narrow_supported() { return has_avx512_bf16(); }

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_narrow_interface() { return 1; }

// Numbers of scratch memory, aligned to 64 bytes, which a block needs.
std::int64_t restore_narrow_scratch(std::int64_t width, std::int64_t channels) {
    return (2 * kRing + 1) * pitch_of(width, channels);
}

// out = conv(act(conv(x, weights1) + bias1), weights2) + bias2 + x, all of as many channels, 16
// or 24, with a zero padding of one pixel.
//
// x: [count][height][width][channels]; out: the same, may be x. weights: in the order above. bias:
// channels, or null. act: values that are not positive are scaled by slope. Only part `part` of
// `parts` is computed: several threads may share an image, or work on images of their own, each
// with scratch memory of its own. Where out is x and there are several parts, edges are copies of
// the rows next to where they meet, of x as it was: [parts + 1][4][width][channels], the four
// around each part's first row and around the end, two before and two behind, whatever stands for
// those outside; else null.
void restore_narrow_block(const Half* x, const Half* edges, const Half* weights1,
                          const float* bias1, const Half* weights2, const float* bias2, Half* out,
                          Half* scratch, std::int64_t count, std::int64_t height,
                          std::int64_t width, std::int64_t channels, float slope, std::int64_t part,
                          std::int64_t parts) {
    const Index pitch = pitch_of(width, channels), line = width * channels;
    std::memset(scratch, 0, (2 * kRing + 1) * pitch * sizeof(Half));
    const Images images = {height, scratch + 2 * kRing * pitch};
    const Part own = Part::of(count * height, part, parts, edges, line);
    Source source(x, width, {scratch, pitch, channels}, own);
    const Ring inside = {scratch + kRing * pitch, pitch, channels};
    const Conv first = {weights1, bias1}, second = {weights2, bias2};
    const Leaky act = {_mm512_set1_ps(slope)};
    const auto inner = [&](const Half* const* above, Index i) {
        compute_row(channels, above, first, width, inside.pixels(i), act);
    };
    const auto outer = [&](const Half* const* above, Index i) {
        compute_row(channels, above, second, width, out + i * line, Plus{x + i * line});
    };
    compute_block(source, inside, images, own, inner, outer);
}
}

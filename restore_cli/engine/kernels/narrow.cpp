// A residual block of 16 channels on channels-last bfloat16 images, on one thread, by AVX-512's dot
// products of pairs of bfloat16.
//
// Where an image is channels-last, the channels of three neighbouring pixels lie one after the
// other: a row of the weights' three taps is one sum over 48 numbers, and that of the next pixel
// begins one pixel further. The 16 outputs of a pixel are one vector of sums; each pair of numbers
// of the image is multiplied into all of them at once, for as many pixels as there are registers.

#include "rows.h"

namespace {

constexpr Index kChannels = 16;
constexpr Index kPairs = 3 * kChannels / 2;  // in each row of three pixels
constexpr Index kMost = 24;                  // pixels at once

// Of a row in the ring: padding, the pixels of whole blocks, and the padding behind.
inline Index pitch_of(Index width) { return (width + kMost + 2) * kChannels; }

// act(v), act scaling what is not positive.
struct Leaky {
    __m512 slope;
    __m512 operator()(__m512 v, Index) const {
        return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LE_OQ), v,
                                  slope);
    }
};

// v + what is at its place.
struct Plus {
    const Half* line;
    __m512 operator()(__m512 v, Index x) const {
        return _mm512_add_ps(v, widened(0xffff, line + x * kChannels));
    }
};

// `Pixels` pixels of a row from x on, of which `columns` are inside the image.
// weights: [3 rows][pairs][16 outputs][2].
template <int Pixels, typename Finish>
[[gnu::always_inline]] inline void compute_pixels(const Half* const* above, const Half* weights,
                                                  __m512 bias, Index x, Index columns, Half* out,
                                                  const Finish& finish) {
    __m512 sums[Pixels];
    for (__m512& sum : sums) sum = bias;
    for (Index row = 0; row < kRing; ++row) {
        const Half* line = above[row] + x * kChannels;
#pragma GCC unroll 4
        for (Index k = 0; k < kPairs; ++k, weights += 2 * kChannels) {
            const auto taps = reinterpret_cast<__m512bh>(_mm512_loadu_si512(weights));
#pragma GCC unroll 32
            for (int p = 0; p < Pixels; ++p) {
                int pair;
                std::memcpy(&pair, line + p * kChannels + 2 * k, sizeof pair);
                const auto pairs = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
                sums[p] = _mm512_dpbf16_ps(sums[p], taps, pairs);
            }
        }
    }
#pragma GCC unroll 32
    for (int p = 0; p < Pixels; ++p)
        if (p < columns) store_rounded(out + (x + p) * kChannels, 0xffff, finish(sums[p], x + p));
}

template <typename Finish>
void compute_row(const Half* const* above, const Half* weights, const float* bias, Index width,
                 Half* out, const Finish& finish) {
    const __m512 biases = bias ? _mm512_loadu_ps(bias) : _mm512_setzero_ps();
    Index x = 0;
    for (; width - x > kMost - 8; x += kMost)
        compute_pixels<kMost>(above, weights, biases, x, width - x, out, finish);
    for (; x < width; x += 8)
        compute_pixels<8>(above, weights, biases, x, width - x, out, finish);
}

}  // namespace

extern "C" {

// Whether this processor runs what is compiled here.
int restore_narrow_supported() { return has_avx512_bf16(); }

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_narrow_interface() { return 1; }

// Numbers of scratch memory, aligned to 64 bytes, which a block needs.
std::int64_t restore_narrow_scratch(std::int64_t width) {
    return (2 * kRing + 1) * pitch_of(width);
}

// out = conv(act(conv(x, weights1) + bias1), weights2) + bias2 + x, all of 16 channels, with a zero
// padding of one pixel.
//
// x: [count][height][width][16]; out: the same, may be x. weights: in the order above. bias: 16
// numbers, or null. act: values that are not positive are scaled by slope. Only part `part` of
// `parts` is computed: several threads may share an image, or work on images of their own, each
// with scratch memory of its own. Where out is x and there are several parts, edges are copies of
// the rows next to where they meet, of x as it was: [parts + 1][4][width][16], the four around each
// part's first row and around the end, two before and two behind, whatever stands for those
// outside; else null.
void restore_narrow_block(const Half* x, const Half* edges, const Half* weights1,
                          const float* bias1, const Half* weights2, const float* bias2, Half* out,
                          Half* scratch, std::int64_t count, std::int64_t height,
                          std::int64_t width, std::int64_t, float slope, std::int64_t part,
                          std::int64_t parts) {
    const Index pitch = pitch_of(width), line = width * kChannels;
    std::memset(scratch, 0, (2 * kRing + 1) * pitch * sizeof(Half));
    const Images images = {height, scratch + 2 * kRing * pitch};
    const Part own = Part::of(count * height, part, parts, edges, line);
    Source source(x, width, {scratch, pitch, kChannels}, own);
    const Ring inside = {scratch + kRing * pitch, pitch, kChannels};
    const Leaky act = {_mm512_set1_ps(slope)};
    const auto inner = [&](const Half* const* above, Index i) {
        compute_row(above, weights1, bias1, width, inside.pixels(i), act);
    };
    const auto outer = [&](const Half* const* above, Index i) {
        compute_row(above, weights2, bias2, width, out + i * line, Plus{x + i * line});
    };
    compute_block(source, inside, images, own, inner, outer);
}
}

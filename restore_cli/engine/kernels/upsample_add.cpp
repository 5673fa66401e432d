// Channels-last bfloat16 images at twice their size, added to others, on one thread: each number is
// read, added and rounded once, and nothing else is written.
//
// Bilinear: with half-pixel centres every output is 1/4 of one neighbour and 3/4 of the other along
// each axis. A row between two of the image is mixed in float32 first, and its pixels then with their
// neighbours.
//
// All channel counts are multiples of 8.

#include "bfloat16.h"

#include <limits>

namespace {

constexpr Index kLanes = 16;
constexpr float kNear = 0.75f, kFar = 0.25f;

inline __mmask16 mask_of(Index left) {
    return left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : static_cast<__mmask16>(-1);
}

[[gnu::always_inline]] inline __m512 mixed(__m512 near, __m512 far) {
    return _mm512_fmadd_ps(near, _mm512_set1_ps(kNear), _mm512_mul_ps(far, _mm512_set1_ps(kFar)));
}

// mix = 3/4 near + 1/4 far, `count` numbers each.
void mix_rows(const Half* near, const Half* far, float* mix, Index count) {
    for (Index i = 0; i < count; i += kLanes) {
        const __mmask16 mask = mask_of(count - i);
        _mm512_mask_storeu_ps(mix + i, mask, mixed(widened(mask, near + i), widened(mask, far + i)));
    }
}

[[gnu::always_inline]] inline void add_to(Half* total, __mmask16 mask, __m512 value) {
    store_rounded(total, mask, _mm512_add_ps(widened(mask, total), value));
}

// Add a row that is twice as wide as `mix` to `total`.
void add_row(const float* mix, Half* total, Index width, Index channels) {
    for (Index x = 0; x < width; ++x) {
        const float* here = mix + x * channels;
        const float* before = x > 0 ? here - channels : here;
        const float* after = x + 1 < width ? here + channels : here;
        Half* left = total + 2 * x * channels;
        for (Index i = 0; i < channels; i += kLanes) {
            const __mmask16 mask = mask_of(channels - i);
            const __m512 own = _mm512_maskz_loadu_ps(mask, here + i);
            add_to(left + i, mask, mixed(own, _mm512_maskz_loadu_ps(mask, before + i)));
            add_to(left + channels + i, mask, mixed(own, _mm512_maskz_loadu_ps(mask, after + i)));
        }
    }
}

// total += values, and if wanted ReLU.
[[gnu::always_inline]] inline void add_pixel(Half* total, const Half* values, Index channels,
                                             __m512 least) {
    for (Index i = 0; i < channels; i += kLanes) {
        const __mmask16 mask = mask_of(channels - i);
        const __m512 sum = _mm512_add_ps(widened(mask, total + i), widened(mask, values + i));
        store_rounded(total + i, mask, _mm512_max_ps(least, sum));
    }
}

}  // namespace

extern "C" {

// Whether this processor runs what is compiled here.
int restore_doubling_supported() { return has_avx512_bf16(); }

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_doubling_interface() { return 1; }

// total += x at twice its size.
//
// x: [count][height][width][channels]; total: [count][2 height][2 width][channels]. scratch: width ×
// channels floats of each thread's own. Only part `part` of `parts` is computed.
void restore_doubling_add(const Half* x, Half* total, float* scratch, std::int64_t count,
                          std::int64_t height, std::int64_t width, std::int64_t channels,
                          std::int64_t part, std::int64_t parts) {
    const Index line = width * channels, rows = 2 * count * height;
    for (Index row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
        const Index near = row / 2, y = near % height;
        const Index far = row % 2 ? (y + 1 < height ? near + 1 : near) : (y > 0 ? near - 1 : near);
        mix_rows(x + near * line, x + far * line, scratch, line);
        add_row(scratch, total + 2 * row * line, width, channels);
    }
}

// total += x with each pixel repeated.
//
// As above, of one image.
void restore_doubling_repeat(const Half* x, Half* total, std::int64_t height, std::int64_t width,
                             std::int64_t channels) {
    const __m512 least = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    for (Index y = 0; y < 2 * height; ++y) {
        const Half* from = x + y / 2 * width * channels;
        Half* to = total + y * 2 * width * channels;
        for (Index column = 0; column < width; ++column, from += channels, to += 2 * channels) {
            add_pixel(to, from, channels, least);
            add_pixel(to + channels, from, channels, least);
        }
    }
}

// total = relu(total + unpacked), where the four pixels of the larger image, from top left to bottom
// right, lie one after the other in one of `packed`, each of so many channels.
//
// packed: [height + further][width + further][2][2][channels], where pixels below and on the right
// are `further` rows and columns on. total: [2 height][2 width][channels].
void restore_doubling_unpack(const Half* packed, Half* total, std::int64_t height,
                             std::int64_t width, std::int64_t channels, std::int64_t further) {
    const __m512 least = _mm512_setzero_ps();
    const Index line = (width + further) * 4 * channels;
    for (Index y = 0; y < 2 * height; ++y) {
        const Index below = y % 2;
        const Half* from = packed + (y / 2 + below * further) * line + below * 2 * channels;
        Half* to = total + y * 2 * width * channels;
        for (Index column = 0; column < width; ++column, from += 4 * channels, to += 2 * channels) {
            add_pixel(to, from, channels, least);
            add_pixel(to + channels, from + (further * 4 + 1) * channels, channels, least);
        }
    }
}
}

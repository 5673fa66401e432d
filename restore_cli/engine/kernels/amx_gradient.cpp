// The gradient of a 3×3 convolution's weights, on the tiles of Intel's AMX, on one thread.
//
// For each tap it is a product of matrices that sums over pixels: gradients of 16 outputs times 16
// channels of the image, 32 pixels at a time. Tiles want what is summed over side by side, so rows of
// the gradient are transposed, and the image's pixels are laid in pairs: once from even pixels on,
// once from odd ones, for the taps on the left and right see one pixel further on. As many rows at a
// time as the second level of the cache holds.
//
// All channel counts are multiples of 8, all sizes are in numbers of 16 bits.

#include "amx_tiles.h"

namespace {

constexpr int kTaps = 3;
constexpr Index kBand = 3 << 17;  // numbers of a band of rows

inline Index rounded_up(Index size, Index step) { return (size + step - 1) / step * step; }

// Sizes of what rows are brought into.
struct Shape {
    Index width, channels_in, channels_out;

    Index pixels() const { return rounded_up(width, kDepth); }
    Index panels_in() const { return rounded_up(channels_in, kSide) / kSide; }
    Index panels_out() const { return rounded_up(channels_out, kSide) / kSide; }
    // A row of the gradient: [panel of 16 outputs][output][pixel].
    Index turned() const { return panels_out() * kSide * pixels(); }
    // A row of the image: [from even or odd pixels on][pair][channel][2]. The first pair from an even
    // pixel on begins with the padding on the left.
    Index pair() const { return 2 * panels_in() * kSide; }
    Index half() const { return (pixels() / 2 + 1) * pair(); }
    Index paired() const { return 2 * half(); }
    // Rows that are at hand at a time; of the image one more above and below.
    Index band() const {
        const Index rows = kBand / (turned() + paired());
        return rows > 0 ? rows : 1;
    }
};

// Two pixels' numbers, side by side.
[[gnu::always_inline]] inline __m512i pair_of(__m256i first, __m256i second) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
}

// 16 × 16 numbers of 32 bits, rows for columns.
[[gnu::always_inline]] inline void transpose(__m512i (&rows)[kSide]) {
    __m512i twos[kSide], fours[kSide];
    for (Index i = 0; i < kSide; i += 2) {
        twos[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        twos[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (Index i = 0; i < kSide; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(twos[i], twos[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(twos[i], twos[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(twos[i + 1], twos[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(twos[i + 1], twos[i + 3]);
    }
    // Of columns i, 4 + i, 8 + i and 12 + i, each a quarter in its lane.
    for (Index i = 0; i < 4; ++i) {
        const __m512i upper = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0x88);
        const __m512i lower = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0x88);
        const __m512i upper_odd = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0xdd);
        const __m512i lower_odd = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0xdd);
        rows[i] = _mm512_shuffle_i32x4(upper, lower, 0x88);
        rows[4 + i] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0x88);
        rows[8 + i] = _mm512_shuffle_i32x4(upper, lower, 0xdd);
        rows[12 + i] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0xdd);
    }
}

// A row of pixels, of which those outside are zeros.
struct Pixels {
    const Half* row;
    Index width, channels;

    __m256i operator()(Index x, Index first) const {
        const bool is_inside = x >= 0 && x < width;
        return _mm256_maskz_loadu_epi16(is_inside ? mask_of(channels - first) : 0, row + x * channels + first);
    }
};

// Transpose a row of the gradient, and add it up for the bias.
void turn_row(const Half* gradient, const Shape& shape, Half* out, float* of_bias) {
    const Pixels pixels = {gradient, shape.width, shape.channels_out};
    const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
    for (Index first = 0; first < shape.channels_out; first += kSide) {
        const __mmask16 mask = mask_of(shape.channels_out - first);
        __m512 sum = _mm512_maskz_loadu_ps(mask, of_bias + first);
        for (Index x = 0; x < shape.pixels(); x += kDepth) {
            __m512i rows[kSide];
            for (Index i = 0; i < kSide; ++i) {
                rows[i] = pair_of(pixels(x + 2 * i, first), pixels(x + 2 * i + 1, first));
                const __m512i even = _mm512_slli_epi32(rows[i], 16);
                sum = _mm512_add_ps(sum, _mm512_castsi512_ps(even));
                const __m512i odd = _mm512_and_si512(rows[i], upper);
                sum = _mm512_add_ps(sum, _mm512_castsi512_ps(odd));
            }
            transpose(rows);
            for (Index i = 0; i < kSide; ++i)
                _mm512_storeu_si512(out + (first + i) * shape.pixels() + x, rows[i]);
        }
        _mm512_mask_storeu_ps(of_bias + first, mask, sum);
    }
}

// Lay a row of the image in pairs.
void pair_row(const Half* image, const Shape& shape, Half* out) {
    const Pixels pixels = {image, shape.width, shape.channels_in};
    for (Index first = 0; first < shape.channels_in; first += kSide) {
        __m256i before = _mm256_setzero_si256();
        for (Index i = 0; i <= shape.pixels() / 2; ++i) {
            const __m256i even = pixels(2 * i, first), odd = pixels(2 * i + 1, first);
            Half* at = out + i * shape.pair() + 2 * first;
            _mm512_storeu_si512(at, pair_of(before, even));
            _mm512_storeu_si512(at + shape.half(), pair_of(even, odd));
            before = odd;
        }
    }
}

// Rows of images one below the other, as they are at hand.
struct Band {
    Index begin, end, height;
    const Half *turned, *paired;  // from rows `begin` and `begin` - 1 on
};

// Add to sums[panel, `further` apart][tap of the row][16 outputs][16 channels], for `Panels` panels of outputs.
template <int Panels>
void sum_taps(const Band& band, const Shape& shape, Index panel_out, Index panel_in, Index tap,
              float* sums, Index further) {
    const Index length = kSide * shape.pixels(), stride = shape.pixels() * sizeof(Half);
    const Index jump = shape.pair() * sizeof(Half);
    clear<Panels * kTaps>();
    for (Index row = band.begin; row < band.end; ++row) {
        const Index y = row % band.height + tap - 1;
        if (y < 0 || y >= band.height) continue;
        const Half* left = band.turned + (row - band.begin) * shape.turned() + panel_out * length;
        const Half* even = band.paired + (row - band.begin + tap) * shape.paired() +
                           2 * kSide * panel_in;
        const Half* odd = even + shape.half();
        for (Index x = 0; x < shape.pixels(); x += kDepth) {
            _tile_loadd(6, left, stride);
            _tile_loadd(7, even, jump);
            _tile_dpbf16ps(0, 6, 7);
            if (Panels > 1) {
                _tile_loadd(6, left + length, stride);
                _tile_dpbf16ps(3, 6, 7);
            }
            _tile_loadd(7, odd, jump);
            if (Panels > 1) {
                _tile_dpbf16ps(4, 6, 7);
                _tile_loadd(6, left, stride);
            }
            _tile_dpbf16ps(1, 6, 7);
            _tile_loadd(7, even + shape.pair(), jump);
            _tile_dpbf16ps(2, 6, 7);
            if (Panels > 1) {
                _tile_loadd(6, left + length, stride);
                _tile_dpbf16ps(5, 6, 7);
            }
            left += kDepth;
            even += kDepth / 2 * shape.pair();
            odd += kDepth / 2 * shape.pair();
        }
    }
    alignas(64) float tiles[Panels * kTaps * kTile];
    store<Panels * kTaps>(tiles);
    settle(tiles);
    for (Index panel = 0; panel < Panels; ++panel) {
        for (Index i = 0; i < kTaps * kTile; ++i) {
            sums[panel * further + i] += tiles[panel * kTaps * kTile + i];
        }
    }
}

}  // namespace

extern "C" {

// Numbers of scratch memory which one call of the function below needs.
std::int64_t restore_amx_gradient_scratch(std::int64_t width, std::int64_t channels_in,
                                          std::int64_t channels_out) {
    const Shape shape = {width, channels_in, channels_out};
    return shape.band() * shape.turned() + (shape.band() + 2) * shape.paired();
}

// Add a part's share of the gradient with respect to weights and bias.
//
// x: [count][height][width][channels_in]; gradient: the same with channels_out. sums: [panel of 16
// outputs][panel of 16 channels in][3][3][16 outputs][16 channels], those beyond the channels are
// zeros; of_bias: channels_out. Both are added to.
void restore_amx_weight_gradient(const Half* x, const Half* gradient, float* sums, float* of_bias,
                                 Half* scratch, std::int64_t count, std::int64_t height,
                                 std::int64_t width, std::int64_t channels_in,
                                 std::int64_t channels_out, std::int64_t part,
                                 std::int64_t parts) {
    const Tiles tiles;
    const Shape shape = {width, channels_in, channels_out};
    Half* const turned = scratch;
    Half* const paired = scratch + shape.band() * shape.turned();
    const Index of_panels = kTaps * kTaps * kTile, further = shape.panels_in() * of_panels;
    const Index rows = count * height, end = rows * (part + 1) / parts;
    for (Index begin = rows * part / parts; begin < end; begin += shape.band()) {
        const Band band = {begin, smaller(begin + shape.band(), end), height, turned, paired};
        for (Index row = band.begin; row < band.end; ++row) {
            turn_row(gradient + row * width * channels_out, shape,
                     turned + (row - begin) * shape.turned(), of_bias);
        }
        for (Index row = begin > 0 ? begin - 1 : 0; row < smaller(band.end + 1, rows); ++row) {
            pair_row(x + row * width * channels_in, shape,
                     paired + (row - begin + 1) * shape.paired());
        }
        settle(turned);
        for (Index out = 0; out < shape.panels_out(); out += 2) {
            const bool has_two = out + 1 < shape.panels_out();
            for (Index in = 0; in < shape.panels_in(); ++in) {
                float* at = sums + out * further + in * of_panels;
                for (Index tap = 0; tap < kTaps; ++tap, at += kTaps * kTile) {
                    (has_two ? sum_taps<2> : sum_taps<1>)(band, shape, out, in, tap, at, further);
                }
            }
        }
    }
}
}

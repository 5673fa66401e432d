// 3×3 convolution of channels-last float32 images by Winograd's F(4×4, 3×3), on one thread.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: 36 products for 16
// outputs where the direct sum takes 144. Points 0, ±1, ±2 and infinity.
//
// The image is cut into tiles of 4×4 outputs, which see patches of 6×6 inputs. A block of tiles is
// worked on at a time, so that what is between the steps stays in the second-level cache:
//
//   spread    B' d B of every patch d, for all input channels            -> `spectra`
//   multiply  for 16 output channels: 36 products [tiles × in] · [in × 16] -> `products`
//   gather    A' m A, bias, activation or addend                         -> the output image
//
// All channel counts are multiples of 8 (one AVX vector), all sizes are in floats.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {

using Index = std::ptrdiff_t;
using Vector = __m256;

constexpr Index kLanes = 8;
constexpr Index kLine = 16;           // floats in a cache line
constexpr Index kTile = 4;            // outputs of a tile along one axis
constexpr Index kPatch = 6;           // inputs of a tile along one axis
constexpr Index kPoints = kPatch * kPatch;
constexpr Index kGroup = 6;           // tiles of one product: 6 × 2 sums, 2 + 1 operands, 16 registers
constexpr Index kPanel = 2 * kLanes;  // output channels of one product
constexpr Index kRun = 8;             // neighbouring tiles spread together, sharing columns
constexpr Index kColumns = kRun * kTile + kPatch - kTile;

struct Image {
    Index count, height, width;
    Index tile_rows, tile_columns;
};

struct Activation {
    bool leaky;
    float slope;
};

// Where a tile lies: its image, and its row and column in the grid of tiles.
struct Place {
    Index image, row, column;
};

Place place_of(const Image& image, Index tile) {
    const Index per_image = image.tile_rows * image.tile_columns;
    const Index within = tile % per_image;
    return {tile / per_image, within / image.tile_columns, within % image.tile_columns};
}

// Floats between the points of a group's spectra. The extra line keeps the 36 points of a tile
// from falling into the same few sets of the cache when channels are a power of two.
Index point_pitch(Index channels) { return kGroup * channels + kLine; }
Index group_pitch(Index channels) { return kPoints * point_pitch(channels); }

// Groups of tiles in a block: their spectra take about two thirds of 512 KiB, but with too few
// tiles reading the weights from the third-level cache would cost more than spilling spectra.
Index groups_in_block(Index channels) {
#ifdef GROUPS
    return GROUPS;
#endif
    constexpr Index budget = 340 * 1024 / sizeof(float);
    const Index fitting = budget / group_pitch(channels);
    return fitting < 4 ? 4 : (fitting > 12 ? 12 : fitting);
}

// One axis of B'.
inline void spread_axis(Vector d[kPatch]) {
    const Vector two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), five = _mm256_set1_ps(5);
    const Vector even1 = _mm256_fnmadd_ps(four, d[2], d[4]);
    const Vector odd1 = _mm256_fnmadd_ps(four, d[1], d[3]);
    const Vector even2 = _mm256_sub_ps(d[4], d[2]);
    const Vector odd2 = _mm256_sub_ps(d[3], d[1]);
    d[0] = _mm256_fmadd_ps(four, d[0], _mm256_fnmadd_ps(five, d[2], d[4]));
    d[5] = _mm256_fmadd_ps(four, d[1], _mm256_fnmadd_ps(five, d[3], d[5]));
    d[1] = _mm256_add_ps(even1, odd1);
    d[2] = _mm256_sub_ps(even1, odd1);
    d[3] = _mm256_fmadd_ps(two, odd2, even2);
    d[4] = _mm256_fnmadd_ps(two, odd2, even2);
}

// One axis of A'.
inline void gather_axis(const Vector m[kPatch], Vector o[kTile]) {
    const Vector two = _mm256_set1_ps(2), four = _mm256_set1_ps(4), eight = _mm256_set1_ps(8);
    const Vector even1 = _mm256_add_ps(m[1], m[2]), odd1 = _mm256_sub_ps(m[1], m[2]);
    const Vector even2 = _mm256_add_ps(m[3], m[4]), odd2 = _mm256_sub_ps(m[3], m[4]);
    o[0] = _mm256_add_ps(_mm256_add_ps(m[0], even1), even2);
    o[1] = _mm256_fmadd_ps(two, odd2, odd1);
    o[2] = _mm256_fmadd_ps(four, even2, even1);
    o[3] = _mm256_add_ps(_mm256_fmadd_ps(eight, odd2, odd1), m[5]);
}

// Spread `tiles` (at most kRun) neighbours of one row, first tile at `place`, for kHalves × 8
// channels: down the columns into `columns` [column][row][half], then along the rows.
// `spectra_of(t)` is where the first point of tile t goes. Outside the image is zero.
template <int kHalves, typename SpectraOf>
void spread_run(const float* x, const Image& image, Index channels, const Place& place, Index tiles,
                float* columns, Index pitch, SpectraOf spectra_of) {
    const Index top = place.row * kTile - 1, left = place.column * kTile - 1;
    const Index used = tiles * kTile + kPatch - kTile;
    const Index line = image.width * channels;
    const float* origin = x + place.image * image.height * line + top * line + left * channels;
    const bool rows_inside = top >= 0 && top + kPatch <= image.height;

    for (Index column = 0; column < used; ++column) {
        float* to = columns + column * kPatch * kPanel;
        const bool inside = left + column >= 0 && left + column < image.width;
        for (int half = 0; half < kHalves; ++half) {
            const float* from = origin + column * channels + half * kLanes;
            Vector d[kPatch];
            if (inside && rows_inside) {
                for (Index row = 0; row < kPatch; ++row) d[row] = _mm256_loadu_ps(from + row * line);
            } else {
                for (Index row = 0; row < kPatch; ++row) {
                    const bool there = inside && top + row >= 0 && top + row < image.height;
                    d[row] = there ? _mm256_loadu_ps(from + row * line) : _mm256_setzero_ps();
                }
            }
            spread_axis(d);
            for (Index row = 0; row < kPatch; ++row)
                _mm256_store_ps(to + row * kPanel + half * kLanes, d[row]);
        }
    }
    for (Index tile = 0; tile < tiles; ++tile) {
        const float* from = columns + tile * kTile * kPatch * kPanel;
        float* to = spectra_of(tile);
        for (Index row = 0; row < kPatch; ++row) {
            // Both halves of a cache line one after the other: it may be evicted soon.
            for (int half = 0; half < kHalves; ++half) {
                Vector d[kPatch];
                for (Index column = 0; column < kPatch; ++column)
                    d[column] = _mm256_load_ps(from + (column * kPatch + row) * kPanel + half * kLanes);
                spread_axis(d);
                for (Index column = 0; column < kPatch; ++column)
                    _mm256_storeu_ps(to + (row * kPatch + column) * pitch + half * kLanes, d[column]);
            }
        }
    }
}

// Spread all tiles of a block: `spectra` is [group][point][tile of the group][channel].
void spread(const float* x, const Image& image, Index channels, Index first, Index tiles,
            float* spectra, float* columns) {
    const Index pitch = point_pitch(channels);
    for (Index done = 0; done < tiles;) {
        const Place place = place_of(image, first + done);
        Index run = image.tile_columns - place.column;
        if (run > tiles - done) run = tiles - done;
        if (run > kRun) run = kRun;
        for (Index channel = 0; channel < channels; channel += kPanel) {
            const auto spectra_of = [=](Index tile) {
                const Index at = done + tile;
                return spectra + at / kGroup * group_pitch(channels) + at % kGroup * channels + channel;
            };
            if (channels - channel >= kPanel)
                spread_run<2>(x + channel, image, channels, place, run, columns, pitch, spectra_of);
            else
                spread_run<1>(x + channel, image, channels, place, run, columns, pitch, spectra_of);
        }
        done += run;
    }
}

// products[tile][panel] = spectra [tile][channel] · weights [channel][panel], for a group of tiles.
// `ahead` weights are fetched meanwhile: the next point's.
void multiply(const float* spectra, Index channels, const float* weights, float* products) {
    Vector sum[kGroup][2];
#pragma GCC unroll 6
    for (int tile = 0; tile < kGroup; ++tile) sum[tile][0] = sum[tile][1] = _mm256_setzero_ps();
    const Index next = channels * kPanel;
#pragma GCC unroll 4
    for (Index channel = 0; channel < channels; ++channel) {
        const Vector low = _mm256_load_ps(weights), high = _mm256_load_ps(weights + kLanes);
        _mm_prefetch(reinterpret_cast<const char*>(weights + next), _MM_HINT_T0);
        weights += kPanel;
#pragma GCC unroll 6
        for (int tile = 0; tile < kGroup; ++tile) {
            const Vector value = _mm256_broadcast_ss(spectra + tile * channels + channel);
            sum[tile][0] = _mm256_fmadd_ps(value, low, sum[tile][0]);
            sum[tile][1] = _mm256_fmadd_ps(value, high, sum[tile][1]);
        }
    }
#pragma GCC unroll 6
    for (int tile = 0; tile < kGroup; ++tile) {
        _mm256_store_ps(products + tile * kPoints * kPanel, sum[tile][0]);
        _mm256_store_ps(products + tile * kPoints * kPanel + kLanes, sum[tile][1]);
    }
}

inline Vector activate(Vector value, const Activation& activation) {
    const Vector scaled = _mm256_mul_ps(value, _mm256_set1_ps(activation.slope));
    return _mm256_blendv_ps(value, scaled, value);  // by sign: right for any slope
}

// Gather one tile for kHalves × 8 output channels. `products` is [point][panel].
template <int kHalves>
void gather(const float* products, const Vector* bias, const Activation& activation,
            const float* add, float* out, Index line, Index channels, Index rows, Index columns) {
    Vector half_done[kHalves][kTile][kPatch];
    for (int half = 0; half < kHalves; ++half) {
        for (Index column = 0; column < kPatch; ++column) {
            Vector m[kPatch], o[kTile];
            for (Index row = 0; row < kPatch; ++row)
                m[row] = _mm256_load_ps(products + (row * kPatch + column) * kPanel + half * kLanes);
            gather_axis(m, o);
            for (Index row = 0; row < kTile; ++row) half_done[half][row][column] = o[row];
        }
    }
    for (Index row = 0; row < rows; ++row) {
        for (int half = 0; half < kHalves; ++half) {
            Vector o[kTile];
            gather_axis(half_done[half][row], o);
            for (Index column = 0; column < columns; ++column) {
                const Index at = row * line + column * channels + half * kLanes;
                Vector value = _mm256_add_ps(o[column], bias[half]);
                if (activation.leaky) value = activate(value, activation);
                if (add) value = _mm256_add_ps(value, _mm256_loadu_ps(add + at));
                _mm256_storeu_ps(out + at, value);
            }
        }
    }
}

}  // namespace

extern "C" {

// Whether this processor (and operating system) can run what is compiled here.
int restore_kernels_supported() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

// Floats of scratch memory, 64-byte aligned, which one call needs.
std::int64_t restore_winograd_scratch(std::int64_t channels_in) {
    const Index groups = groups_in_block(channels_in);
    return groups * group_pitch(channels_in) + groups * kGroup * kPoints * kPanel +
           kColumns * kPatch * kPanel;
}

// out = act(conv(x, weights) + bias) + add, zero padding of one pixel.
//
// x: [count][height][width][channels_in]; out and add (or null): the same with channels_out.
// weights: [panel of 16 outputs][36 points][channels_in][16], aligned to 64 bytes, panels filled
// up with zeros. bias: channels_out, or null. leaky: whether negative values are scaled by slope.
void restore_winograd_conv3x3(const float* x, const float* weights, const float* bias,
                              const float* add, float* out, float* scratch, std::int64_t count,
                              std::int64_t height, std::int64_t width, std::int64_t channels_in,
                              std::int64_t channels_out, int leaky, float slope) {
    const Image image = {count, height, width, (height + kTile - 1) / kTile,
                         (width + kTile - 1) / kTile};
    const Activation activation = {leaky != 0, slope};
    const Index groups = groups_in_block(channels_in);
    float* spectra = scratch;
    float* products = spectra + groups * group_pitch(channels_in);
    float* columns = products + groups * kGroup * kPoints * kPanel;

    const Index total = count * image.tile_rows * image.tile_columns;
    const Index line = width * channels_out;
    for (Index first = 0; first < total; first += groups * kGroup) {
        const Index tiles = total - first < groups * kGroup ? total - first : groups * kGroup;
        spread(x, image, channels_in, first, tiles, spectra, columns);
        for (Index channel = 0; channel < channels_out; channel += kPanel) {
            const float* panel = weights + channel * kPoints * channels_in;
            for (Index point = 0; point < kPoints; ++point) {
                for (Index group = 0; group * kGroup < tiles; ++group) {
                    multiply(spectra + group * group_pitch(channels_in) + point * point_pitch(channels_in),
                             channels_in, panel + point * channels_in * kPanel,
                             products + (group * kGroup * kPoints + point) * kPanel);
                }
            }
            const bool whole = channels_out - channel >= kPanel;
            const Vector zero = _mm256_setzero_ps();
            const Vector biases[2] = {bias ? _mm256_loadu_ps(bias + channel) : zero,
                                      bias && whole ? _mm256_loadu_ps(bias + channel + kLanes) : zero};
            Place place = place_of(image, first);
            for (Index tile = 0; tile < tiles; ++tile) {
                const Index top = place.row * kTile, left = place.column * kTile;
                const Index rows = height - top < kTile ? height - top : kTile;
                const Index used = width - left < kTile ? width - left : kTile;
                const Index at = (place.image * height + top) * line + left * channels_out + channel;
                const float* from = products + tile * kPoints * kPanel;
                const float* addend = add ? add + at : nullptr;
                if (!whole)
                    gather<1>(from, biases, activation, addend, out + at, line, channels_out, rows, used);
                else if (rows == kTile && used == kTile)
                    gather<2>(from, biases, activation, addend, out + at, line, channels_out, kTile, kTile);
                else
                    gather<2>(from, biases, activation, addend, out + at, line, channels_out, rows, used);
                if (++place.column == image.tile_columns) {
                    place.column = 0;
                    if (++place.row == image.tile_rows) {
                        place.row = 0;
                        ++place.image;
                    }
                }
            }
        }
    }
}
}

// 3×3 convolution of channels-last float32 images by Winograd's F(4×4, 3×3), on one thread.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: 36 products for 16
// outputs where the direct sum takes 144. Points 0, ±1, ±2 and infinity.
//
// The image is cut into tiles of 4×4 outputs, which see patches of 6×6 inputs. A block of 18 tiles
// is worked on at a time, so that what is between the steps stays in the second-level cache:
//
//   spread    B' d B of every patch d, for all input channels            -> `spectra`
//   multiply  for 16 output channels: 36 products [tiles × in] · [in × 16] -> `products`
//   gather    A' m A, bias, activation or addend                         -> the output image
//
// The gradient with respect to the weights is the same algorithm's backward pass: with B' d B of the
// inputs and A g A' of the outputs' gradients, 36 sums of outer products over all tiles.
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
constexpr Index kPanel = 2 * kLanes;  // output channels of one product
constexpr Index kGroup = 6;  // tiles of one product: 6 × 2 sums and 2 + 1 operands fill the registers
constexpr Index kBlock = 3 * kGroup;  // 2 to 6 groups are equally fast
constexpr Index kRows = 4;             // input channels of one outer product
constexpr Index kRun = 4;             // neighbouring tiles spread together, sharing columns
constexpr Index kColumns = kRun * kTile + kPatch - kTile;

struct Image {
    Index count, height, width;
    Index tile_rows, tile_columns;

    Index tiles() const { return count * tile_rows * tile_columns; }
};

struct Activation {
    bool leaky;
    float slope;
};

// Where a tile lies: its image, and its row and column in the grid of tiles.
struct Place {
    Index image, row, column;
};

// The outputs of a tile: the first one among the pixels of all images, and how many are inside.
struct Spot {
    Index pixel, rows, columns;
};

// Neighbouring tiles that are worked on together.
struct Block {
    Index first, tiles;
    Spot spots[kBlock];
};

inline Index smaller(Index a, Index b) { return a < b ? a : b; }

// Inlined without fail: GCC drops calls of functions that do nothing but fetch.
[[gnu::always_inline]] inline void fetch(const float* address) {
    _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0);
}

[[gnu::always_inline]] inline void fetch_for_later(const float* address) {  // into the second level
    _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T1);
}

Place place_of(const Image& image, Index tile) {
    const Index per_image = image.tile_rows * image.tile_columns;
    const Index within = tile % per_image;
    return {tile / per_image, within / image.tile_columns, within % image.tile_columns};
}

// The block of tiles from `first` on, with none in it behind the last tile.
void set_block(const Image& image, Index first, Block& block) {
    block.first = first;
    block.tiles = first < image.tiles() ? smaller(image.tiles() - first, kBlock) : 0;
    for (Index tile = 0; tile < block.tiles; ++tile) {
        const Place place = place_of(image, first + tile);
        const Index top = place.row * kTile, left = place.column * kTile;
        block.spots[tile] = {(place.image * image.height + top) * image.width + left,
                             smaller(image.height - top, kTile),
                             smaller(image.width - left, kTile)};
    }
}

// Floats between the points of spectra. The odd number of lines keeps the 36 points of a tile from
// falling into the same few sets of the cache where the channels are a power of two.
inline Index point_pitch(Index channels) { return kBlock * channels + kLine; }

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

// Spread `tiles` (at most kRun) neighbours of one row, the first at `place`, for kHalves × 8
// channels: down the columns of inputs into `columns` [column][row][half], then along the rows.
// Outside the image is zero. `spectra` is where the first point of the first tile goes.
template <int kHalves>
void spread_run(const float* x, const Image& image, Index channels, const Place& place, Index tiles,
                float* columns, float* spectra) {
    const Index pitch = point_pitch(channels);
    const Index top = place.row * kTile - 1, left = place.column * kTile - 1;
    const Index line = image.width * channels;
    const float* origin = x + (place.image * image.height + top) * line + left * channels;
    const bool rows_inside = top >= 0 && top + kPatch <= image.height;

    for (Index column = 0; column < tiles * kTile + kPatch - kTile; ++column) {
        const bool inside = left + column >= 0 && left + column < image.width;
        for (int half = 0; half < kHalves; ++half) {
            const float* from = origin + column * channels + half * kLanes;
            float* to = columns + column * kPatch * kPanel + half * kLanes;
            Vector d[kPatch];
            if (inside && rows_inside) {
                for (Index row = 0; row < kPatch; ++row)
                    d[row] = _mm256_loadu_ps(from + row * line);
            } else {
                for (Index row = 0; row < kPatch; ++row) {
                    const bool there = inside && top + row >= 0 && top + row < image.height;
                    d[row] = there ? _mm256_loadu_ps(from + row * line) : _mm256_setzero_ps();
                }
            }
            spread_axis(d);
            for (Index row = 0; row < kPatch; ++row) _mm256_store_ps(to + row * kPanel, d[row]);
        }
    }
    for (Index tile = 0; tile < tiles; ++tile) {
        const float* from = columns + tile * kTile * kPatch * kPanel;
        float* to = spectra + tile * channels;
        for (Index row = 0; row < kPatch; ++row) {
            // Both halves of a cache line one after the other: it may be evicted soon.
            for (int half = 0; half < kHalves; ++half) {
                Vector d[kPatch];
                const Index lane = half * kLanes;
                for (Index column = 0; column < kPatch; ++column)
                    d[column] = _mm256_load_ps(from + (column * kPatch + row) * kPanel + lane);
                spread_axis(d);
                for (Index column = 0; column < kPatch; ++column)
                    _mm256_storeu_ps(to + (row * kPatch + column) * pitch + lane, d[column]);
            }
        }
    }
}

// Spread all tiles of a block: `spectra` is [point][tile][channel].
void spread(const float* x, const Image& image, Index channels, const Block& block, float* columns,
            float* spectra) {
    for (Index done = 0; done < block.tiles;) {
        const Place place = place_of(image, block.first + done);
        const Index in_row = smaller(image.tile_columns - place.column, kRun);
        const Index run = smaller(in_row, block.tiles - done);
        for (Index channel = 0; channel < channels; channel += kPanel) {
            float* to = spectra + done * channels + channel;
            if (channels - channel >= kPanel)
                spread_run<2>(x + channel, image, channels, place, run, columns, to);
            else
                spread_run<1>(x + channel, image, channels, place, run, columns, to);
        }
        done += run;
    }
}

// A group's products at one point for kHalves × 8 output channels: [tile][channel] ·
// [channel][panel], with the panels of 36 points between tiles.
template <int kHalves>
void multiply(const float* spectra, Index channels, const float* weights, float* products) {
    const Index next = channels * kPanel;  // the weights of the next point
    Vector sum[kGroup][kHalves];
#pragma GCC unroll 6
    for (int tile = 0; tile < kGroup; ++tile)
        for (int half = 0; half < kHalves; ++half) sum[tile][half] = _mm256_setzero_ps();
#pragma GCC unroll 4
    for (Index channel = 0; channel < channels; ++channel) {
        Vector weight[kHalves];
        for (int half = 0; half < kHalves; ++half)
            weight[half] = _mm256_load_ps(weights + half * kLanes);
        fetch(weights + next);
        weights += kPanel;
#pragma GCC unroll 6
        for (int tile = 0; tile < kGroup; ++tile) {
            const Vector value = _mm256_broadcast_ss(spectra + tile * channels + channel);
            for (int half = 0; half < kHalves; ++half)
                sum[tile][half] = _mm256_fmadd_ps(value, weight[half], sum[tile][half]);
        }
    }
#pragma GCC unroll 6
    for (int tile = 0; tile < kGroup; ++tile)
        for (int half = 0; half < kHalves; ++half)
            _mm256_store_ps(products + tile * kPoints * kPanel + half * kLanes, sum[tile][half]);
}

inline Vector activate(Vector value, const Activation& activation) {
    const Vector scaled = _mm256_mul_ps(value, _mm256_set1_ps(activation.slope));
    return _mm256_blendv_ps(value, scaled, value);  // by sign: right for any slope
}

// The value where the gate is open, which is above zero, elsewhere the value times the slope.
inline Vector let_through(Vector value, Vector gate, const Activation& activation) {
    const Vector scaled = _mm256_mul_ps(value, _mm256_set1_ps(activation.slope));
    return _mm256_blendv_ps(scaled, value, _mm256_cmp_ps(gate, _mm256_setzero_ps(), _CMP_GT_OQ));
}

// Gather one tile for kHalves × 8 output channels. `products` is [point][panel].
template <int kHalves>
void gather(const float* products, const Vector* bias, const Activation& activation,
            const float* gate, const float* add, float* out, Index line, Index channels, Index rows,
            Index columns) {
    Vector half_done[kHalves][kTile][kPatch];
    for (int half = 0; half < kHalves; ++half) {
        for (Index column = 0; column < kPatch; ++column) {
            const float* from = products + column * kPanel + half * kLanes;
            Vector m[kPatch], o[kTile];
            for (Index row = 0; row < kPatch; ++row)
                m[row] = _mm256_load_ps(from + row * kPatch * kPanel);
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
                if (gate)
                    value = let_through(value, _mm256_loadu_ps(gate + at), activation);
                else if (activation.leaky)
                    value = activate(value, activation);
                if (add) value = _mm256_add_ps(value, _mm256_loadu_ps(add + at));
                _mm256_storeu_ps(out + at, value);
            }
        }
    }
}

// What one call works on; see restore_winograd_conv3x3.
struct Convolution {
    const float *x, *weights, *bias, *gate, *add;
    float* out;
    Image image;
    Index channels_in, channels_out;
    Activation activation;
};

// While the products of one point and group are computed, memory can be read: four pixels of the
// outputs they will be gathered into, and four of the inputs of the block that follows. Over all
// points and groups that makes every line, of the inputs for one panel's share of the channels.
[[gnu::always_inline]] inline void fetch_ahead(const Convolution& conv, const Block& block,
                                               const Block& following, Index group, Index point,
                                               Index channel) {
    const Index tile = group * kGroup + point % kPatch, row = point / kPatch;
    if (row < kTile && tile < block.tiles) {
        const Index pixel = block.spots[tile].pixel + row * conv.image.width;
        for (Index i = 0; i < kTile; ++i) {
            const Index at = (pixel + i) * conv.channels_out + channel;
            fetch(conv.out + at);
            if (conv.gate) fetch(conv.gate + at);
            if (conv.add) fetch(conv.add + at);
        }
    }
    if (tile < following.tiles) {
        const Index pixel = following.spots[tile].pixel + (row - 1) * conv.image.width;
        const Index shares = (conv.channels_out + kPanel - 1) / kPanel * kPanel;
        for (Index part = channel; part < conv.channels_in; part += shares)
            for (Index i = 0; i < kTile; ++i)
                fetch_for_later(conv.x + (pixel + i) * conv.channels_in + part);
    }
}

// All products of a block for the panel of output channels from `channel` on. The last group may be
// filled up with what was in memory: rows of a product do not mix, and nobody gathers these.
void multiply_block(const Convolution& conv, const Block& block, const Block& following,
                    Index channel, const float* spectra, float* products) {
    const auto product = conv.channels_out - channel < kPanel ? multiply<1> : multiply<2>;
    const float* panel = conv.weights + channel * kPoints * conv.channels_in;
    for (Index point = 0; point < kPoints; ++point) {
        const float* from = spectra + point * point_pitch(conv.channels_in);
        for (Index group = 0; group * kGroup < block.tiles; ++group) {
            fetch_ahead(conv, block, following, group, point, channel);
            product(from + group * kGroup * conv.channels_in, conv.channels_in,
                    panel + point * conv.channels_in * kPanel,
                    products + (group * kGroup * kPoints + point) * kPanel);
        }
    }
}

// All outputs of a block for the panel of output channels from `channel` on.
void gather_block(const Convolution& conv, const Block& block, Index channel,
                  const float* products) {
    const bool full = conv.channels_out - channel >= kPanel;
    const Index line = conv.image.width * conv.channels_out;
    Vector bias[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    if (conv.bias) bias[0] = _mm256_loadu_ps(conv.bias + channel);
    if (conv.bias && full) bias[1] = _mm256_loadu_ps(conv.bias + channel + kLanes);
    for (Index tile = 0; tile < block.tiles; ++tile) {
        const Spot& spot = block.spots[tile];
        const Index at = spot.pixel * conv.channels_out + channel;
        const float* from = products + tile * kPoints * kPanel;
        const float* gate = conv.gate ? conv.gate + at : nullptr;
        const float* add = conv.add ? conv.add + at : nullptr;
        if (!full)
            gather<1>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, spot.rows, spot.columns);
        else if (spot.rows == kTile && spot.columns == kTile)  // with the constants unrolled
            gather<2>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, kTile, kTile);
        else
            gather<2>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, spot.rows, spot.columns);
    }
}

// One axis of A: the gradients of a tile's four outputs, seen by its six products.
inline void scatter_axis(const Vector g[kTile], Vector m[kPatch]) {
    const Vector two = _mm256_set1_ps(2), four = _mm256_set1_ps(4);
    const Vector even1 = _mm256_add_ps(g[0], g[2]), odd1 = _mm256_add_ps(g[1], g[3]);
    const Vector even2 = _mm256_fmadd_ps(four, g[2], g[0]);
    const Vector odd2 = _mm256_mul_ps(two, _mm256_fmadd_ps(four, g[3], g[1]));
    m[0] = g[0];
    m[1] = _mm256_add_ps(even1, odd1);
    m[2] = _mm256_sub_ps(even1, odd1);
    m[3] = _mm256_add_ps(even2, odd2);
    m[4] = _mm256_sub_ps(even2, odd2);
    m[5] = g[3];
}

// A g A' of one tile for 8 channels; outputs outside the image have no gradient.
void scatter(const float* gradient, Index line, Index channels, const Spot& spot, Index pitch,
             float* spectra) {
    Vector half_done[kPatch][kTile];
    for (Index column = 0; column < kTile; ++column) {
        const float* from = gradient + column * channels;
        const bool inside = column < spot.columns;
        Vector g[kTile], m[kPatch];
        for (Index row = 0; row < kTile; ++row)
            g[row] = inside && row < spot.rows ? _mm256_loadu_ps(from + row * line)
                                               : _mm256_setzero_ps();
        scatter_axis(g, m);
        for (Index row = 0; row < kPatch; ++row) half_done[row][column] = m[row];
    }
    for (Index row = 0; row < kPatch; ++row) {
        Vector m[kPatch];
        scatter_axis(half_done[row], m);
        for (Index column = 0; column < kPatch; ++column)
            _mm256_storeu_ps(spectra + (row * kPatch + column) * pitch, m[column]);
    }
}

// Scatter all tiles of a block: `spectra` is [point][tile][channel].
void scatter_block(const float* gradient, const Image& image, Index channels, const Block& block,
                   float* spectra) {
    for (Index tile = 0; tile < block.tiles; ++tile) {
        const Spot& spot = block.spots[tile];
        for (Index channel = 0; channel < channels; channel += kLanes)
            scatter(gradient + spot.pixel * channels + channel, image.width * channels, channels,
                    spot, point_pitch(channels), spectra + tile * channels + channel);
    }
}

// Add the outer products of a block's tiles at one point, for kRows inputs × (kHalves × 8) outputs.
template <int kHalves>
void accumulate(const float* spectra, Index channels_in, const float* gradients, Index channels_out,
                Index tiles, float* sums) {
    Vector sum[kRows][kHalves];
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row)
        for (int half = 0; half < kHalves; ++half)
            sum[row][half] = _mm256_load_ps(sums + row * kPanel + half * kLanes);
    for (Index tile = 0; tile < tiles; ++tile) {
        Vector gradient[kHalves];
        for (int half = 0; half < kHalves; ++half)
            gradient[half] = _mm256_loadu_ps(gradients + tile * channels_out + half * kLanes);
#pragma GCC unroll 4
        for (int row = 0; row < kRows; ++row) {
            const Vector value = _mm256_broadcast_ss(spectra + tile * channels_in + row);
            for (int half = 0; half < kHalves; ++half)
                sum[row][half] = _mm256_fmadd_ps(value, gradient[half], sum[row][half]);
        }
    }
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row)
        for (int half = 0; half < kHalves; ++half)
            _mm256_store_ps(sums + row * kPanel + half * kLanes, sum[row][half]);
}

// Add what a block's tiles have at the point (1, 1), where A g A' is the sum of their gradients.
void accumulate_bias(const float* gradients, Index channels_out, Index tiles, float* sums) {
    const float* at_ones = gradients + (kPatch + 1) * point_pitch(channels_out);
    for (Index tile = 0; tile < tiles; ++tile)
        for (Index channel = 0; channel < channels_out; ++channel)
            sums[channel] += at_ones[tile * channels_out + channel];
}

// All outer products of a block; `sums` is [point][kRows inputs][panel][row][16].
void accumulate_block(const float* spectra, Index channels_in, const float* gradients,
                      Index channels_out, Index tiles, float* sums) {
    for (Index point = 0; point < kPoints; ++point) {
        const float* inputs = spectra + point * point_pitch(channels_in);
        const float* outputs = gradients + point * point_pitch(channels_out);
        for (Index row = 0; row < channels_in; row += kRows) {
            for (Index channel = 0; channel < channels_out; channel += kPanel) {
                const auto add = channels_out - channel < kPanel ? accumulate<1> : accumulate<2>;
                add(inputs + row, channels_in, outputs + channel, channels_out, tiles, sums);
                sums += kRows * kPanel;
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

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_kernels_interface() { return 5; }

// Floats of scratch memory, aligned to 64 bytes, which one call needs.
std::int64_t restore_winograd_scratch(std::int64_t channels_in) {
    return kPoints * point_pitch(channels_in) + kBlock * kPoints * kPanel +
           kColumns * kPatch * kPanel;
}

// out = act(conv(x, weights) + bias) + add, with a zero padding of one pixel.
//
// x: [count][height][width][channels_in]; out, gate and add (or null): the same with channels_out.
// weights: [panel of 16 outputs][36 points][channels_in][16], aligned to 64 bytes, the last panel
// filled up with zeros. bias: channels_out, or null. leaky: whether negative values are scaled by
// slope; with a gate, those are where the gate is not positive. Only part `part` of `parts` is
// computed: several threads may share an image, or work on images of their own, each with scratch
// memory of its own.
void restore_winograd_conv3x3(const float* x, const float* weights, const float* bias,
                              const float* gate, const float* add, float* out, float* scratch,
                              std::int64_t count, std::int64_t height, std::int64_t width,
                              std::int64_t channels_in, std::int64_t channels_out, int leaky,
                              float slope, std::int64_t part, std::int64_t parts) {
    const Image image = {count, height, width, (height + kTile - 1) / kTile,
                         (width + kTile - 1) / kTile};
    const Activation activation = {leaky != 0, slope};
    const Convolution conv = {x,   weights, bias,        gate,         add,
                              out, image,   channels_in, channels_out, activation};
    float* spectra = scratch;
    float* products = spectra + kPoints * point_pitch(channels_in);
    float* columns = products + kBlock * kPoints * kPanel;

    const Index blocks = (image.tiles() + kBlock - 1) / kBlock;
    const Index end = blocks * (part + 1) / parts * kBlock;

    Block block, following;
    for (set_block(image, blocks * part / parts * kBlock, block);
         block.tiles > 0 && block.first < end; block = following) {
        set_block(image, block.first + kBlock, following);
        spread(x, image, channels_in, block, columns, spectra);
        for (Index channel = 0; channel < channels_out; channel += kPanel) {
            multiply_block(conv, block, following, channel, spectra, products);
            gather_block(conv, block, channel, products);
        }
    }
}

// Floats of scratch memory, aligned to 64 bytes, which one call of the following needs.
std::int64_t restore_winograd_gradient_scratch(std::int64_t channels_in,
                                               std::int64_t channels_out) {
    return kPoints * (point_pitch(channels_in) + point_pitch(channels_out)) +
           kColumns * kPatch * kPanel;
}

// Add to `sums` the gradient with respect to the weights at the 36 points, and to `bias_sums` that
// with respect to the bias, over part `part` of `parts` of the tiles.
//
// x: as above. gradient: of the outputs, [count][height][width][channels_out]. sums: [36 points]
// [channels_in / 4][panel of 16 outputs][4][16], aligned to 64 bytes; what of the last panel is
// beyond the outputs is left alone. bias_sums: channels_out. Each thread needs sums and scratch
// memory of its own.
void restore_winograd_weight_gradient(const float* x, const float* gradient, float* sums,
                                      float* bias_sums, float* scratch, std::int64_t count,
                                      std::int64_t height, std::int64_t width,
                                      std::int64_t channels_in, std::int64_t channels_out,
                                      std::int64_t part, std::int64_t parts) {
    const Image image = {count, height, width, (height + kTile - 1) / kTile,
                         (width + kTile - 1) / kTile};
    float* spectra = scratch;
    float* gradients = spectra + kPoints * point_pitch(channels_in);
    float* columns = gradients + kPoints * point_pitch(channels_out);

    const Index blocks = (image.tiles() + kBlock - 1) / kBlock;
    const Index end = blocks * (part + 1) / parts * kBlock;

    Block block;
    for (set_block(image, blocks * part / parts * kBlock, block);
         block.tiles > 0 && block.first < end;
         set_block(image, block.first + kBlock, block)) {
        spread(x, image, channels_in, block, columns, spectra);
        scatter_block(gradient, image, channels_out, block, gradients);
        accumulate_block(spectra, channels_in, gradients, channels_out, block.tiles, sums);
        accumulate_bias(gradients, channels_out, block.tiles, bias_sums);
    }
}
}

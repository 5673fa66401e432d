// 3×3 convolution of channels-last images by Winograd's F(4×4, 3×3), on one thread.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: 36 products for 16
// outputs where the direct sum takes 144. Points 0, ±1, ±2 and infinity.
//
// The image is cut into tiles of 4×4 outputs, which see patches of 6×6 inputs. A block of tiles is
// worked on at a time, so that what is between the steps stays in the second-level cache:
//
//   spread    B' d B of every patch d, for all input channels            -> `spectra`
//   multiply  for a panel of output channels: 36 products [tiles × in] · [in × panel] -> `products`
//   gather    A' m A, bias, activation or addend                         -> the output image
//
// The gradient with respect to the weights is the same algorithm's backward pass: with B' d B of
// the inputs and A g A' of the outputs' gradients, 36 sums of outer products over all tiles.
//
// Compiled twice, see `vectors.h`: a panel is 16 output channels with AVX2 and 32 with AVX-512,
// where images may be of bfloat16, too; between the steps all numbers are float32.
//
// All channel counts are multiples of 8, all sizes are in floats.

#include "vectors.h"

namespace {

constexpr Index kLine = 16;           // floats in a cache line
constexpr Index kTile = 4;            // outputs of a tile along one axis
constexpr Index kPatch = 6;           // inputs of a tile along one axis
constexpr Index kPoints = kPatch * kPatch;
constexpr Index kPanel = 2 * kLanes;  // output channels of one product
// Tiles of one product: with two sums for each and 2 + 1 operands they fill the registers.
constexpr Index kGroup = kLanes == 16 ? 12 : 6;
constexpr Index kBlock = (kLanes == 16 ? 2 : 3) * kGroup;  // 2 to 6 groups are equally fast
constexpr Index kRows = kLanes == 16 ? 8 : 4;              // input channels of one outer product
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
[[gnu::always_inline]] inline void fetch(const void* address) {
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
}

[[gnu::always_inline]] inline void fetch_for_later(const void* address) {  // into the second level
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T1);
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
    const Vector two = all(2), four = all(4), five = all(5);
    const Vector even1 = less_product(four, d[2], d[4]);
    const Vector odd1 = less_product(four, d[1], d[3]);
    const Vector even2 = minus(d[4], d[2]);
    const Vector odd2 = minus(d[3], d[1]);
    d[0] = add_product(four, d[0], less_product(five, d[2], d[4]));
    d[5] = add_product(four, d[1], less_product(five, d[3], d[5]));
    d[1] = plus(even1, odd1);
    d[2] = minus(even1, odd1);
    d[3] = add_product(two, odd2, even2);
    d[4] = less_product(two, odd2, even2);
}

// One axis of A'.
inline void gather_axis(const Vector m[kPatch], Vector o[kTile]) {
    const Vector two = all(2), four = all(4), eight = all(8);
    const Vector even1 = plus(m[1], m[2]), odd1 = minus(m[1], m[2]);
    const Vector even2 = plus(m[3], m[4]), odd2 = minus(m[3], m[4]);
    o[0] = plus(plus(m[0], even1), even2);
    o[1] = add_product(two, odd2, odd1);
    o[2] = add_product(four, even2, even1);
    o[3] = plus(add_product(eight, odd2, odd1), m[5]);
}

// Spread `tiles` (at most kRun) neighbours of one row, the first at `place`, for kHalves vectors of
// channels, of which the last has `lanes`: down the columns of inputs into `columns`
// [column][row][half], then along the rows. Outside the image is zero. `spectra` is where the first
// point of the first tile goes.
template <int kHalves, typename Number>
void spread_run(const Number* x, const Image& image, Index channels, Lanes lanes,
                const Place& place, Index tiles, float* columns, float* spectra) {
    const Index pitch = point_pitch(channels);
    const Index top = place.row * kTile - 1, left = place.column * kTile - 1;
    const Index line = image.width * channels;
    const Number* origin = x + (place.image * image.height + top) * line + left * channels;
    const bool rows_inside = top >= 0 && top + kPatch <= image.height;

    for (Index column = 0; column < tiles * kTile + kPatch - kTile; ++column) {
        const bool inside = left + column >= 0 && left + column < image.width;
        for (int half = 0; half < kHalves; ++half) {
            const Lanes there = half + 1 < kHalves ? lanes_of(kLanes) : lanes;
            const Number* from = origin + column * channels + half * kLanes;
            float* to = columns + column * kPatch * kPanel + half * kLanes;
            Vector d[kPatch];
            if (inside && rows_inside) {
                for (Index row = 0; row < kPatch; ++row)
                    d[row] = load(from + row * line, there);
            } else {
                for (Index row = 0; row < kPatch; ++row) {
                    const bool is_row = inside && top + row >= 0 && top + row < image.height;
                    d[row] = is_row ? load(from + row * line, there) : zero();
                }
            }
            spread_axis(d);
            for (Index row = 0; row < kPatch; ++row) store(to + row * kPanel, d[row]);
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
                const Lanes there = half + 1 < kHalves ? lanes_of(kLanes) : lanes;
                for (Index column = 0; column < kPatch; ++column)
                    d[column] = load(from + (column * kPatch + row) * kPanel + lane);
                spread_axis(d);
                for (Index column = 0; column < kPatch; ++column)
                    store(to + (row * kPatch + column) * pitch + lane, there, d[column]);
            }
        }
    }
}

// Spread all tiles of a block: `spectra` is [point][tile][channel].
template <typename Number>
void spread(const Number* x, const Image& image, Index channels, const Block& block,
            float* columns, float* spectra) {
    for (Index done = 0; done < block.tiles;) {
        const Place place = place_of(image, block.first + done);
        const Index in_row = smaller(image.tile_columns - place.column, kRun);
        const Index run = smaller(in_row, block.tiles - done);
        for (Index channel = 0; channel < channels; channel += kPanel) {
            float* to = spectra + done * channels + channel;
            const Index left = channels - channel;
            if (left > kLanes)
                spread_run<2>(x + channel, image, channels, lanes_of(left - kLanes), place, run,
                              columns, to);
            else
                spread_run<1>(x + channel, image, channels, lanes_of(left), place, run, columns,
                              to);
        }
        done += run;
    }
}

// A group's products at one point for kHalves vectors of output channels: [tile][channel] ·
// [channel][panel], with the panels of 36 points between tiles.
template <int kHalves>
void multiply(const float* spectra, Index channels, const float* weights, float* products) {
    const Index next = channels * kPanel;  // the weights of the next point
    Vector sum[kGroup][kHalves];
#pragma GCC unroll 12
    for (int tile = 0; tile < kGroup; ++tile)
        for (int half = 0; half < kHalves; ++half) sum[tile][half] = zero();
#pragma GCC unroll 4
    for (Index channel = 0; channel < channels; ++channel) {
        Vector weight[kHalves];
        for (int half = 0; half < kHalves; ++half)
            weight[half] = load(weights + half * kLanes);
        fetch(weights + next);
        weights += kPanel;
#pragma GCC unroll 12
        for (int tile = 0; tile < kGroup; ++tile) {
            const Vector value = all(spectra[tile * channels + channel]);
            for (int half = 0; half < kHalves; ++half)
                sum[tile][half] = add_product(value, weight[half], sum[tile][half]);
        }
    }
#pragma GCC unroll 12
    for (int tile = 0; tile < kGroup; ++tile)
        for (int half = 0; half < kHalves; ++half)
            store(products + tile * kPoints * kPanel + half * kLanes, sum[tile][half]);
}

inline Vector activate(Vector value, const Activation& activation) {
    const Vector scaled = times(value, all(activation.slope));
    return by_sign(value, value, scaled);  // right for any slope
}

// The value where the gate is open, which is above zero, elsewhere the value times the slope.
inline Vector let_through(Vector value, Vector gate, const Activation& activation) {
    const Vector scaled = times(value, all(activation.slope));
    return by_gate(gate, value, scaled);
}

// Gather one tile for kHalves vectors of output channels, of which the last has `lanes`. `products`
// is [point][panel].
template <int kHalves, typename Number>
void gather(const float* products, const Vector* bias, const Activation& activation,
            const Number* gate, const Number* add, Number* out, Index line, Index channels,
            Lanes lanes, Index rows, Index columns) {
    Vector half_done[kHalves][kTile][kPatch];
    for (int half = 0; half < kHalves; ++half) {
        for (Index column = 0; column < kPatch; ++column) {
            const float* from = products + column * kPanel + half * kLanes;
            Vector m[kPatch], o[kTile];
            for (Index row = 0; row < kPatch; ++row)
                m[row] = load(from + row * kPatch * kPanel);
            gather_axis(m, o);
            for (Index row = 0; row < kTile; ++row) half_done[half][row][column] = o[row];
        }
    }
    for (Index row = 0; row < rows; ++row) {
        for (int half = 0; half < kHalves; ++half) {
            Vector o[kTile];
            const Lanes there = half + 1 < kHalves ? lanes_of(kLanes) : lanes;
            gather_axis(half_done[half][row], o);
            for (Index column = 0; column < columns; ++column) {
                const Index at = row * line + column * channels + half * kLanes;
                Vector value = plus(o[column], bias[half]);
                if (gate)
                    value = let_through(value, load(gate + at, there), activation);
                else if (activation.leaky)
                    value = activate(value, activation);
                if (add) value = plus(value, load(add + at, there));
                store(out + at, there, value);
            }
        }
    }
}

// What one call works on; see restore_winograd_conv3x3.
template <typename Number>
struct Convolution {
    const Number* x;
    const float *weights, *bias;
    const Number *gate, *add;
    Number* out;
    Image image;
    Index channels_in, channels_out;
    Activation activation;
};

// While the products of one point and group are computed, memory can be read: four pixels of the
// outputs they will be gathered into, and four of the inputs of the block that follows. Over all
// points and groups that makes every line, of the inputs for one panel's share of the channels.
template <typename Number>
[[gnu::always_inline]] inline void fetch_ahead(const Convolution<Number>& conv, const Block& block,
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
template <typename Number>
void multiply_block(const Convolution<Number>& conv, const Block& block, const Block& following,
                    Index channel, const float* spectra, float* products) {
    const auto product = conv.channels_out - channel > kLanes ? multiply<2> : multiply<1>;
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
template <typename Number>
void gather_block(const Convolution<Number>& conv, const Block& block, Index channel,
                  const float* products) {
    const Index left = conv.channels_out - channel;
    const bool is_wide = left > kLanes;
    const Lanes lanes = lanes_of(is_wide ? left - kLanes : left);
    const Index line = conv.image.width * conv.channels_out;
    Vector bias[2] = {zero(), zero()};
    if (conv.bias) bias[0] = load(conv.bias + channel, is_wide ? lanes_of(kLanes) : lanes);
    if (conv.bias && is_wide) bias[1] = load(conv.bias + channel + kLanes, lanes);
    for (Index tile = 0; tile < block.tiles; ++tile) {
        const Spot& spot = block.spots[tile];
        const Index at = spot.pixel * conv.channels_out + channel;
        const float* from = products + tile * kPoints * kPanel;
        const Number* gate = conv.gate ? conv.gate + at : nullptr;
        const Number* add = conv.add ? conv.add + at : nullptr;
        if (!is_wide)
            gather<1>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, lanes, spot.rows, spot.columns);
        else if (spot.rows == kTile && spot.columns == kTile)  // with the constants unrolled
            gather<2>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, lanes, kTile, kTile);
        else
            gather<2>(from, bias, conv.activation, gate, add, conv.out + at, line,
                      conv.channels_out, lanes, spot.rows, spot.columns);
    }
}

// One axis of A: the gradients of a tile's four outputs, seen by its six products.
inline void scatter_axis(const Vector g[kTile], Vector m[kPatch]) {
    const Vector two = all(2), four = all(4);
    const Vector even1 = plus(g[0], g[2]), odd1 = plus(g[1], g[3]);
    const Vector even2 = add_product(four, g[2], g[0]);
    const Vector odd2 = times(two, add_product(four, g[3], g[1]));
    m[0] = g[0];
    m[1] = plus(even1, odd1);
    m[2] = minus(even1, odd1);
    m[3] = plus(even2, odd2);
    m[4] = minus(even2, odd2);
    m[5] = g[3];
}

// A g A' of one tile for a vector of channels; outputs outside the image have no gradient.
template <typename Number>
void scatter(const Number* gradient, Index line, Index channels, Lanes lanes, const Spot& spot,
             Index pitch, float* spectra) {
    Vector half_done[kPatch][kTile];
    for (Index column = 0; column < kTile; ++column) {
        const Number* from = gradient + column * channels;
        const bool inside = column < spot.columns;
        Vector g[kTile], m[kPatch];
        for (Index row = 0; row < kTile; ++row)
            g[row] = inside && row < spot.rows ? load(from + row * line, lanes) : zero();
        scatter_axis(g, m);
        for (Index row = 0; row < kPatch; ++row) half_done[row][column] = m[row];
    }
    for (Index row = 0; row < kPatch; ++row) {
        Vector m[kPatch];
        scatter_axis(half_done[row], m);
        for (Index column = 0; column < kPatch; ++column)
            store(spectra + (row * kPatch + column) * pitch, lanes, m[column]);
    }
}

// Scatter all tiles of a block: `spectra` is [point][tile][channel].
template <typename Number>
void scatter_block(const Number* gradient, const Image& image, Index channels, const Block& block,
                   float* spectra) {
    for (Index tile = 0; tile < block.tiles; ++tile) {
        const Spot& spot = block.spots[tile];
        for (Index channel = 0; channel < channels; channel += kLanes)
            scatter(gradient + spot.pixel * channels + channel, image.width * channels, channels,
                    lanes_of(channels - channel), spot, point_pitch(channels),
                    spectra + tile * channels + channel);
    }
}

// Add the outer products of a block's tiles at one point, for kRows inputs × kHalves vectors of
// outputs, of which the last has `lanes`.
template <int kHalves>
void accumulate(const float* spectra, Index channels_in, const float* gradients, Index channels_out,
                Lanes lanes, Index tiles, float* sums) {
    Vector sum[kRows][kHalves];
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row)
        for (int half = 0; half < kHalves; ++half)
            sum[row][half] = load(sums + row * kPanel + half * kLanes);
    for (Index tile = 0; tile < tiles; ++tile) {
        Vector gradient[kHalves];
        for (int half = 0; half < kHalves; ++half)
            gradient[half] = load(gradients + tile * channels_out + half * kLanes,
                                  half + 1 < kHalves ? lanes_of(kLanes) : lanes);
#pragma GCC unroll 8
        for (int row = 0; row < kRows; ++row) {
            const Vector value = all(spectra[tile * channels_in + row]);
            for (int half = 0; half < kHalves; ++half)
                sum[row][half] = add_product(value, gradient[half], sum[row][half]);
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row)
        for (int half = 0; half < kHalves; ++half)
            store(sums + row * kPanel + half * kLanes, sum[row][half]);
}

// Add what a block's tiles have at the point (1, 1), where A g A' is the sum of their gradients.
void accumulate_bias(const float* gradients, Index channels_out, Index tiles, float* sums) {
    const float* at_ones = gradients + (kPatch + 1) * point_pitch(channels_out);
    for (Index tile = 0; tile < tiles; ++tile)
        for (Index channel = 0; channel < channels_out; ++channel)
            sums[channel] += at_ones[tile * channels_out + channel];
}

// All outer products of a block; `sums` is [point][kRows inputs][panel][row][output].
void accumulate_block(const float* spectra, Index channels_in, const float* gradients,
                      Index channels_out, Index tiles, float* sums) {
    for (Index point = 0; point < kPoints; ++point) {
        const float* inputs = spectra + point * point_pitch(channels_in);
        const float* outputs = gradients + point * point_pitch(channels_out);
        for (Index row = 0; row < channels_in; row += kRows) {
            for (Index channel = 0; channel < channels_out; channel += kPanel) {
                const Index left = channels_out - channel;
                const bool is_wide = left > kLanes;
                const auto add = is_wide ? accumulate<2> : accumulate<1>;
                add(inputs + row, channels_in, outputs + channel, channels_out,
                    lanes_of(is_wide ? left - kLanes : left), tiles, sums);
                sums += kRows * kPanel;
            }
        }
    }
}

template <typename Number>
void convolve(const Convolution<Number>& conv, float* scratch, Index part, Index parts) {
    const Image& image = conv.image;
    float* spectra = scratch;
    float* products = spectra + kPoints * point_pitch(conv.channels_in);
    float* columns = products + kBlock * kPoints * kPanel;

    const Index blocks = (image.tiles() + kBlock - 1) / kBlock;
    const Index end = blocks * (part + 1) / parts * kBlock;

    Block block, following;
    for (set_block(image, blocks * part / parts * kBlock, block);
         block.tiles > 0 && block.first < end; block = following) {
        set_block(image, block.first + kBlock, following);
        spread(conv.x, image, conv.channels_in, block, columns, spectra);
        for (Index channel = 0; channel < conv.channels_out; channel += kPanel) {
            multiply_block(conv, block, following, channel, spectra, products);
            gather_block(conv, block, channel, products);
        }
    }
}

template <typename Number>
void add_weight_gradient(const Number* x, const Number* gradient, float* sums, float* bias_sums,
                         float* scratch, const Image& image, Index channels_in, Index channels_out,
                         Index part, Index parts) {
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

Image image_of(Index count, Index height, Index width) {
    return {count, height, width, (height + kTile - 1) / kTile, (width + kTile - 1) / kTile};
}

}  // namespace

extern "C" {

// Whether this processor (and operating system) can run what is compiled here.
int restore_kernels_supported() {
#ifdef __AVX512F__
    return has_avx512_bf16();
#else
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
}

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_kernels_interface() { return 6; }

// Output channels of a panel, and input channels of one outer product.
int restore_winograd_panel() { return kPanel; }
int restore_winograd_rows() { return kRows; }

// Floats of scratch memory, aligned to 64 bytes, which one call needs.
std::int64_t restore_winograd_scratch(std::int64_t channels_in) {
    return kPoints * point_pitch(channels_in) + kBlock * kPoints * kPanel +
           kColumns * kPatch * kPanel;
}

// Floats of scratch memory, aligned to 64 bytes, which one call for the gradient needs.
std::int64_t restore_winograd_gradient_scratch(std::int64_t channels_in,
                                               std::int64_t channels_out) {
    return kPoints * (point_pitch(channels_in) + point_pitch(channels_out)) +
           kColumns * kPatch * kPanel;
}

// out = act(conv(x, weights) + bias) + add, with a zero padding of one pixel.
//
// x: [count][height][width][channels_in]; out, gate and add (or null): the same with channels_out.
// weights: [panel][36 points][channels_in][output], aligned to 64 bytes, the last panel filled up
// with zeros. bias: channels_out, or null. leaky: whether negative values are scaled by slope; with
// a gate, those are where the gate is not positive. Only part `part` of `parts` is computed:
// several threads may share an image, or work on images of their own, each with scratch memory of
// its own.
void restore_winograd_conv3x3(const float* x, const float* weights, const float* bias,
                              const float* gate, const float* add, float* out, float* scratch,
                              std::int64_t count, std::int64_t height, std::int64_t width,
                              std::int64_t channels_in, std::int64_t channels_out, int leaky,
                              float slope, std::int64_t part, std::int64_t parts) {
    convolve<float>({x, weights, bias, gate, add, out, image_of(count, height, width), channels_in,
                     channels_out, {leaky != 0, slope}},
                    scratch, part, parts);
}

// Add to `sums` the gradient with respect to the weights at the 36 points, and to `bias_sums` that
// with respect to the bias, over part `part` of `parts` of the tiles.
//
// x: as above. gradient: of the outputs, [count][height][width][channels_out]. sums: [36 points]
// [channels_in / rows][panel][row][output], aligned to 64 bytes; what of the last panel is beyond
// the outputs is of no meaning. bias_sums: channels_out. Each thread needs sums and scratch memory
// of its own.
void restore_winograd_weight_gradient(const float* x, const float* gradient, float* sums,
                                      float* bias_sums, float* scratch, std::int64_t count,
                                      std::int64_t height, std::int64_t width,
                                      std::int64_t channels_in, std::int64_t channels_out,
                                      std::int64_t part, std::int64_t parts) {
    add_weight_gradient(x, gradient, sums, bias_sums, scratch, image_of(count, height, width),
                        channels_in, channels_out, part, parts);
}

#ifdef __AVX512F__

// Both with images of bfloat16; weights, biases and sums are as they were.

void restore_winograd_conv3x3_bf16(const Half* x, const float* weights, const float* bias,
                                   const Half* gate, const Half* add, Half* out, float* scratch,
                                   std::int64_t count, std::int64_t height, std::int64_t width,
                                   std::int64_t channels_in, std::int64_t channels_out, int leaky,
                                   float slope, std::int64_t part, std::int64_t parts) {
    convolve<Half>({x, weights, bias, gate, add, out, image_of(count, height, width), channels_in,
                    channels_out, {leaky != 0, slope}},
                   scratch, part, parts);
}

void restore_winograd_weight_gradient_bf16(const Half* x, const Half* gradient, float* sums,
                                           float* bias_sums, float* scratch, std::int64_t count,
                                           std::int64_t height, std::int64_t width,
                                           std::int64_t channels_in, std::int64_t channels_out,
                                           std::int64_t part, std::int64_t parts) {
    add_weight_gradient(x, gradient, sums, bias_sums, scratch, image_of(count, height, width),
                        channels_in, channels_out, part, parts);
}

#endif
}

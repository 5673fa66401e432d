// The gradient of a 3×3 convolution's weights by Winograd's F(4×4, 3×3), on one thread.
//
// It is the convolution's backward pass: with B' d B of the inputs, spread as for the convolution
// (`winograd_tiles.h`), and A g A' of the outputs' gradients, scattered, 36 sums of outer products
// over all tiles.

#include "winograd_tiles.h"

namespace {

constexpr Index kRows = kLanes == 16 ? 8 : 4;  // input channels of one outer product

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

}  // namespace

extern "C" {

// Input channels of one outer product.
int restore_winograd_rows() { return kRows; }

// Floats of scratch memory, aligned to 64 bytes, which one call needs.
std::int64_t restore_winograd_gradient_scratch(std::int64_t channels_in,
                                               std::int64_t channels_out) {
    return kPoints * (point_pitch(channels_in) + point_pitch(channels_out)) +
           kColumns * kPatch * kPanel;
}

// Add to `sums` the gradient with respect to the weights at the 36 points, and to `bias_sums` that
// with respect to the bias, over part `part` of `parts` of the tiles.
//
// x: [count][height][width][channels_in]. gradient: of the outputs, the same with channels_out.
// sums: [36 points][channels_in / rows][panel][row][output], aligned to 64 bytes; what of the last
// panel is beyond the outputs is of no meaning. bias_sums: channels_out. Each thread needs sums and
// scratch memory of its own.
void restore_winograd_weight_gradient(const float* x, const float* gradient, float* sums,
                                      float* bias_sums, float* scratch, std::int64_t count,
                                      std::int64_t height, std::int64_t width,
                                      std::int64_t channels_in, std::int64_t channels_out,
                                      std::int64_t part, std::int64_t parts) {
    add_weight_gradient(x, gradient, sums, bias_sums, scratch, image_of(count, height, width),
                        channels_in, channels_out, part, parts);
}

#ifdef __AVX512F__

// With images of bfloat16; sums are as they were.
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

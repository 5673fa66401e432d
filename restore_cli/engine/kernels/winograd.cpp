// 3×3 convolution of channels-last images by Winograd's F(4×4, 3×3), on one thread.
//
// For each block of tiles (`winograd_tiles.h`):
//
//   spread    B' d B of every patch d, for all input channels            -> `spectra`
//   multiply  for a panel of output channels: 36 products [tiles × in] · [in × panel] -> `products`
//   gather    A' m A, bias, activation or addend                         -> the output image

#include "winograd_tiles.h"

namespace {

struct Activation {
    bool leaky;
    float slope;
};

// Inlined without fail: GCC drops calls of functions that do nothing but fetch.
[[gnu::always_inline]] inline void fetch(const void* address) {
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
}

[[gnu::always_inline]] inline void fetch_for_later(const void* address) {  // into the second level
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T1);
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

// Output channels of a panel.
int restore_winograd_panel() { return kPanel; }

// Floats of scratch memory, aligned to 64 bytes, which one call needs.
std::int64_t restore_winograd_scratch(std::int64_t channels_in) {
    return kPoints * point_pitch(channels_in) + kBlock * kPoints * kPanel +
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

#ifdef __AVX512F__

// With images of bfloat16; weights and biases are as they were.
void restore_winograd_conv3x3_bf16(const Half* x, const float* weights, const float* bias,
                                   const Half* gate, const Half* add, Half* out, float* scratch,
                                   std::int64_t count, std::int64_t height, std::int64_t width,
                                   std::int64_t channels_in, std::int64_t channels_out, int leaky,
                                   float slope, std::int64_t part, std::int64_t parts) {
    convolve<Half>({x, weights, bias, gate, add, out, image_of(count, height, width), channels_in,
                    channels_out, {leaky != 0, slope}},
                   scratch, part, parts);
}

#endif
}

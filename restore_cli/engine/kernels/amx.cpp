// 3×3 convolution of channels-last bfloat16 images on the tiles of Intel's AMX, on one thread.
//
// Where an image is channels-last, the channels of three neighbouring pixels lie one after the
// other: a row of the weights' three taps is one sum over 3 × channels numbers, and that of the next
// pixel begins one pixel further. So the rows of a tile of 16 pixels overlap in memory, nothing has
// to be rearranged, and only the last of the products of 32 numbers is filled up with zeros: networks
// of 16 channels compute with three quarters of every tile instead of half.
//
// How rows get there, and what a residual block leaves between its convolutions: `rows.h`.
//
// Source of the instructions: Intel Architecture Instruction Set Extensions Programming Reference,
// chapter 3. All channel counts are multiples of 8, all sizes are in numbers of 16 bits.

#include "amx_tiles.h"
#include "rows.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace {

constexpr Index kWeights = kDepth * kSide;  // of one product
constexpr Index kMost = 4;             // tiles of sums at once: as many as operands, eight in all

constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM of Linux's arch_prctl
constexpr int kTileData = 18;               // the state that it is asked for

// How results are finished: act(sum + bias) + add.
struct Finish {
    const float* bias;
    const Half* gate;
    const Half* add;
    Half* out;
    bool leaky;
    float slope;
};

// One row of the results.
struct Row {
    const Half* above[kRing];  // see Images::set_above
    const Half* weights;
    Index width, channels_in, channels_out;
    Index first;   // of its pixels among those of all images
    Index depths;  // products for each row of the image
    Finish finish;
};

// Sums of up to four tiles that are not finished yet.
struct Block {
    Index panel, panels;  // of 16 output channels
    Index x, columns;     // pixels / 16
};

inline Index depths_of(Index channels) { return (3 * channels + kDepth - 1) / kDepth; }

// Of a row in the ring: padding, the pixels of whole blocks, what the last products see of the next.
inline Index pitch_of(Index width, Index channels) {
    const Index block = kMost * kSide;
    return ((width + block - 1) / block * block + 2) * channels + kDepth;
}

// Finish one tile of sums, of which only `columns` pixels are inside the image.
void finish_tile(const Row& row, Index panel, Index x, Index columns, const float* sums) {
    const Finish& finish = row.finish;
    const __m512 zero = _mm512_setzero_ps(), slope = _mm512_set1_ps(finish.slope);
    const __mmask16 mask = mask_of(row.channels_out - panel * kSide);
    const __m512 bias =
        finish.bias ? _mm512_maskz_loadu_ps(mask, finish.bias + panel * kSide) : zero;
    Index place = (row.first + x) * row.channels_out + panel * kSide;
    for (Index column = 0; column < columns; ++column, place += row.channels_out) {
        __m512 value = _mm512_add_ps(_mm512_load_ps(sums + column * kSide), bias);
        if (finish.leaky) {
            const __m512 judge = finish.gate ? widened(mask, finish.gate + place) : value;
            const __mmask16 is_scaled = _mm512_cmp_ps_mask(judge, zero, _CMP_LE_OQ);
            value = _mm512_mask_mul_ps(value, is_scaled, value, slope);
        }
        if (finish.add) value = _mm512_add_ps(value, widened(mask, finish.add + place));
        store_rounded(finish.out + place, mask, value);
    }
}

void finish_block(const Row& row, const Block& block, const float* sums) {
    for (Index i = 0; i < block.columns; ++i) {
        const Index x = block.x + i * kSide;
        for (Index j = 0; j < block.panels; ++j, sums += kTile) {
            const Index columns = smaller(row.width - x, kSide);
            if (columns > 0) finish_tile(row, block.panel + j, x, columns, sums);
        }
    }
}

// The sums of one panel of outputs for `Columns` × 16 pixels: tiles 0 to 3.
template <int Columns>
void sum_one_panel(const Row& row, const Block& block, float* sums) {
    const Index stride = row.channels_in * sizeof(Half), hop = kSide * row.channels_in;
    const Half* weights = row.weights + block.panel * 3 * row.depths * kWeights;
    clear<Columns>();
    for (const Half* line : row.above) {
        const Half* pixels = line + block.x * row.channels_in;
        for (Index depth = 0; depth < row.depths; ++depth) {
            _tile_loadd(6, weights, kLine);
            _tile_loadd(4, pixels, stride);
            _tile_dpbf16ps(0, 4, 6);
            if (Columns > 1) {
                _tile_loadd(5, pixels + hop, stride);
                _tile_dpbf16ps(1, 5, 6);
            }
            if (Columns > 2) {
                _tile_loadd(4, pixels + 2 * hop, stride);
                _tile_dpbf16ps(2, 4, 6);
                _tile_loadd(5, pixels + 3 * hop, stride);
                _tile_dpbf16ps(3, 5, 6);
            }
            pixels += kDepth;
            weights += kWeights;
        }
    }
    store<Columns>(sums);
}

// Those of two panels for `Columns` × 16 pixels, which share what is loaded.
template <int Columns>
void sum_two_panels(const Row& row, const Block& block, float* sums) {
    const Index stride = row.channels_in * sizeof(Half), hop = kSide * row.channels_in;
    const Index panel = 3 * row.depths * kWeights;
    const Half* weights = row.weights + block.panel * panel;
    clear<2 * Columns>();
    for (const Half* line : row.above) {
        const Half* pixels = line + block.x * row.channels_in;
        for (Index depth = 0; depth < row.depths; ++depth) {
            _tile_loadd(6, weights, kLine);
            _tile_loadd(4, pixels, stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, weights + panel, kLine);
            _tile_dpbf16ps(1, 4, 7);
            if (Columns > 1) {
                _tile_loadd(5, pixels + hop, stride);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            pixels += kDepth;
            weights += kWeights;
        }
    }
    store<2 * Columns>(sums);
}

void compute_row(const Row& row) {
    alignas(64) float sums[kMost * kTile];
    const Index panels = (row.channels_out + kSide - 1) / kSide;
    settle(row.above);
    for (Index panel = 0; panel < panels; panel += 2) {
        const bool has_two = panel + 1 < panels;
        for (Index x = 0; x < row.width;) {
            const Index left = (row.width - x + kSide - 1) / kSide;
            const Index columns = has_two || left == 2 ? smaller(left, 2) : left > 2 ? kMost : 1;
            const Block block = {panel, has_two ? 2 : 1, x, columns};
            if (has_two) {
                (columns == 2 ? sum_two_panels<2> : sum_two_panels<1>)(row, block, sums);
            } else if (columns == kMost) {
                sum_one_panel<kMost>(row, block, sums);
            } else {
                (columns == 2 ? sum_one_panel<2> : sum_one_panel<1>)(row, block, sums);
            }
            finish_block(row, block, sums);
            x += columns * kSide;
        }
    }
}

bool has_amx() {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1);
}

}  // namespace

extern "C" {

// Whether this processor runs what is compiled here, and the operating system lets this process.
int restore_amx_supported() {
    return has_amx() && has_avx512_bf16() &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_amx_interface() { return 2; }

// Numbers of scratch memory, aligned to 64 bytes, which a convolution or a block needs.
std::int64_t restore_amx_scratch(std::int64_t width, std::int64_t channels_in) {
    return (2 * kRing + 1) * pitch_of(width, channels_in);
}

// Write weights as the functions below read them: [panel of 16 outputs][3 rows][products of 32
// numbers][16][16 outputs][2], where those beyond 3 × channels_in and channels_out are zeros.
//
// weight: tap t of output o and input i is at o * stride_out + i * stride_in + t; backwards: the
// taps in opposite order, as the gradient of the input wants them.
void restore_amx_order(const float* weight, Half* out, std::int64_t channels_out,
                       std::int64_t channels_in, std::int64_t stride_out, std::int64_t stride_in,
                       int backwards) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i steps = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(int(stride_out)));
    const Index depths = depths_of(channels_in), taps = 3 * channels_in;
    for (Index first = 0; first < channels_out; first += kSide) {
        const __mmask16 mask = mask_of(channels_out - first);
        for (Index row = 0; row < 3; ++row) {
            // 16 outputs of number k of the row, or zeros.
            const auto number = [&](Index k) {
                const Index tap = 3 * row + k / channels_in;
                const float* at = weight + first * stride_out + k % channels_in * stride_in +
                                  (backwards ? 8 - tap : tap);
                const __m512 values = _mm512_mask_i32gather_ps(
                    _mm512_setzero_ps(), k < taps ? mask : 0, steps, at, sizeof(float));
                return _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
            };
            for (Index k = 0; k < depths * kDepth; k += 2, out += 2 * kSide) {
                const __m512i second = _mm512_slli_epi32(number(k + 1), 16);
                _mm512_storeu_si512(out, _mm512_or_si512(number(k), second));
            }
        }
    }
}

// out = act(conv(x, weights) + bias) + add, with a zero padding of one pixel.
//
// x: [count][height][width][channels_in]; out, gate and add (or null): the same with channels_out,
// out may be add. weights: in the order above. bias: channels_out, or null. leaky: whether
// values that are not positive are scaled by slope; with a gate, those are where the gate is not
// positive. Only part `part` of `parts` is computed: several threads may share an image, or work on
// images of their own, each with scratch memory of its own.
void restore_amx_conv3x3(const Half* x, const Half* weights, const float* bias, const Half* gate,
                         const Half* add, Half* out, Half* scratch, std::int64_t count,
                         std::int64_t height, std::int64_t width, std::int64_t channels_in,
                         std::int64_t channels_out, int leaky, float slope, std::int64_t part,
                         std::int64_t parts) {
    const Tiles tiles;
    const Index pitch = pitch_of(width, channels_in);
    std::memset(scratch, 0, (kRing + 1) * pitch * sizeof(Half));
    const Images images = {height, scratch + kRing * pitch};
    const Index rows = count * height;
    const Part own = Part::of(rows, part, parts, nullptr, width * channels_in);
    Source source(x, width, {scratch, pitch, channels_in}, own);
    Row row = {{},           weights, width,
               channels_in,  channels_out,
               0,            depths_of(channels_in),
               {bias, gate, add, out, leaky != 0, slope}};
    for (Index i = own.begin; i < own.end; ++i) {
        source.fetch(images.above(i), images.below(i));
        images.set_above(row.above, source.ring, i);
        row.first = i * width;
        compute_row(row);
    }
}

// out = conv(act(conv(x, weights1) + bias1), weights2) + bias2 + x, all of as many channels.
//
// As above. Where out is x and there are several parts, edges are copies of the rows next to where
// they meet, of x as it was: [parts + 1][4][width][channels], the four around each part's first row
// and around the end, two before and two behind, whatever stands for those outside; else null.
void restore_amx_block(const Half* x, const Half* edges, const Half* weights1, const float* bias1,
                       const Half* weights2, const float* bias2, Half* out, Half* scratch,
                       std::int64_t count, std::int64_t height, std::int64_t width,
                       std::int64_t channels, float slope, std::int64_t part,
                       std::int64_t parts) {
    const Tiles tiles;
    const Index pitch = pitch_of(width, channels), depths = depths_of(channels);
    std::memset(scratch, 0, (2 * kRing + 1) * pitch * sizeof(Half));
    const Images images = {height, scratch + 2 * kRing * pitch};
    const Index rows = count * height;
    const Part own = Part::of(rows, part, parts, edges, width * channels);
    Source source(x, width, {scratch, pitch, channels}, own);
    const Ring inside = {scratch + kRing * pitch, pitch, channels};
    Row first = {{},       weights1, width, channels,
                 channels, 0,        depths, {bias1, nullptr, nullptr, nullptr, true, slope}};
    Row second = {{},       weights2, width, channels,
                  channels, 0,        depths, {bias2, nullptr, x, out, false, 0}};
    const auto inner = [&](const Half* const* above, Index i) {
        std::copy_n(above, kRing, first.above);
        first.finish.out = inside.pixels(i);
        compute_row(first);
    };
    const auto outer = [&](const Half* const* above, Index i) {
        std::copy_n(above, kRing, second.above);
        second.first = i * width;
        compute_row(second);
    };
    compute_block(source, inside, images, own, inner, outer);
}
}

// What Winograd's convolution and its gradient share: tiles of an image, and their inputs spread.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: F(4×4, 3×3) takes 36
// products for 16 outputs where the direct sum takes 144. Points 0, ±1, ±2 and infinity.
//
// The image is cut into tiles of 4×4 outputs, which see patches of 6×6 inputs. A block of tiles is
// worked on at a time, so that what is between the steps stays in the second-level cache.
//
// Compiled twice, see `vectors.h`: a panel is 16 output channels with AVX2 and 32 with AVX-512,
// where images may be of bfloat16, too; between the steps all numbers are float32.
//
// All channel counts are multiples of 8, all sizes are in floats.

#pragma once

#include "vectors.h"

constexpr Index kLine = 16;           // floats in a cache line
constexpr Index kTile = 4;            // outputs of a tile along one axis
constexpr Index kPatch = 6;           // inputs of a tile along one axis
constexpr Index kPoints = kPatch * kPatch;
constexpr Index kPanel = 2 * kLanes;  // output channels of one product
// Tiles of one product: with two sums for each and 2 + 1 operands they fill the registers.
constexpr Index kGroup = kLanes == 16 ? 12 : 6;
constexpr Index kBlock = (kLanes == 16 ? 2 : 3) * kGroup;  // 2 to 6 groups are equally fast
constexpr Index kRun = 4;             // neighbouring tiles spread together, sharing columns
constexpr Index kColumns = kRun * kTile + kPatch - kTile;

struct Image {
    Index count, height, width;
    Index tile_rows, tile_columns;

    Index tiles() const { return count * tile_rows * tile_columns; }
};

inline Image image_of(Index count, Index height, Index width) {
    return {count, height, width, (height + kTile - 1) / kTile, (width + kTile - 1) / kTile};
}

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

inline Place place_of(const Image& image, Index tile) {
    const Index per_image = image.tile_rows * image.tile_columns;
    const Index within = tile % per_image;
    return {tile / per_image, within / image.tile_columns, within % image.tile_columns};
}

// The block of tiles from `first` on, with none in it behind the last tile.
inline void set_block(const Image& image, Index first, Block& block) {
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

// What kernels on the tiles of Intel's AMX share.

#pragma once

#include "bfloat16.h"

constexpr Index kSide = 16;   // rows of a tile, and numbers of a row of sums
constexpr Index kDepth = 32;  // numbers that one product sums over
constexpr Index kTile = kSide * kSide;
constexpr int kLine = 64;     // bytes of a tile's row

struct alignas(64) TileConfig {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
};

inline Index smaller(Index a, Index b) { return a < b ? a : b; }

// Which of 16 channels there are, where so many are left.
inline __mmask16 mask_of(Index left) { return (1u << smaller(left, kSide)) - 1; }

// Have what was written so far, and what `at` points to, in memory: GCC does not know that tiles are
// loaded from there.
[[gnu::always_inline]] inline void settle(const void* at) {
    asm volatile("" : : "r"(at) : "memory");
}

// Tiles as they are used here, for as long as this lives. Others who use tiles on this thread find
// them as they have set them.
class Tiles {
public:
    Tiles() {
        settle(&before_);
        _tile_storeconfig(&before_);
        TileConfig config;
        for (int tile = 0; tile < 8; ++tile) {
            config.row_bytes[tile] = kLine;
            config.rows[tile] = kSide;
        }
        settle(&config);
        _tile_loadconfig(&config);
    }
    ~Tiles() {
        if (before_.palette) {
            _tile_loadconfig(&before_);
        } else {
            _tile_release();
        }
    }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;

private:
    TileConfig before_;
};

// Tiles from 0 on, of which there are at most six: set to zero, and written one behind the other.
template <int Count>
[[gnu::always_inline]] inline void clear() {
    _tile_zero(0);
    if (Count > 1) _tile_zero(1);
    if (Count > 2) _tile_zero(2);
    if (Count > 3) _tile_zero(3);
    if (Count > 4) _tile_zero(4);
    if (Count > 5) _tile_zero(5);
}

template <int Count>
[[gnu::always_inline]] inline void store(float* sums) {
    _tile_stored(0, sums, kLine);
    if (Count > 1) _tile_stored(1, sums + kTile, kLine);
    if (Count > 2) _tile_stored(2, sums + 2 * kTile, kLine);
    if (Count > 3) _tile_stored(3, sums + 3 * kTile, kLine);
    if (Count > 4) _tile_stored(4, sums + 4 * kTile, kLine);
    if (Count > 5) _tile_stored(5, sums + 5 * kTile, kLine);
}

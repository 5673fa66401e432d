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

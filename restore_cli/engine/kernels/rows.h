// Rows of channels-last bfloat16 images, as 3×3 convolutions read them: copied into a ring of three
// that have room for the padding, where they stay in the first two levels of the cache until the
// rows above and below them are done. A residual block is done row by row too: what is between its
// convolutions is in such a ring and nowhere else.

#pragma once

#include "bfloat16.h"

#include <cstring>

constexpr Index kRing = 3;   // rows of the image that are at hand
constexpr Index kReach = 2;  // rows that a block sees on either side

// Three neighbouring rows, with a zero pixel on either side and zeros behind.
struct Ring {
    Half* memory;
    Index pitch, channels;

    Half* line(Index row) const { return memory + row % kRing * pitch; }
    Half* pixels(Index row) const { return line(row) + channels; }
};

// Images one below the other, of which rows outside are `nothing`.
struct Images {
    Index height;
    const Half* nothing;

    // Set what a row of results is computed from: one above to one below, each from column -1 on.
    void set_above(const Half* (&above)[kRing], const Ring& ring, Index at) const {
        const Index y = at % height;
        above[0] = y > 0 ? ring.line(at - 1) : nothing;
        above[1] = ring.line(at);
        above[2] = y + 1 < height ? ring.line(at + 1) : nothing;
    }

    // The row above, or the first one of this image.
    Index above(Index at) const { return at % height ? at - 1 : at; }

    // The row below, or the last one of this image.
    Index below(Index at) const { return at % height + 1 < height ? at + 1 : at; }
};

// Which rows of all images a part computes. Others may have written those beyond it, of which the
// two before and the two behind are found as they were: four rows for each place between parts.
struct Part {
    Index begin, end;
    const Half* edges;  // of the place before it; null: all rows are as they were

    static Part of(Index rows, Index part, Index parts, const Half* edges, Index line) {
        return {rows * part / parts, rows * (part + 1) / parts,
                edges ? edges + part * 2 * kReach * line : nullptr};
    }
};

// Rows of an image, each copied into a ring once.
class Source {
public:
    Source(const Half* x, Index width, const Ring& ring, const Part& part)
        : ring(ring), x_(x), line_(width * ring.channels), part_(part) {}

    // Have rows `first` to `last` at hand, of which there are at most three.
    void fetch(Index first, Index last) {
        for (Index row = next_ > first ? next_ : first; row <= last; ++row) {
            std::memcpy(ring.pixels(row), at(row), line_ * sizeof(Half));
            next_ = row + 1;
        }
    }

    const Ring ring;

private:
    const Half* at(Index row) const {
        if (part_.edges && row < part_.begin)
            return part_.edges + (row - part_.begin + kReach) * line_;
        if (part_.edges && row >= part_.end)
            return part_.edges + (row - part_.end + 3 * kReach) * line_;
        return x_ + row * line_;
    }

    const Half* x_;
    Index line_, next_ = 0;
    Part part_;
};

// Compute a part of a residual block. `first` gets three rows of the image and which row to leave
// in the ring `inside`; `second` gets three of those and which row of the result to write.
template <typename First, typename Second>
void compute_block(Source& source, const Ring& inside, const Images& images, const Part& own,
                   First first, Second second) {
    const Half* above[kRing];
    Index next = 0;  // of the rows inside
    for (Index i = own.begin; i < own.end; ++i) {
        for (Index j = images.above(i); j <= images.below(i); ++j) {
            if (j < next) continue;
            source.fetch(images.above(j), images.below(j));
            images.set_above(above, source.ring, j);
            first(above, j);
            next = j + 1;
        }
        images.set_above(above, inside, i);
        second(above, i);
    }
}

// Means over windows of channels-last images, one for every place of the window: however large it
// is, each number is added once when it enters and taken away once when it leaves, first of the
// columns' sums and then of the window's.
//
// Sums are in float32, images in float32 or bfloat16. What is not finite stays in all later sums.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Index = std::ptrdiff_t;
using Half = std::uint16_t;  // a bfloat16

inline float widened(float value) { return value; }

inline float widened(Half value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

inline void store(float* at, float value) { *at = value; }

// To the nearest, and halfway to the even one.
inline void store(Half* at, float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    *at = static_cast<Half>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <typename Number>
void add(float* sums, const Number* row, Index count) {
    for (Index i = 0; i < count; ++i) sums[i] += widened(row[i]);
}

template <typename Number>
void move_on(float* sums, const Number* entering, const Number* leaving, Index count) {
    for (Index i = 0; i < count; ++i) sums[i] += widened(entering[i]) - widened(leaving[i]);
}

// One row of means: `columns` are the sums over the window's height, `total` room for one pixel.
template <typename Number>
void along_row(const float* columns, float* total, Number* out, Index count, Index channels,
               Index window, float scale) {
    std::fill_n(total, channels, 0.0f);
    for (Index x = 0; x < window; ++x) add(total, columns + x * channels, channels);
    for (Index x = 0; x < count; ++x, columns += channels, out += channels) {
        for (Index i = 0; i < channels; ++i) store(out + i, total[i] * scale);
        if (x + 1 < count) move_on(total, columns + window * channels, columns, channels);
    }
}

// As many rows of means as this part has, each after the sums of its rows.
template <typename Number>
void means(const Number* x, Number* out, float* scratch, Index height, Index width,
           Index channels, Index window_height, Index window_width, Index part, Index parts) {
    const Index rows = height - window_height + 1, columns = width - window_width + 1;
    const Index first = rows * part / parts, last = rows * (part + 1) / parts;
    const Index line = width * channels;
    const float scale = 1.0f / (static_cast<float>(window_height) * window_width);
    float* total = scratch + line;
    if (first == last) return;
    std::fill_n(scratch, line, 0.0f);
    for (Index y = first; y < first + window_height; ++y) add(scratch, x + y * line, line);
    for (Index y = first; y < last; ++y) {
        along_row(scratch, total, out + y * columns * channels, columns, channels, window_width,
                  scale);
        if (y + 1 < last) move_on(scratch, x + (y + window_height) * line, x + y * line, line);
    }
}

}  // namespace

extern "C" {

// Whether this processor runs what is compiled here.
int restore_means_supported() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

// Counts up with every change of what follows, so that no program calls a library of another age.
int restore_means_interface() { return 1; }

// out = the means of all windows inside x.
//
// x: [height][width][channels]; out: [height - window_height + 1][width - window_width + 1]
// [channels]. scratch: (width + 1) × channels floats of each thread's own. Only part `part` of
// `parts` is computed.
void restore_means_fp32(const float* x, float* out, float* scratch, std::int64_t height,
                        std::int64_t width, std::int64_t channels, std::int64_t window_height,
                        std::int64_t window_width, std::int64_t part, std::int64_t parts) {
    means(x, out, scratch, height, width, channels, window_height, window_width, part, parts);
}

void restore_means_bf16(const Half* x, Half* out, float* scratch, std::int64_t height,
                        std::int64_t width, std::int64_t channels, std::int64_t window_height,
                        std::int64_t window_width, std::int64_t part, std::int64_t parts) {
    means(x, out, scratch, height, width, channels, window_height, window_width, part, parts);
}
}

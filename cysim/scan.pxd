from libc.stdint cimport int64_t, uint64_t

# Looks at many rows at once and without a branch: where on a short way the first loud row stands cannot be guessed, and
# a wrong guess costs as much as looking at all of them. Plain vectors for any processor; four rows an instruction where
# the processor has AVX2, which is asked at run time.

cdef extern from * nogil:
    """
    #include <string.h>
    typedef int64_t mmbt_pair __attribute__((vector_size(16)));

    static inline mmbt_pair mmbt_two(const int64_t* items)
    {
        mmbt_pair pair;
        memcpy(&pair, items, sizeof pair);
        return pair;
    }

    static inline uint64_t mmbt_loud_pairs(
        const int64_t* ts, const int64_t* rising, const int64_t* falling, int rows, int64_t limit_ts, int64_t high_px,
        int64_t low_px)
    {
        const mmbt_pair limits = {limit_ts, limit_ts}, highs = {high_px, high_px}, lows = {low_px, low_px};
        mmbt_pair bits = {0, 0}, weights = {1, 2};
        for (int row = 0; row < rows; row += 2, weights <<= 2)
            bits |= ((mmbt_two(ts + row) > limits) | (mmbt_two(rising + row) > highs)
                     | (lows > mmbt_two(falling + row))) & weights;
        return (uint64_t)(bits[0] | bits[1]);
    }

    #if defined(__x86_64__)
    #include <immintrin.h>
    #define mmbt_four(items) _mm256_loadu_si256((const __m256i*)(items))

    static inline __attribute__((always_inline, target("avx2"))) uint64_t mmbt_loud_fours(
        const int64_t* ts, const int64_t* rising, const int64_t* falling, int rows, int64_t limit_ts, int64_t high_px,
        int64_t low_px)
    {
        const __m256i limits = _mm256_set1_epi64x(limit_ts), highs = _mm256_set1_epi64x(high_px),
                      lows = _mm256_set1_epi64x(low_px);
        uint64_t bits = 0;
        #pragma GCC unroll 8
        for (int row = 0; row < rows; row += 4) {
            const __m256i later = _mm256_cmpgt_epi64(mmbt_four(ts + row), limits);
            const __m256i risen = _mm256_cmpgt_epi64(mmbt_four(rising + row), highs);
            const __m256i fallen = _mm256_cmpgt_epi64(lows, mmbt_four(falling + row));
            const __m256i loud = _mm256_or_si256(later, _mm256_or_si256(risen, fallen));
            bits |= (uint64_t)(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(loud)) << row;
        }
        return bits;
    }

    static __attribute__((noinline, target("avx2"))) uint64_t mmbt_loud_quotes_fours(
        const int64_t* ts, const int64_t* bid_px, const int64_t* ask_px, int64_t limit_ts, int64_t high_px,
        int64_t low_px)
    {
        return mmbt_loud_fours(ts, bid_px, ask_px, 32, limit_ts, high_px, low_px);
    }

    static __attribute__((noinline, target("avx2"))) uint64_t mmbt_loud_prints_fours(
        const int64_t* ts, const int64_t* px, int64_t limit_ts, int64_t high_px, int64_t low_px)
    {
        return mmbt_loud_fours(ts, px, px, 16, limit_ts, high_px, low_px);
    }
    #define mmbt_has_fours() __builtin_cpu_supports("avx2")
    #else
    #define mmbt_has_fours() 0
    #define mmbt_loud_quotes_fours(ts, bid_px, ask_px, limit_ts, high_px, low_px) UINT64_C(0)
    #define mmbt_loud_prints_fours(ts, px, limit_ts, high_px, low_px) UINT64_C(0)
    #endif

    static inline uint64_t mmbt_loud_quotes(
        const int64_t* ts, const int64_t* bid_px, const int64_t* ask_px, int64_t limit_ts, int64_t high_px,
        int64_t low_px)
    {
        if (mmbt_has_fours())
            return mmbt_loud_quotes_fours(ts, bid_px, ask_px, limit_ts, high_px, low_px);
        return mmbt_loud_pairs(ts, bid_px, ask_px, 32, limit_ts, high_px, low_px);
    }

    static inline uint64_t mmbt_loud_prints(
        const int64_t* ts, const int64_t* px, int64_t limit_ts, int64_t high_px, int64_t low_px)
    {
        if (mmbt_has_fours())
            return mmbt_loud_prints_fours(ts, px, limit_ts, high_px, low_px);
        return mmbt_loud_pairs(ts, px, px, 16, limit_ts, high_px, low_px);
    }
    #define mmbt_lowest_bit(bits) ((int64_t)__builtin_ctzll(bits))
    """
    # Bit by bit the rows that are later than limit_ts, or above high_px, or below low_px.
    uint64_t loud_quotes "mmbt_loud_quotes"(
        const int64_t* ts, const int64_t* bid_px, const int64_t* ask_px, int64_t limit_ts, int64_t high_px,
        int64_t low_px)
    uint64_t loud_prints "mmbt_loud_prints"(
        const int64_t* ts, const int64_t* px, int64_t limit_ts, int64_t high_px, int64_t low_px)
    int64_t lowest_bit "mmbt_lowest_bit"(uint64_t bits)      # of bits that are not all 0

cdef enum:
    QUOTE_ROWS = 32              # looked at together
    PRINT_ROWS = 16

from libc.math cimport cos, log, sqrt
from libc.stdint cimport int64_t, uint64_t

# Counter-based random numbers (B3): each is a function of what it is for, never of how many were drawn before.
cdef extern from * nogil:
    """
    #define MMBT_GOLDEN UINT64_C(0x9E3779B97F4A7C15)
    #define MMBT_MIX_1 UINT64_C(0xBF58476D1CE4E5B9)
    #define MMBT_MIX_2 UINT64_C(0x94D049BB133111EB)
    #define MMBT_STEP 0x1p-53
    #define MMBT_TWO_PI (2.0 * 3.141592653589793)
    """
    const uint64_t GOLDEN "MMBT_GOLDEN"
    const uint64_t MIX_1 "MMBT_MIX_1"
    const uint64_t MIX_2 "MMBT_MIX_2"
    const double STEP "MMBT_STEP"        # between two uniform numbers
    const double TWO_PI "MMBT_TWO_PI"

cdef inline uint64_t mix64(uint64_t z) noexcept nogil:
    z ^= z >> 30
    z *= MIX_1
    z ^= z >> 27
    z *= MIX_2
    return z ^ (z >> 31)

# What the numbers of one occasion come from: the `key`-th of `stream` at the instant `ts`. Without the sums, seed and
# stream could be exchanged.
cdef inline uint64_t draw_key(uint64_t seed, uint64_t stream, int64_t ts, uint64_t key) noexcept nogil:
    cdef uint64_t h = mix64(seed + GOLDEN)
    h = mix64((h + GOLDEN) ^ mix64(stream + GOLDEN))
    h = mix64((h + GOLDEN) ^ mix64(<uint64_t>ts + GOLDEN))
    return mix64((h + GOLDEN) ^ mix64(key + GOLDEN))

# The i-th uniform number of an occasion, i = 1, 2, ...: in (0, 1].
cdef inline double uniform(uint64_t h, uint64_t i) noexcept nogil:
    return <double>((mix64(h + i * GOLDEN) >> 11) + 1) * STEP

# A standard normal number, of the occasion's first two uniform ones.
cdef inline double normal(uint64_t h) noexcept nogil:
    return sqrt(-2.0 * log(uniform(h, 1))) * cos(TWO_PI * uniform(h, 2))

from libc.stdint cimport int16_t, int32_t, uint8_t, uint64_t

cdef enum:
    MOST_LAYERS = 16
    LANES = 8                            # outputs of a layer are padded to a multiple of this

cdef extern from * nogil:
    """
    /* y[j] = b[j] + sum over i of x[i] W[i][j], in the order of i for every j, whatever the width of the registers:
       with contraction off all of them give the same bits. Tiles of outputs stay in registers. */
    #if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__gnu_linux__)
    #define MMBT_CLONES __attribute__((target_clones("avx2", "default")))
    #else
    #define MMBT_CLONES
    #endif
    typedef float mmbt_lanes __attribute__((vector_size(32), aligned(4)));

    #if defined(__GNUC__) && !defined(__clang__)
    #define MMBT_UNROLL _Pragma("GCC unroll 8")    /* else -O2 keeps the tile in memory */
    #else
    #define MMBT_UNROLL
    #endif
    #define MMBT_TILE(N) \\
        for (; j + 8 * (N) <= out; j += 8 * (N)) { \\
            mmbt_lanes sum[N]; \\
            MMBT_UNROLL for (int t = 0; t < (N); t++) sum[t] = *(const mmbt_lanes *)(b + j + 8 * t); \\
            for (int i = 0; i < in; i++) { \\
                const float xi = x[i]; \\
                const float *row = w + (long)i * out + j; \\
                MMBT_UNROLL for (int t = 0; t < (N); t++) sum[t] += xi * *(const mmbt_lanes *)(row + 8 * t); \\
            } \\
            MMBT_UNROLL for (int t = 0; t < (N); t++) *(mmbt_lanes *)(y + j + 8 * t) = sum[t]; \\
        }

    MMBT_CLONES
    static void mmbt_dense(const float *x, int in, const float *w, const float *b, float *y, int out, int relu) {
        int j = 0;
        MMBT_TILE(8)
        MMBT_TILE(4)
        MMBT_TILE(2)
        MMBT_TILE(1)
        if (relu)
            for (j = 0; j < out; j++) y[j] = y[j] > 0.0f ? y[j] : 0.0f;
    }
    """
    void dense "mmbt_dense"(const float* x, int inputs, const float* w, const float* b, float* y, int outputs,
                            int relu) noexcept

cdef struct Net:
    const float* kernel[MOST_LAYERS]     # [inputs][padded outputs]
    const float* bias[MOST_LAYERS]
    int32_t inputs[MOST_LAYERS]
    int32_t padded[MOST_LAYERS]
    int32_t layers
    int32_t actions
    int32_t widest                       # of the padded layers: floats of each half of the scratch

# Q-values of one state: q points into the scratch, 2 * widest floats.
cdef inline const float* forward(const Net* net, const float* state, float* scratch) noexcept nogil:
    cdef const float* x = state
    cdef float* y = scratch
    cdef int32_t layer
    for layer in range(net.layers):
        y = scratch + (layer & 1) * net.widest
        dense(x, net.inputs[layer], net.kernel[layer], net.bias[layer], y, net.padded[layer], layer + 1 < net.layers)
        x = y
    return y

# The first admissible action of the highest value; -1 when none is admissible.
cdef inline int32_t best_action(const float* q, const uint8_t* admissible, int32_t actions) noexcept nogil:
    cdef int32_t best = -1, action
    for action in range(actions):
        if admissible[action] and (best < 0 or q[action] > q[best]):
            best = action
    return best

cdef class ForwardPass:
    cdef Net net
    cdef float* block
    cdef float* scratch
    cdef readonly int inputs
    cdef readonly int actions
    cdef int _copy(self, list arrays) except -1
    cdef int _act_one(self, const float[:, :] market, const float[:, :] private, const uint8_t[:, :] admissible,
                      int16_t[::1] actions, Py_ssize_t row, float* state, double epsilon, uint64_t key) noexcept nogil

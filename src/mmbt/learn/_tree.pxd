from libc.stdint cimport int64_t

# A sum tree: leaf i is nodes[size + i], node j the sum of nodes 2j and 2j + 1, always added anew, so that a tree is a
# function of its leaves. size is a power of two.
cdef inline void set_leaf(double* nodes, int64_t size, int64_t leaf, double value) noexcept nogil:
    cdef int64_t j = size + leaf
    nodes[j] = value
    j >>= 1
    while j >= 1:
        nodes[j] = nodes[2 * j] + nodes[2 * j + 1]
        j >>= 1

# Leaves first <= i < last at once; each inner node above them is added once.
cdef inline void set_range(double* nodes, int64_t size, int64_t first, int64_t last, double value) noexcept nogil:
    cdef int64_t i, low = size + first, high = size + last - 1
    if first >= last:
        return
    for i in range(low, high + 1):
        nodes[i] = value
    while low > 1:
        low >>= 1
        high >>= 1
        for i in range(low, high + 1):
            nodes[i] = nodes[2 * i] + nodes[2 * i + 1]

# The leaf at which the running sum of leaves passes `mass`, 0 <= mass < total; rounding never leads to an empty one.
cdef inline int64_t find_leaf(const double* nodes, int64_t size, double mass) noexcept nogil:
    cdef int64_t j = 1
    while j < size:
        j *= 2
        if nodes[j + 1] > 0 and (mass >= nodes[j] or nodes[j] <= 0):
            mass -= nodes[j]
            j += 1
    return j - size

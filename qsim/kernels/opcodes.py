"""The numbers that the compiler and the kernels agree on. No imports: usable without Numba."""

#: Kinds of operations inside a tile.
DIAGONAL, FLIP, REAL1, DENSE1, DENSE = 0, 1, 2, 3, 4
#: Not executed: absorbed into the qubit map.
SWAP = 5

#: How the coefficients of a parametric gate follow from its angles.
PHASES, ROTATION, EXCHANGE = range(3)

#: Columns of an operation record in a pass.
KIND, TARGET, TARGETS, VALUE, OUTER_MASK, OUTER_VALUE, COEFFICIENT, FIXED_AT, FIXED_COUNT, LANE_MASK, LANE_VALUE = (
    range(11)
)
RECORD = 11

#: The lowest bits of a tile in which a control or a diagonal gate is a mask over vector lanes.
LANE_BITS = 4

"""The numbers that the compiler and the kernels agree on. No imports: usable without Numba."""

#: Kinds of operations. REAL1 and DENSE1 are 2 x 2 matrices, DENSE is one on any number of targets.
DIAGONAL, FLIP, REAL1, DENSE1, DENSE = 0, 1, 2, 3, 4
#: Not executed: absorbed into the qubit map.
SWAP = 5
#: Kinds that exist inside a pass only, where the compiler puts several operations into one: real 2 x 2 matrices on one
#: to three targets, a product of phases, an exchange of low with high bits.
REALS, PHASES, TRANSPOSITION = 6, 7, 8

#: How the coefficients of a parametric gate follow from its angles.
ANGLES, ROTATION, EXCHANGE = range(3)

#: Columns of an operation record in a pass.
(
    KIND, TARGET, TARGETS, VALUE, OUTER_MASK, OUTER_VALUE, COEFFICIENT, FIXED_AT, FIXED_COUNT, LANE_MASK, LANE_VALUE, WALK_AT,
    SHIFTS_AT, SHIFTS,
) = range(14)  # fmt: skip
RECORD = 14

#: Amplitudes are stored in blocks of 2**LANE_BITS: first their real, then their imaginary parts. Below this bit of a
#: tile a control or a diagonal gate is a mask over the lanes of a block.
LANE_BITS = 4

#: In the terms of a PHASES operation: there is no second bit.
NO_BIT = 1 << 20

#: A real matrix takes eight numbers, (re, im) pairs row by row. In place of the imaginary parts, which are zero, stands
#: its scaled form; see `qsim.kernels.merge.put_real`.
SCALE, BETA, GAMMA, FORM = 1, 3, 5, 7

#: Columns of a pass's record: its operations, the positions in whose amplitudes there may be something before it, flags, and
#: the bits of its tiles.
#: After it, tile index bit LANE_BITS + j stands for the stride PASS_STRIDES + j, and blocks begin at PASS_SHIFT and the shifts.
#: PASS_APART counts the operations that threads that share a tile have to wait for each other at.
(
    OPS_FROM, OPS_TO, PASS_SUPPORT, PASS_FLAGS, PASS_BITS, PASS_STRIDES, PASS_SHIFT, PASS_SHIFTS_AT, PASS_SHIFTS,
    PASS_APART,
) = range(10)  # fmt: skip
PASS_RECORD = 10
#: Flags of a pass: the state before or after it is interleaved; its only tile is written out in another order; threads can
#: share its only tile.
INPUT_INTERLEAVED, OUTPUT_INTERLEAVED, LANES_MOVE, SHARED = 1, 2, 4, 8

#: The sections of a program's integers; see `qsim.compiler.program.Program`.
(
    IN_SLOTS, IN_CODES_AT, IN_CODES, IN_FORMULAS, IN_FIRST_VALUE, IN_OFFSETS, IN_ENTRIES, IN_FREE, IN_KINDS, IN_COUNTS,
    IN_CONTROLS, IN_CONTROL_VALUES, IN_PLAIN_OFFSETS, IN_MERGED_TARGETS, IN_MERGED_KINDS, IN_MERGED_OFFSETS,
    IN_FIRST_MEMBER, IN_MEMBERS, IN_PLACES, IN_PARTS, IN_REALS, IN_PASSES, IN_TILES, IN_SOURCES, IN_OPS, IN_BITS,
) = range(26)  # fmt: skip
SECTIONS = 26

"""Vector code written out: matrices on runs of amplitudes, as LLVM vectors with fused multiply-adds.

Numba leaves vectorisation to LLVM, which gives up on loops over more than four arrays that might overlap and which
pays for overlap checks on every short run. Here the vector type and every load, product and store are explicit, so a
run costs what its arithmetic costs. Each function below makes an intrinsic that kernels call like a function; the
caller guarantees that everything lies inside the arrays.

Runs are multiples of the 16 lanes of LANE_BITS. "Masked" runs are 16 lanes long and change only where `lanes` is not 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsim.kernels.opcodes import LANE_BITS

LANES = 1 << LANE_BITS


def vector_bytes() -> int:
    """The processor's vector width: 64 bytes with AVX-512, 32 with AVX, else 16."""
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


class _Emitter:
    """Vector loads, stores and arithmetic on the arrays `re` and `im` of one call."""

    def __init__(self, context: Any, builder: Any, array_type: Any, re: Any, im: Any) -> None:
        from numba.np.arrayobj import make_array  # needed to compile only, and slow to import

        self.builder = builder
        self.element = context.get_value_type(array_type.dtype)
        self.size = 8 if array_type.dtype == types.float64 else 4
        self.width = min(vector_bytes() // self.size, LANES)
        self.vector = ir.VectorType(self.element, self.width)
        self.data_of = lambda value: make_array(array_type)(context, builder, value).data
        self.re, self.im = self.data_of(re), self.data_of(im)

    def load(self, data: Any, index: Any) -> Any:
        pointer = self.builder.bitcast(self.builder.gep(data, [index]), self.vector.as_pointer())
        return self.builder.load(pointer, align=self.size)

    def store(self, value: Any, data: Any, index: Any) -> None:
        pointer = self.builder.bitcast(self.builder.gep(data, [index]), self.vector.as_pointer())
        self.builder.store(value, pointer, align=self.size)

    def splat(self, scalar: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        zero = ir.Constant(ir.IntType(32), 0)
        one = self.builder.insert_element(undefined, scalar, zero)
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), self.width), None))

    def constants(self, data: Any, count: int) -> list[Any]:
        """The first `count` entries of an array that nothing writes to, each as a vector."""
        result = []
        for k in range(count):
            scalar = self.builder.load(self.builder.gep(data, [self.index(k)]))
            scalar.set_metadata("invariant.load", self.builder.module.add_metadata([]))
            result.append(self.splat(scalar))
        return result

    def mask(self, lanes: Any, place: Any) -> Any:
        """Which lanes of the vector at `place` change."""
        weights = self.load(lanes, self.builder.and_(place, self.index(LANES - 1)))
        return self.builder.fcmp_unordered("une", weights, ir.Constant(self.vector, None))

    def pick(self, first: Any, second: Any, lanes: Sequence[int]) -> Any:
        """A vector out of the lanes of two."""
        numbers = ir.Constant(ir.VectorType(ir.IntType(32), self.width), list(lanes))
        return self.builder.shuffle_vector(first, second, numbers)

    def exchange(self, bit: int, vector: Any) -> Any:
        """Lane k gets lane k with `bit` flipped."""
        return self.pick(vector, vector, [k ^ (1 << bit) for k in range(self.width)])

    def by_lane(self, bit: int, zero: Any, one: Any) -> Any:
        """Lanes whose `bit` is 0 from the first vector, else from the second; None stays None."""
        if zero is None:
            return None
        return self.pick(zero, one, [k + self.width * ((k >> bit) & 1) for k in range(self.width)])

    def index(self, value: int) -> Any:
        return ir.Constant(ir.IntType(64), value)

    def combine(self, factors: Sequence[tuple[Any, Any]]) -> Any:
        """The sum of products, by fused multiply-adds."""
        name = f"llvm.fma.v{self.width}f{8 * self.size}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fma = cgutils.get_or_insert_function(self.builder.module, kind, name)
        (a, b), *rest = factors
        total = self.builder.fmul(a, b)
        for a, b in rest:
            total = self.builder.call(fma, [a, b, total])
        return total

    def product(
        self, matrix: Sequence[Sequence[tuple[Any, Any, Any]]], re: Sequence[Any], im: Sequence[Any]
    ) -> list[Any]:
        """Rows of a matrix of (real, imaginary, -imaginary) vectors times a column; imaginary None when all is real."""
        result = []
        for row in matrix:
            if row[0][1] is None:
                result.append((self.combine([(e[0], x) for e, x in zip(row, re, strict=True)]),
                               self.combine([(e[0], y) for e, y in zip(row, im, strict=True)])))  # fmt: skip
                continue
            real, imag = [], []
            for (a, b, minus_b), x, y in zip(row, re, im, strict=True):
                real += [(a, x), (minus_b, y)]
                imag += [(a, y), (b, x)]
            result.append((self.combine(real), self.combine(imag)))
        return result

    def matrix(self, data: Any, size: int, real: bool) -> list[list[tuple[Any, Any, Any]]]:
        """A `size` x `size` matrix out of (re, im) pairs, row by row."""
        flat = self.constants(data, 2 * size * size)
        rows = []
        for r in range(size):
            row = []
            for c in range(size):
                a, b = flat[2 * (r * size + c)], flat[2 * (r * size + c) + 1]
                row.append((a, None, None) if real else (a, b, self.builder.fneg(b)))
            rows.append(row)
        return rows

    def keep(self, mask: Any, changed: Any, old: Any) -> Any:
        return changed if mask is None else self.builder.select(mask, changed, old)


def _declare(generate: Callable[[_Emitter, Any, Any, Any, Sequence[Any], Any], None]) -> Any:
    """An intrinsic (re, im, u, lanes, at, step0, step1, run) without result."""

    @intrinsic
    def emit(
        typing_context: Any, re: Any, im: Any, u: Any, lanes: Any, at: Any, step0: Any, step1: Any, run: Any
    ) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            emitter = _Emitter(context, builder, re, arguments[0], arguments[1])
            matrix, weights = (emitter.data_of(value) for value in arguments[2:4])
            generate(emitter, matrix, weights, arguments[4], arguments[5:7], arguments[7])
            return context.get_dummy_value()

        return types.void(re, re, re, re, types.int64, types.int64, types.int64, types.int64), code

    return emit


def _matrix_on_runs(num_targets: int, *, real: bool = False, flip: bool = False, masked: bool = False) -> Any:
    """A matrix (or an exchange) on amplitudes at + j, at + step0 + j, ... for j < run."""
    size = 1 << num_targets

    def generate(e: _Emitter, u: Any, lanes: Any, at: Any, steps: Sequence[Any], run: Any) -> None:
        matrix = [] if flip else e.matrix(u, size, real)
        starts = [at]
        for step in steps[:num_targets]:
            starts += [e.builder.add(start, step) for start in starts]
        with cgutils.for_range_slice(e.builder, e.index(0), run, e.index(e.width), ir.IntType(64)) as (j, _):
            places = [e.builder.add(start, j) for start in starts]
            re, im = ([e.load(data, place) for place in places] for data in (e.re, e.im))
            mask = e.mask(lanes, places[0]) if masked else None
            new = list(zip(re[::-1], im[::-1], strict=True)) if flip else e.product(matrix, re, im)
            for place, (x, y), old_x, old_y in zip(places, new, re, im, strict=True):
                e.store(e.keep(mask, x, old_x), e.re, place)
                e.store(e.keep(mask, y, old_y), e.im, place)

    return _declare(generate)


def _matrix_in_vectors(bit: int, *, real: bool) -> Any:
    """A 2 x 2 matrix on a target bit below the vector width: the partner of a lane is in the same vector."""

    def generate(e: _Emitter, u: Any, lanes: Any, at: Any, steps: Sequence[Any], run: Any) -> None:
        if 1 << bit >= e.width:
            return  # the caller uses runs of 2**bit lanes instead
        (a, b), (c, d) = e.matrix(u, 2, real)
        own = [e.by_lane(bit, x, y) for x, y in zip(a, d, strict=True)]
        other = [e.by_lane(bit, x, y) for x, y in zip(b, c, strict=True)]
        with cgutils.for_range_slice(e.builder, e.index(0), run, e.index(e.width), ir.IntType(64)) as (j, _):
            place = e.builder.add(at, j)
            x, y = e.load(e.re, place), e.load(e.im, place)
            (row,) = e.product([[own, other]], [x, e.exchange(bit, x)], [y, e.exchange(bit, y)])  # type: ignore[list-item]
            mask = e.mask(lanes, place)
            e.store(e.keep(mask, row[0], x), e.re, place)
            e.store(e.keep(mask, row[1], y), e.im, place)

    return _declare(generate)


scale_runs, scale_masked = _matrix_on_runs(0), _matrix_on_runs(0, masked=True)
flip_runs, flip_masked = _matrix_on_runs(1, flip=True), _matrix_on_runs(1, flip=True, masked=True)
real1_runs, real1_masked = _matrix_on_runs(1, real=True), _matrix_on_runs(1, real=True, masked=True)
dense1_runs, dense1_masked = _matrix_on_runs(1), _matrix_on_runs(1, masked=True)
dense2_runs, dense2_masked = _matrix_on_runs(2), _matrix_on_runs(2, masked=True)
real1_bit0, real1_bit1, real1_bit2, real1_bit3 = (_matrix_in_vectors(bit, real=True) for bit in range(LANE_BITS))
dense1_bit0, dense1_bit1, dense1_bit2, dense1_bit3 = (_matrix_in_vectors(bit, real=False) for bit in range(LANE_BITS))


@intrinsic
def vector_bits(typing_context: Any, re: Any) -> Any:
    """log2 of the lanes of a vector of this array's type."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = min(vector_bytes() // (8 if re.dtype == types.float64 else 4), LANES)
        return ir.Constant(ir.IntType(64), width.bit_length() - 1)

    return types.int64(re), code

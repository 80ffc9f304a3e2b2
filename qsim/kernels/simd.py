"""Vector code written out: small matrices on blocks of amplitudes, as LLVM vectors with fused multiply-adds.

Numba leaves vectorisation to LLVM, which gives up on loops over more than four arrays that might overlap and which
pays for overlap checks on every short run. Here the vector type and every load, product and store are explicit, so a
block costs what its arithmetic costs. Each function below makes an intrinsic that kernels call like a function; the
caller guarantees that everything lies inside the arrays.

A block is LANES amplitudes in one array: LANES real parts, then LANES imaginary parts. Blocks are addressed by the
index of their first number. "Masked" functions change a lane only where `lanes` is not 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qsim.kernels.opcodes import BETA, FORM, GAMMA, LANE_BITS

LANES = 1 << LANE_BITS
#: Numbers in a block.
BLOCK = 2 * LANES
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def vector_bytes() -> int:
    """The processor's vector width: 64 bytes with AVX-512, 32 with AVX, else 16."""
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


class _Emitter:
    """Vector loads, stores and arithmetic on arrays of one number type."""

    def __init__(self, context: Any, builder: Any, array_type: Any) -> None:
        from numba.np.arrayobj import make_array  # needed to compile only, and slow to import

        self.builder = builder
        self.element = context.get_value_type(array_type.dtype)
        self.size = 8 if array_type.dtype == types.float64 else 4
        self.width = min(vector_bytes() // self.size, LANES)
        self.data_of = lambda value: make_array(array_type)(context, builder, value).data

    # memory -------------------------------------------------------------------------------------------------
    def load(self, data: Any, index: Any, width: int | None = None) -> Any:
        """`width` numbers (a machine vector if not given) from `index` on."""
        kind = ir.VectorType(self.element, width or self.width)
        pointer = self.builder.bitcast(self.builder.gep(data, [index]), kind.as_pointer())
        return self.builder.load(pointer, align=self.size)

    def store(self, value: Any, data: Any, index: Any) -> None:
        pointer = self.builder.bitcast(self.builder.gep(data, [index]), value.type.as_pointer())
        self.builder.store(value, pointer, align=self.size)

    def scalar(self, data: Any, index: int) -> Any:
        """A number of an array that nothing writes to."""
        value = self.builder.load(self.builder.gep(data, [self.index(index)]))
        value.set_metadata("invariant.load", self.builder.module.add_metadata([]))
        return value

    def splat(self, scalar: Any, width: int | None = None) -> Any:
        count = width or self.width
        undefined = ir.Constant(ir.VectorType(self.element, count), ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_I32, count), None))

    def index(self, value: int) -> Any:
        return ir.Constant(_I64, value)

    def offset(self, start: Any, distance: Any) -> Any:
        return self.builder.add(start, self.index(distance) if isinstance(distance, int) else distance)

    # arithmetic ---------------------------------------------------------------------------------------------
    def fma(self, a: Any, b: Any, total: Any) -> Any:
        """a * b + total; the plain product when total is None."""
        if total is None:
            return self.builder.fmul(a, b)
        name = f"llvm.fma.v{a.type.count}f{8 * self.size}"
        kind = ir.FunctionType(a.type, [a.type] * 3)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, total])

    def times(self, re: Any, im: Any, c: Any, s: Any) -> tuple[Any, Any]:
        """(re + i im) (c + i s)."""
        minus = self.builder.fneg(im)
        return self.fma(re, c, self.builder.fmul(minus, s)), self.fma(re, s, self.builder.fmul(im, c))

    def product(self, rows: Sequence[Sequence[tuple[Any, Any]]], columns: Sequence[tuple[Any, Any]]) -> list[Any]:
        """A complex matrix times a vector.

        Column by column, so that the sums of all rows, which do not depend on each other, advance together: a chain
        of fused multiply-adds waits four cycles for each of its links.
        """
        re: list[Any] = [None] * len(rows)
        im: list[Any] = [None] * len(rows)
        for k, (x, y) in enumerate(columns):
            minus = self.builder.fneg(y)
            for r, row in enumerate(rows):
                re[r] = self.fma(row[k][0], x, re[r])
                im[r] = self.fma(row[k][0], y, im[r])
            for r, row in enumerate(rows):
                re[r] = self.fma(row[k][1], minus, re[r])
                im[r] = self.fma(row[k][1], x, im[r])
        return list(zip(re, im, strict=True))

    def lean_product(self, rows: Sequence[Sequence[tuple[Any, Any]]], columns: Sequence[tuple[Any, Any]]) -> list[Any]:
        """The same by three products for each complex one: a (x + y), (a + b) y and (b - a) x.

        Additions have units of their own on some processors; elsewhere it costs as much as `product`.
        """
        sums = [self.builder.fadd(x, y) for x, y in columns]
        result = []
        for row in rows:
            both = re = im = None
            for (a, b), (x, y), total in zip(row, columns, sums, strict=True):
                both = self.fma(a, total, both)
                re = self.fma(self.builder.fadd(a, b), self.builder.fneg(y), re)
                im = self.fma(self.builder.fsub(b, a), x, im)
            result.append((self.builder.fadd(both, re), self.builder.fadd(both, im)))
        return result

    def matrix(self, data: Any, size: int, width: int | None = None) -> list[list[tuple[Any, Any]]]:
        """A `size` x `size` matrix out of (re, im) pairs, row by row."""
        flat = [self.splat(self.scalar(data, k), width) for k in range(2 * size * size)]
        return [[(flat[2 * (r * size + c)], flat[2 * (r * size + c) + 1]) for c in range(size)] for r in range(size)]

    # lanes --------------------------------------------------------------------------------------------------
    def pick(self, first: Any, second: Any, lanes: Sequence[int]) -> Any:
        """A vector out of the lanes of two."""
        return self.builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes)))

    def mask(self, lanes: Any, place: Any, width: int | None = None) -> Any:
        """Which of the lanes from `place` on change."""
        weights = self.load(lanes, self.index(place) if isinstance(place, int) else place, width)
        return self.builder.fcmp_unordered("une", weights, ir.Constant(weights.type, None))

    def keep(self, mask: Any, changed: Any, old: Any) -> Any:
        return changed if mask is None else self.builder.select(mask, changed, old)

    def slots(self) -> range:
        """Where the machine vectors of a block's real parts begin."""
        return range(0, LANES, self.width)

    def each_slot(self, count: int, body: Callable[[Any], None]) -> None:
        """The same up to `count` numbers, as a loop in the compiled code: long bodies are not worth repeating."""
        with cgutils.for_range_slice(
            self.builder, self.index(0), self.index(count), self.index(self.width), _I64
        ) as loop:
            body(loop[0])


def _declare(generate: Callable[..., None]) -> Any:
    """An intrinsic without result: (a, b, c, d, i, j, k, m), four arrays of one number type and four integers.

    Numba reads the number of arguments off the function, so all have the same; callers fill up with `a` and 0.
    """

    @intrinsic
    def emit(typing_context: Any, a: Any, b: Any, c: Any, d: Any, i: Any, j: Any, k: Any, m: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            emitter = _Emitter(context, builder, a)
            generate(emitter, *(emitter.data_of(value) for value in arguments[:4]), *arguments[4:])
            return context.get_dummy_value()

        return types.void(a, a, a, a, types.int64, types.int64, types.int64, types.int64), code

    return emit


def _corners(e: _Emitter, at: Any, steps: Sequence[Any]) -> list[Any]:
    starts = [at]
    for step in steps:
        starts += [e.builder.xor(start, step) for start in starts]
    return starts


# Matrices on blocks that lie `step` apart -----------------------------------------------------------------------


def _matrix_on_blocks(num_targets: int, *, flip: bool = False, masked: bool = False) -> Any:
    """(tile, u, lanes, -, at, step0, step1, -): a complex matrix on 2**num_targets blocks; or their exchange."""

    def generate(e: _Emitter, tile: Any, u: Any, lanes: Any, _: Any, at: Any, step0: Any, step1: Any, __: Any) -> None:
        matrix = [] if flip else e.matrix(u, 1 << num_targets)
        corners = _corners(e, at, [step0, step1][:num_targets])

        def body(slot: Any) -> None:
            re_at = [e.offset(corner, slot) for corner in corners]
            im_at = [e.offset(place, LANES) for place in re_at]
            old = [(e.load(tile, r), e.load(tile, i)) for r, i in zip(re_at, im_at, strict=True)]
            mask = e.mask(lanes, slot) if masked else None
            new = old[::-1] if flip else (e.lean_product if num_targets == 1 else e.product)(matrix, old)
            for r, i, (x, y), (old_x, old_y) in zip(re_at, im_at, new, old, strict=True):
                e.store(e.keep(mask, x, old_x), tile, r)
                e.store(e.keep(mask, y, old_y), tile, i)

        e.each_slot(LANES, body)

    return _declare(generate)


def _lean_four() -> Any:
    """(tile, sums, -, -, at, step0, step1, step): a complex 4 x 4 matrix on four blocks, by three products for a complex one.

    `sums` has a, a + b and b - a for each entry a + i b, row by row. Each of them serves two vectors, which leaves loads
    behind multiply-adds: the two of a block in double precision; in single the blocks `step` away are done as well.
    """

    def generate(e: _Emitter, tile: Any, sums: Any, _: Any, __: Any, at: Any, step0: Any, step1: Any, to: Any) -> None:
        starts = [at] if len(e.slots()) > 1 else [at, e.builder.xor(at, to)]
        corners = [
            [e.offset(place, slot) for place in _corners(e, start, [step0, step1])]
            for start in starts
            for slot in e.slots()
        ]
        parts = [
            [(e.load(tile, place), e.load(tile, e.offset(place, LANES))) for place in places] for places in corners
        ]
        for row in range(4):
            totals: list[list[Any]] = [[None] * 3 for _ in corners]
            for column in range(4):
                factors = [
                    e.splat(e.builder.load(e.builder.gep(sums, [e.index(3 * (4 * row + column) + k)])))
                    for k in range(3)
                ]
                for total, part in zip(totals, parts, strict=True):
                    x, y = part[column]
                    for k, value in enumerate((e.builder.fadd(x, y), e.builder.fneg(y), x)):
                        total[k] = e.fma(factors[k], value, total[k])
            for (both, re, im), places in zip(totals, corners, strict=True):
                e.store(e.builder.fadd(both, re), tile, places[row])
                e.store(e.builder.fadd(both, im), tile, e.offset(places[row], LANES))

    return _declare(generate)


def _real_on_blocks(masked: bool) -> Any:
    """(tile, u, lanes, -, at, step, -, -): a real 2 x 2 matrix on two blocks."""

    def generate(e: _Emitter, tile: Any, u: Any, lanes: Any, _: Any, at: Any, step: Any, *__: Any) -> None:
        a, b, c, d = (e.splat(e.scalar(u, k)) for k in (0, 2, 4, 6))
        other = e.builder.xor(at, step)

        def body(slot: Any) -> None:
            first, second = e.offset(at, slot), e.offset(other, slot)
            x, y = e.load(tile, first), e.load(tile, second)
            mask = e.mask(lanes, e.builder.and_(slot, e.index(LANES - 1))) if masked else None
            e.store(e.keep(mask, e.fma(b, y, e.builder.fmul(a, x)), x), tile, first)
            e.store(e.keep(mask, e.fma(d, y, e.builder.fmul(c, x)), y), tile, second)

        e.each_slot(BLOCK, body)

    return _declare(generate)


def _scaled_reals(num_targets: int, reflections: int) -> Any:
    """Orthogonal 2 x 2 matrices in scaled form, all of them between one load and one store.

    (tile, u, v, w, at, step0, step1, step2), a matrix a step. See `qsim.kernels.merge.put_real` for the form: two fused
    multiply-adds a pair instead of four operations. The first `reflections` matrices have determinant -1.
    """

    def generate(e: _Emitter, tile: Any, u: Any, v: Any, w: Any, at: Any, *steps: Any) -> None:
        steps, out = steps[:num_targets], at
        factors = []
        for matrix, step in zip((u, v, w), steps, strict=False):
            factors.append((e.splat(e.scalar(matrix, BETA)), e.splat(e.scalar(matrix, GAMMA))))
            form = e.scalar(matrix, FORM)
            swapped = e.builder.fcmp_ordered(">", e.builder.fmul(form, form), ir.Constant(e.element, 2))
            out = e.builder.xor(out, e.builder.select(swapped, step, e.index(0)))
        sources, goals = _corners(e, at, steps), _corners(e, out, steps)

        def body(slot: Any) -> None:
            values = [e.load(tile, e.offset(source, slot)) for source in sources]
            for target, (beta, gamma) in enumerate(factors):
                for k in range(len(values)):
                    if not (k >> target) & 1:
                        x, y = values[k], values[k | 1 << target]
                        values[k] = e.fma(beta, y, x)
                        values[k | 1 << target] = e.fma(gamma, x, e.builder.fneg(y) if target < reflections else y)
            for goal, value in zip(goals, values, strict=True):
                e.store(value, tile, e.offset(goal, slot))

        e.each_slot(BLOCK, body)

    return _declare(generate)


scale_block, scale_masked = _matrix_on_blocks(0), _matrix_on_blocks(0, masked=True)
flip_blocks, flip_masked = _matrix_on_blocks(1, flip=True), _matrix_on_blocks(1, flip=True, masked=True)
real1_blocks, real1_masked = _real_on_blocks(False), _real_on_blocks(True)
dense1_blocks, dense1_masked = _matrix_on_blocks(1), _matrix_on_blocks(1, masked=True)
#: With 32 registers for vectors of 64 bytes the lean product of a 4 x 4 matrix needs no other room.
HAS_LEAN_FOUR = vector_bytes() == 64
lean_four = _lean_four()
dense2_blocks, dense2_masked = _matrix_on_blocks(2), _matrix_on_blocks(2, masked=True)
reals_1_0, reals_1_1 = (_scaled_reals(1, k) for k in range(2))
reals_2_0, reals_2_1, reals_2_2 = (_scaled_reals(2, k) for k in range(3))
reals_3_0, reals_3_1, reals_3_2, reals_3_3 = (_scaled_reals(3, k) for k in range(4))


# Targets inside a block -----------------------------------------------------------------------------------------


def _matrix_in_block(bit: int, *, real: bool) -> Any:
    """(tile, u, lanes, -, at, -, -, -): a 2 x 2 matrix on a target bit below LANE_BITS, where `lanes` is not 0."""

    def generate(e: _Emitter, tile: Any, u: Any, lanes: Any, _: Any, at: Any, *__: Any) -> None:
        (a, b), (c, d) = e.matrix(u, 2, LANES)
        halves = [k + LANES * ((k >> bit) & 1) for k in range(LANES)]
        own = [e.pick(x, y, halves) for x, y in zip(a, d, strict=True)]
        other = [e.pick(x, y, halves) for x, y in zip(b, c, strict=True)]
        im_at = e.offset(at, LANES)
        x, y = e.load(tile, at, LANES), e.load(tile, im_at, LANES)
        crossed = [k ^ (1 << bit) for k in range(LANES)]
        p, q = e.pick(x, x, crossed), e.pick(y, y, crossed)
        if real:
            new_x = e.fma(other[0], p, e.builder.fmul(own[0], x))
            new_y = e.fma(other[0], q, e.builder.fmul(own[0], y))
        else:
            ((new_x, new_y),) = e.product([[tuple(own), tuple(other)]], [(x, y), (p, q)])
        mask = e.mask(lanes, 0, LANES)
        e.store(e.keep(mask, new_x, x), tile, at)
        e.store(e.keep(mask, new_y, y), tile, im_at)

    return _declare(generate)


real1_bit0, real1_bit1, real1_bit2, real1_bit3 = (_matrix_in_block(bit, real=True) for bit in range(LANE_BITS))
dense1_bit0, dense1_bit1, dense1_bit2, dense1_bit3 = (_matrix_in_block(bit, real=False) for bit in range(LANE_BITS))


def _exchange(pairs: Sequence[int]) -> Any:
    """(tile, -, -, -, at, step0, step1, -): exchange lane bit pairs[k] with the bit that `step_k` stands for."""

    def generate(e: _Emitter, tile: Any, _: Any, __: Any, ___: Any, at: Any, *steps: Any) -> None:
        corners = _corners(e, at, steps[: len(pairs)])
        for part in (0, LANES):
            places = [e.offset(corner, part) for corner in corners]
            values = [e.load(tile, place, LANES) for place in places]
            for target, bit in enumerate(pairs):
                one = 1 << bit
                low = [k if not k & one else LANES + (k ^ one) for k in range(LANES)]
                high = [LANES + k if k & one else k ^ one for k in range(LANES)]
                for k in range(len(values)):
                    if not (k >> target) & 1:
                        x, y = values[k], values[k | 1 << target]
                        values[k], values[k | 1 << target] = e.pick(x, y, low), e.pick(x, y, high)
            for place, value in zip(places, values, strict=True):
                e.store(value, tile, place)

    return _declare(generate)


exchange_bit0, exchange_bit1, exchange_bit2, exchange_bit3 = (_exchange([bit]) for bit in range(LANE_BITS))
exchange_bits01, exchange_bits23 = _exchange([0, 1]), _exchange([2, 3])


# Whole blocks ---------------------------------------------------------------------------------------------------


def _times_table(*, scaled: bool) -> Any:
    """(out, source, table, factors, at_out, at_source, at_table, at_factor): amplitudes times a table.

    The table is a block of complex numbers; if scaled, all is multiplied by a number of another such block as well.
    """

    def generate(
        e: _Emitter, out: Any, source: Any, table: Any, factors: Any, to: Any, of: Any, at: Any, where: Any
    ) -> None:
        if scaled:
            factor = [e.splat(e.builder.load(e.builder.gep(factors, [e.offset(where, k)]))) for k in (0, LANES)]
        for slot in e.slots():
            imag = slot + LANES
            x, y = e.load(source, e.offset(of, slot)), e.load(source, e.offset(of, imag))
            c, s = e.load(table, e.offset(at, slot)), e.load(table, e.offset(at, imag))
            x, y = e.times(x, y, c, s)
            if scaled:
                x, y = e.times(x, y, factor[0], factor[1])
            e.store(x, out, e.offset(to, slot))
            e.store(y, out, e.offset(to, imag))

    return _declare(generate)


times_table, times_scaled_table = _times_table(scaled=False), _times_table(scaled=True)


def _copy(kind: str) -> Any:
    """(out, source, -, -, at_out, at_source, -, -): one block; "split" and "join" convert from and to interleaved."""

    def generate(e: _Emitter, out: Any, source: Any, _: Any, __: Any, to: Any, of: Any, *___: Any) -> None:
        if kind == "plain":
            for slot in range(0, BLOCK, e.width):
                e.store(e.load(source, e.offset(of, slot)), out, e.offset(to, slot))
            return
        w = e.width
        for slot in e.slots():
            if kind == "split":
                a, b = e.load(source, e.offset(of, 2 * slot)), e.load(source, e.offset(of, 2 * slot + w))
                re, im = e.pick(a, b, range(0, 2 * w, 2)), e.pick(a, b, range(1, 2 * w, 2))
                e.store(re, out, e.offset(to, slot))
                e.store(im, out, e.offset(to, slot + LANES))
            else:
                re, im = e.load(source, e.offset(of, slot)), e.load(source, e.offset(of, slot + LANES))
                woven = [k // 2 + w * (k % 2) for k in range(2 * w)]
                e.store(e.pick(re, im, woven[:w]), out, e.offset(to, 2 * slot))
                e.store(e.pick(re, im, woven[w:]), out, e.offset(to, 2 * slot + w))

    return _declare(generate)


copy_block, split_block, join_block = _copy("plain"), _copy("split"), _copy("join")

"""`Program`: a compiled circuit as flat arrays, ready to be bound to parameter values and run.

The structure (which operation, in which pass, on which bits of a tile) does not depend on parameter values, so a
program is compiled once and bound as often as wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import ROW, Circuit
from qsim.compiler import schedule
from qsim.compiler.formulas import FACTORS, FIXED, FORMULAS, GPHASE, SHAPES
from qsim.compiler.fusion import Merges, Operations, fuse
from qsim.compiler.lowering import MATRIX, Ints, Lowered, lower
from qsim.errors import ParameterError
from qsim.gates import GATES, GateRow, Structure
from qsim.kernels import bind as binding
from qsim.kernels import merge as merging
from qsim.kernels import opcodes as oc
from qsim.kernels.passes import deposit_table
from qsim.parameters import Expression

Floats = npt.NDArray[np.float64]

#: 2**14 complex128 amplitudes are 256 KiB: half of a 512 KiB cache of level 2. Measured again by the benchmarks.
DEFAULT_TILE_BITS = 14


@dataclass(frozen=True)
class Pass:
    """One pass over memory: a tile's positions, how it is gathered and scattered, and its operations."""

    tile_bits: int
    run_bits: int
    addresses: Ints
    outer: Ints
    permuted: bool
    source_low: npt.NDArray[np.uint64]
    source_high: Ints
    ops: Ints
    bits: Ints

    @property
    def num_tiles(self) -> int:
        """How many tiles make up the state."""
        return 1 << len(self.outer)


@dataclass(frozen=True)
class Binding:
    """How coefficients follow from parameters: symbolic values as postfix programs, and the parametric operations.

    See `qsim.kernels.bind.bind` for what each array means.
    """

    values: Floats
    template: Floats
    slots: Ints
    codes_at: Ints
    codes: Ints
    arguments: Floats
    formulas: Ints
    first_value: Ints
    offsets: Ints
    entries: Ints
    free: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Program:
    """A compiled circuit. `bind` gives the coefficients for one set of parameter values."""

    num_qubits: int
    passes: tuple[Pass, ...]
    dense_rows: int
    binding: Binding
    plain: Operations
    merges: Merges

    def bind(self, parameters: Floats) -> tuple[Floats, complex]:
        """Coefficients of all operations and the global factor, for one row of parameter values."""
        b = self.binding
        values, out = b.values.copy(), b.template.copy()
        phase = binding.bind(
            values, b.slots, b.codes_at, b.codes, b.arguments, parameters, np.empty(64 + len(b.codes)), SHAPES, FACTORS,
            b.formulas, b.first_value, b.offsets, b.entries, b.free, out,
        )  # fmt: skip
        if len(b.slots) and not np.isfinite(values[b.slots]).all():
            raise ParameterError(
                "An angle of the circuit is not a finite number for these parameter values (a division by zero, or a "
                "function outside its domain). Check the expressions and the values."
            )
        plain, merges = self.plain, self.merges
        if len(merges.targets):
            phase *= merging.merge(
                plain.kinds, plain.counts, plain.controls, plain.control_values, plain.offsets, merges.targets,
                merges.kinds, merges.offsets, merges.first, merges.members, merges.places, out,
            )  # fmt: skip
        return out, complex(phase)

    @property
    def num_operations(self) -> int:
        """Operations that are executed, over all passes."""
        return sum(len(part.ops) for part in self.passes)


@dataclass(frozen=True)
class _Tables:
    """Per gate code: kind, formula, the gate's own controls, coefficients of parametric gates, and the constants."""

    kinds: Ints
    formulas: Ints
    controls: Ints
    sizes: Ints
    constant_at: Ints
    constants: Floats


@cache
def _tables() -> _Tables:
    count = len(GATES)
    kinds, formulas, sizes, constant_at = (np.zeros(count, np.int64) for _ in range(4))
    controls = np.zeros(count, np.int64)
    constants: list[Floats] = [np.zeros(2)]  # the coefficients of an absent parameter: where a global phase is put
    used = 2
    for row in GATES.values():
        kinds[row.code], targets = _kind(row), row.num_qubits - row.controls
        controls[row.code] = row.controls
        formulas[row.code] = FORMULAS.get(row.name, FIXED)
        entries = (1 << targets) if kinds[row.code] == oc.DIAGONAL else 1 << (2 * targets)
        if formulas[row.code] != FIXED:
            sizes[row.code] = 2 * entries
        else:
            matrix = row.base_matrix(*[0.0] * row.num_params)
            constant_at[row.code] = used
            constants.append(_pairs(np.diagonal(matrix) if kinds[row.code] == oc.DIAGONAL else matrix))
            used += 2 * entries
    return _Tables(kinds, formulas, controls, sizes, constant_at, np.concatenate(constants))


def _kind(row: GateRow) -> int:
    targets = row.num_qubits - row.controls
    base = {"cx": "x", "ccx": "x", "c3x": "x", "c4x": "x", "cswap": "swap"}.get(row.name, row.name)
    if row.structure & Structure.DIAGONAL:
        return oc.DIAGONAL
    if base in ("x", "swap"):
        return oc.FLIP if base == "x" else oc.SWAP
    if targets == 1:
        return oc.REAL1 if row.structure & Structure.REAL else oc.DENSE1
    return oc.DENSE


def _pairs(array: Any) -> Floats:
    return np.ascontiguousarray(array, dtype=np.complex128).reshape(-1).view(np.float64)


def _matrix_kind(matrix: Any) -> int:
    """The kernel for a given matrix, by its entries."""
    if not np.any(matrix - np.diag(np.diagonal(matrix))):
        return oc.DIAGONAL
    if len(matrix) > 2:
        return oc.DENSE
    if np.array_equal(matrix, [[0, 1], [1, 0]]):
        return oc.FLIP
    return oc.DENSE1 if np.any(matrix.imag) else oc.REAL1


def compile_circuit(
    circuit: Circuit,
    *,
    tile_bits: int | None = None,
    natural_start: bool = False,
    start: int = 0,
    stop: int | None = None,
) -> Program:
    """Compile the gates of a circuit (operations [start, stop) of it); the result is kept on the circuit.

    natural_start: the initial state is given, qubit q as bit q; else it is |0...0>, which has no order.
    """
    key = (len(circuit), tile_bits, natural_start, start, stop)
    program = circuit._compiled.get(key)
    if program is None:
        program = _compile(lower(circuit, start, stop), circuit, tile_bits or DEFAULT_TILE_BITS, natural_start)
        circuit._compiled[key] = program
    assert isinstance(program, Program)
    return program


def _compile(lowered: Lowered, circuit: Circuit, tile_bits: int, natural_start: bool) -> Program:
    tables = _tables()
    rows, operands = _without_controlled_swaps(lowered.rows, lowered.operands, tables)
    codes, starts, counts = rows[:, 0], rows[:, 1].copy(), rows[:, 2].copy()
    is_matrix = codes == MATRIX
    table_codes = np.where(is_matrix, 0, codes)
    kinds, formulas = tables.kinds[table_codes], tables.formulas[table_codes]
    own = np.where(is_matrix, 0, tables.controls[table_codes])
    controls = rows[:, 4] + own
    control_values = rows[:, 5] | (((1 << own) - 1) << rows[:, 4])
    sizes = np.where(is_matrix, 0, tables.sizes[table_codes])
    offsets = len(tables.constants) + np.cumsum(sizes) - sizes
    offsets = np.where(formulas == FIXED, tables.constant_at[table_codes], offsets)
    template = np.concatenate([tables.constants, np.zeros(int(sizes.sum()))])
    if is_matrix.any():
        formulas[is_matrix] = FIXED
        extra, used = [template], len(template)
        matrix_at: dict[int, tuple[int, int]] = {}
        for k in np.flatnonzero(is_matrix):
            index = int(rows[k, 3])
            if index not in matrix_at:
                matrix = lowered.matrices[index]
                kind = _matrix_kind(matrix)
                matrix_at[index] = (used, kind)
                extra.append(_pairs(np.diagonal(matrix) if kind == oc.DIAGONAL else matrix))
                used += len(extra[-1])
            offsets[k], kinds[k] = matrix_at[index]
        template = np.concatenate(extra)
    wires = np.arange(max(circuit.num_qubits, 1), dtype=np.int64)
    operands = operands.copy()
    schedule.relabel(kinds, starts, counts, operands, wires)
    plain = Operations(kinds, starts, counts, controls, control_values, operands, offsets)
    merged, merges = fuse(plain, len(wires), len(template))
    passes, dense_rows = _plan(circuit.num_qubits, merged, wires, tile_bits, natural_start)
    binding = _binding(lowered, circuit, rows, plain, formulas, _extended(template, merges))
    return Program(circuit.num_qubits, passes, dense_rows, binding, plain, merges)


def _extended(template: Floats, merges: Merges) -> Floats:
    """Room for the coefficients of merged operations after all others."""
    size = 32 if not len(merges.offsets) else int(merges.offsets[-1]) + 32 - len(template)
    return np.concatenate([template, np.zeros(size)])


def _without_controlled_swaps(rows: Ints, operands: Ints, tables: _Tables) -> tuple[Ints, Ints]:
    """A SWAP under controls is three X: on the second by the first, back under all controls, and again."""
    swaps = np.flatnonzero(
        (rows[:, 0] == GATES["cswap"].code) | ((rows[:, 0] == GATES["swap"].code) & (rows[:, 4] > 0))
    )
    if not len(swaps):
        return rows, operands
    x, own_controls = GATES["x"].code, tables.controls
    pieces, more, used, begin = [], [operands], len(operands), 0
    for k in swaps.tolist():
        code, first, count, _, extra, bits = rows[k].tolist()
        own = int(own_controls[code])
        bits |= ((1 << own) - 1) << extra
        *outer, a, b = operands[first : first + count].tolist()
        bits |= 1 << (count - 2)
        inner = [[x, used, 2, 0, 1, 1], [x, used + 2, count, 0, count - 1, bits], [x, used + 2 + count, 2, 0, 1, 1]]
        more.append(np.array([b, a, *outer, a, b, b, a], dtype=np.int64))  # rows never share operands
        used += count + 4
        pieces += [rows[begin:k], np.array(inner, dtype=np.int64)]
        begin = k + 1
    return np.concatenate([*pieces, rows[begin:]]).reshape(-1, ROW), np.concatenate(more)


def _binding(
    lowered: Lowered, circuit: Circuit, rows: Ints, plain: Operations, formulas: Ints, template: Floats
) -> Binding:
    phase = lowered.phase
    last = len(lowered.values)
    # A formula reads four values, of which a gate has some: zeros behind the last.
    values = np.concatenate([lowered.values, [0.0 if isinstance(phase, Expression) else phase], np.zeros(4)])
    expressions = dict(lowered.expressions)
    if isinstance(phase, Expression):
        expressions[last] = phase
    columns = {parameter.name: k for k, parameter in enumerate(circuit.parameters)}
    programs = [expression.postfix(columns) for expression in expressions.values()]
    codes_at = np.cumsum([0, *[len(program) for program in programs]])
    flat = [entry for program in programs for entry in program]
    dynamic = np.flatnonzero(formulas != FIXED)
    entries = 1 << (plain.counts[dynamic] - plain.controls[dynamic])
    free = (plain.kinds[dynamic] == oc.DIAGONAL) & (plain.controls[dynamic] == 0)
    # The circuit's own phase is one more operation, whose coefficients (at 0) nothing reads.
    return Binding(
        values, template, np.array(list(expressions), dtype=np.int64), codes_at.astype(np.int64),
        np.array([code for code, _ in flat], dtype=np.int64),
        np.array([argument for _, argument in flat], dtype=np.float64),
        np.append(formulas[dynamic], GPHASE), np.append(rows[dynamic, 3], last), np.append(plain.offsets[dynamic], 0),
        np.append(entries, 1), np.append(free, True),
    )  # fmt: skip


def _plan(
    num_qubits: int, ops: Operations, wires: Ints, tile_bits: int, natural_start: bool
) -> tuple[tuple[Pass, ...], int]:
    """Passes for the given operations; `wires` maps each qubit to the wire that holds it at the end."""
    total, n = len(ops.kinds), max(num_qubits, 1)
    lanes = min(oc.LANE_BITS, max(tile_bits - 2, 1))
    order, ends, sets = np.empty((3, total + 1), np.int64)
    count, t, most = schedule.group_all(
        ops.kinds, ops.starts, ops.counts, ops.controls, ops.operands, n, tile_bits, lanes, _search_effort(n, total),
        order, ends, sets,
    )  # fmt: skip
    lanes = lanes if t < n else 0
    goal = np.empty(n, np.int64)
    goal[wires] = np.arange(n)
    room = count + n + 2  # each pass that only moves wires brings at least one home
    layouts, tiles = np.empty((room + 1, n), np.int64), np.empty((room, t), np.int64)
    last_ops = np.empty(room, np.int64)
    records = np.zeros((total, oc.RECORD), np.int64)
    bits = np.empty(2 * int(ops.counts.sum()) + 1, np.int64)
    done = schedule.lay_out(
        ops.kinds, ops.starts, ops.counts, ops.controls, ops.control_values, ops.operands, ops.offsets, order, ends,
        sets, count, natural_start, lanes, goal, layouts, tiles, last_ops, records, bits,
    )  # fmt: skip
    first = 0
    passes = []
    for p in range(done):
        passes.append(_pass(n, tiles[p], layouts[p], layouts[p + 1], records[first : last_ops[p]], bits))
        first = last_ops[p]
    return tuple(passes), 1 << max(most, 1)


def _search_effort(num_wires: int, total: int) -> int:
    """Operations that the scheduler may look at for one pass: a small part of what the pass costs to run."""
    return min(1 << max(num_wires - 5, 0), 400_000, 40_000_000 // max(total, 1))


def _pass(num_wires: int, tile: Ints, before: Ints, after: Ints, records: Ints, bits: Ints) -> Pass:
    t = len(tile)
    run_bits = int(np.argmin(np.append(tile == np.arange(t), False)))
    inside = np.zeros(num_wires, dtype=bool)
    inside[tile] = True
    addresses = deposit_table(t - run_bits, tile[run_bits:])
    # Tile bit that goes to tile bit j: both seen through the wire that moves.
    wire_after = np.argsort(after)[tile]
    source = np.searchsorted(tile, before[wire_after])
    permuted = bool((source != np.arange(t)).any())
    empty = np.zeros(0, np.int64)
    return Pass(
        t, run_bits, addresses, np.flatnonzero(~inside), permuted,
        # Unsigned, so that indexing need not look for negative numbers.
        (deposit_table(run_bits, source[:run_bits]) if permuted else empty).astype(np.uint64),
        deposit_table(t - run_bits, source[run_bits:]) if permuted else empty,
        records, bits,
    )  # fmt: skip


def compile_binding_kernels() -> None:
    """Compile what `Program.bind` runs, without a program."""
    ints, one, floats = np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0)
    binding.bind(
        floats, ints, one, ints, floats, floats, floats, SHAPES, FACTORS, ints, ints, ints, ints, np.zeros(0, np.bool_), floats
    )  # fmt: skip
    merging.merge(ints, ints, ints, ints, ints, ints, ints, ints, one, ints, ints, floats)

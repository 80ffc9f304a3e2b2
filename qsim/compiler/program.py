"""`Program`: a compiled circuit as flat arrays, ready to be bound to parameter values and run.

The structure (which operation, in which pass, on which bits of a tile) does not depend on parameter values, so a
program is compiled once and bound as often as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, MEASURE, ROW, Circuit
from qsim.compiler import peephole
from qsim.compiler.direct import DIRECT_NUMBERS, run_rows
from qsim.compiler.formulas import FACTORS, FIXED, FORMULAS, GPHASE, SHAPES
from qsim.compiler.fusion import COSTS
from qsim.compiler.idle import drop_idle
from qsim.compiler.lowering import MATRIX, Lowered, lower
from qsim.compiler.plan import plan
from qsim.compiler.thin import Thin, thin_state
from qsim.errors import ParameterError
from qsim.gates import GATES, GateRow, Structure
from qsim.kernels import opcodes as oc
from qsim.kernels.run import run
from qsim.parameters import Expression, Parameter, Value
from qsim.workspace import borrow, give_back

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NO_INTS = np.zeros(0, np.int64)

#: Tiles of 512 KiB, as much as a cache of level 2: 2**15 amplitudes in double and 2**16 in single precision. Half of
#: that was up to a fifth slower, since there are more passes.
_MOST_TILE_BITS = {8: 15, 4: 16}
#: States of up to so many qubits are one tile for each thread, if there are several states.
SINGLE_TILE_QUBITS = 14
#: States of so many qubits are one tile that several threads work on; the next larger ones have at least two. On 14 qubits
#: planning took longer than it saved.
_WHOLE_QUBITS = range(15, 18)


#: Nanoseconds: saved for each byte of the state by an operation whose parts two threads share; what begins late at first; what
#: waiting costs.
_SAVED_BY_SHARING, _BEGINNING, _WAITING = 0.0034, 40_000, 1_000
#: Numbers in a column of a matrix on two targets.
_LARGE_COLUMN = 8


def default_tile_bits(num_qubits: int, real: Any) -> int:
    """The size of tiles, on which results may depend by rounding: the same whatever the number of threads."""
    if num_qubits < _WHOLE_QUBITS.start:
        return num_qubits + 1  # a tile without lanes
    most = _MOST_TILE_BITS[np.dtype(real).itemsize]
    return num_qubits if num_qubits < _WHOLE_QUBITS.stop else min(num_qubits - 1, most)


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled circuit. `bind` gives the coefficients for one set of parameter values.

    Attributes:
        num_qubits: of the circuit.
        ints: the sections named IN_... in `qsim.kernels.opcodes`; entries 2 k and 2 k + 1 are where section k begins and
            how long it is. First how coefficients follow from parameters (symbolic values as postfix programs, parametric
            operations, products of merged ones, the forms of 2 x 2 matrices), then the passes: their records, the
            positions of their tiles, where each bit of a tile comes from when it is written back, the operations' records,
            and the lists of bits that these point to.
        values: numbers of the circuit's gates; symbolic ones are filled in.
        template: coefficients, with those of gates without parameters in place.
        arguments: of the postfix programs.
        num_passes, tile_bits, column_numbers, workspace_numbers: what running needs to know.
        writes_all: whether the passes write every amplitude.
        bound: what `bind` gave without parameters, by type of number.
    """

    num_qubits: int
    ints: Ints
    values: Floats
    template: Floats
    arguments: Floats
    num_passes: int
    tile_bits: int
    column_numbers: int
    workspace_numbers: int
    writes_all: bool
    bound: dict[Any, tuple[npt.NDArray[Any], complex]] = field(default_factory=dict)

    def run(
        self, state: npt.NDArray[Any], rows: Floats, first: int, last: int, num_passes: int, number: int, start: int,
        stop: int, coefficients: npt.NDArray[Any], phase: complex, workspace: npt.NDArray[Any], shared: Ints = _NO_INTS,
    ) -> tuple[complex, int]:  # fmt: skip
        """`qsim.kernels.run.run` on this program; `rows` are parameter values, flat."""
        width = len(rows) // max(last, 1)
        result: tuple[complex, int] = run(
            state, self.ints, self.values, self.template, self.arguments, SHAPES, FACTORS, rows, first, width, last,
            self.num_qubits, self.tile_bits, num_passes, number, start, stop, coefficients, phase, workspace,
            self.column_numbers, shared,
        )  # fmt: skip
        if result[1] >= 0:
            raise ParameterError(
                "An angle of the circuit is not a finite number for these parameter values (a division by zero, or a "
                "function outside its domain). Check the expressions and the values."
            )
        return result

    def run_whole(
        self, state: npt.NDArray[Any], thread: int, threads: int, first: int, last: int, coefficients: npt.NDArray[Any],
        phase: complex, workspaces: npt.NDArray[Any], shared: Ints,
    ) -> None:  # fmt: skip
        """Passes [first, last) of a program with one tile as one of several threads; see `qsim.kernels.whole`."""
        run(
            state, self.ints, self.values, self.template, self.arguments, SHAPES, FACTORS, _NO_FLOATS, 0, threads, 0,
            self.num_qubits, self.tile_bits, self.num_passes, thread, first, last, coefficients, phase, workspaces,
            self.column_numbers, shared,
        )  # fmt: skip

    @cached_property
    def is_whole(self) -> bool:
        """Whether the one tile is the whole state, laid out so that threads can share it."""
        return self.num_passes > 0 and bool(self.section(oc.IN_PASSES)[oc.PASS_FLAGS] & oc.SHARED)

    def worth_sharing(self, bytes_of_state: int) -> bool:
        """Whether threads that share the one tile save time.

        They halve what stays in parts of the tile. For any other operation they wait for each other, and what one of
        them has just written is not in the other's cache, so that next to nothing is gained.
        """
        inside, apart = self.shared_operations
        return inside * bytes_of_state * _SAVED_BY_SHARING > _BEGINNING + apart * _WAITING

    @cached_property
    def shared_operations(self) -> tuple[int, int]:
        """Operations on the whole tile that stay in its parts, and those that do not."""
        rows = self.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD)
        rows = rows[rows[:, oc.PASS_BITS] == self.tile_bits]
        apart = int(rows[:, oc.PASS_APART].sum())
        return int((rows[:, oc.OPS_TO] - rows[:, oc.OPS_FROM]).sum()) - apart, apart

    def bind(self, parameters: Floats, dtype: Any = np.float64) -> tuple[npt.NDArray[Any], complex]:
        """Coefficients of all operations, as numbers of this type, and the global factor; not to be written to."""
        fixed = not len(parameters)
        if fixed and dtype in self.bound:
            return self.bound[dtype]
        out = np.empty(len(self.template), dtype=dtype)
        nothing = out[:0]
        result = out, self.run(nothing, parameters, 0, 1, 0, 0, 0, 0, out, 1 + 0j, nothing)[0]
        if fixed:
            self.bound[dtype] = result
        return result

    def section(self, number: int) -> Ints:
        """One of the arrays in `ints`."""
        start, length = self.ints[2 * number : 2 * number + 2]
        return self.ints[start : start + length]

    @property
    def num_operations(self) -> int:
        """Operations that are executed, over all passes."""
        return len(self.section(oc.IN_OPS)) // oc.RECORD

    def num_operations_of(self, number: int) -> int:
        """Operations of pass `number`."""
        first, last = self.section(oc.IN_PASSES)[oc.PASS_RECORD * number :][[oc.OPS_FROM, oc.OPS_TO]].tolist()
        return int(last - first)

    @property
    def flops_per_amplitude(self) -> float:
        """Real multiply-adds that the operations take for each amplitude of the state, on average."""
        total = 0.0
        for op in self.section(oc.IN_OPS).reshape(-1, oc.RECORD).tolist():
            kind, targets, fixed = op[oc.KIND], op[oc.TARGETS], op[oc.FIXED_COUNT]
            if kind == oc.REALS:
                total += 2 * fixed
            elif kind == oc.PHASES:
                total += 8
            elif kind in (oc.REAL1, oc.DENSE1, oc.DENSE):
                controls = max(fixed - targets, 0) + op[oc.OUTER_MASK].bit_count()
                total += (4 if kind == oc.REAL1 else 4 << targets) / (1 << controls)
            elif kind == oc.DIAGONAL:
                total += 4 / (1 << max(fixed, 1))
        return total

    @cached_property
    def nanoseconds(self) -> list[float]:
        """A rough estimate of what each pass takes on one thread."""
        rows = self.section(oc.IN_PASSES).reshape(-1, oc.PASS_RECORD)
        each = 0.3 * (rows[:, oc.OPS_TO] - rows[:, oc.OPS_FROM])
        if self.column_numbers > _LARGE_COLUMN:  # these are multiplied amplitude by amplitude
            ops = self.section(oc.IN_OPS).reshape(-1, oc.RECORD)
            large = (ops[:, oc.KIND] == oc.DENSE) & (ops[:, oc.TARGETS] > 2)
            columns = np.concatenate([[0], np.cumsum(large * (1 << (ops[:, oc.TARGETS] & 15)))])
            each += columns[rows[:, oc.OPS_TO]] - columns[rows[:, oc.OPS_FROM]]
        return [
            (tiles << self.tile_bits) * (2 + of_operations)
            for tiles, of_operations in zip(self.tiles_of_passes, each.tolist(), strict=True)
        ]

    @cached_property
    def tiles_of_passes(self) -> list[int]:
        """Tiles that each pass visits: those that may hold something."""
        support = self.section(oc.IN_PASSES)[oc.PASS_SUPPORT :: oc.PASS_RECORD]
        inside = (1 << self.section(oc.IN_TILES).reshape(-1, self.tile_bits)).sum(axis=1)
        return [1 << outside.bit_count() for outside in (support & ~inside).tolist()]

    def num_tiles(self, number: int) -> int:
        """Tiles that pass `number` visits."""
        return self.tiles_of_passes[number]


@dataclass(frozen=True)
class _Tables:
    """Per gate code: see the columns in `qsim.compiler.plan`; and the coefficients of gates without parameters."""

    gates: Ints
    constants: Floats


@cache
def _tables() -> _Tables:
    gates = np.zeros((len(GATES), 6), np.int64)
    constants: list[Floats] = [np.zeros(2)]  # the coefficients of an absent parameter: where a global phase is put
    used = 2
    for row in GATES.values():
        kind, diagonal_pair = _kind(row), row.structure & Structure.DIAGONAL and row.num_qubits == 2
        controls = 0 if diagonal_pair else row.controls
        targets = row.num_qubits - controls
        formula = FORMULAS.get(row.name, FIXED)
        entries = (1 << targets) if kind == oc.DIAGONAL else 1 << (2 * targets)
        controlled = GATES.get("c" + row.name) if row.num_qubits == 1 and kind == oc.DIAGONAL else None
        gates[row.code] = kind, formula, controls, 0, 0, -1 if controlled is None else controlled.code
        if formula != FIXED:
            gates[row.code, 3] = 2 * entries
            continue
        matrix = row.base_matrix(*[0.0] * row.num_params)
        if kind == oc.DIAGONAL:
            matrix = np.diagonal(matrix)
            if diagonal_pair and row.controls:
                matrix = np.array([1, matrix[0], 1, matrix[1]])
        gates[row.code, 4] = used
        constants.append(_pairs(matrix))
        used += len(constants[-1])
    return _Tables(gates, np.concatenate(constants))


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
    dtype: Any = np.complex128,
    tile_bits: int | None = None,
    natural_start: bool = False,
    start: int = 0,
    stop: int | None = None,
) -> Program:
    """Compile the gates of a circuit (operations [start, stop) of it); the result is kept on the circuit.

    dtype: of the amplitudes; it decides about the size of tiles if `tile_bits` does not.
    natural_start: the initial state is given, qubit q as bit q; else it is |0...0>, which has no order.
    """
    tile_bits = tile_bits or default_tile_bits(circuit.num_qubits, np.float64 if dtype == np.complex128 else np.float32)
    key = (len(circuit), tile_bits, natural_start, start, stop)
    program = circuit._compiled.get(key)
    if program is None:
        whole = start == 0 and stop is None and not natural_start
        simple = circuit._compiled.pop(("simple", len(circuit)), None) if whole else None
        if simple is None:
            simple = _simplify(lower(circuit, start, stop), circuit.num_qubits, natural_start)
        program = _compile(simple, circuit.num_qubits, circuit.parameters, tile_bits, natural_start)
        circuit._compiled[key] = program
    assert isinstance(program, Program)
    return program


def compile_lowered(
    lowered: Lowered, num_qubits: int, parameters: Sequence[Parameter], *, dtype: Any, tile_bits: int | None = None,
    natural_start: bool = True,
) -> Program:  # fmt: skip
    """Compile lowered rows on `num_qubits` qubits, bound to values in the order of `parameters`; nothing is kept."""
    tile_bits = tile_bits or default_tile_bits(num_qubits, np.float64 if dtype == np.complex128 else np.float32)
    return _compile(_simplify(lowered, num_qubits, natural_start), num_qubits, parameters, tile_bits, natural_start)


def compile_thin(circuit: Circuit) -> Thin | None:
    """The final state of a circuit without parameters, if it is thin from beginning to end; this is kept on the circuit."""
    key = ("thin", len(circuit))
    compiled: dict[Any, Any] = circuit._compiled
    if key not in compiled:
        n, gates = circuit._num_qubits, _tables().gates
        if not (circuit._objects or circuit._expressions or isinstance(circuit._global_phase, Expression)):
            # The circuit's own columns: nobody can extend them, and so move them, meanwhile.
            rows, operands, values = (
                np.asarray(memoryview(column)) for column in (circuit._rows, circuit._operands, circuit._values)
            )
            columns = Lowered(rows.reshape(-1, ROW), operands, values)
            compiled[key] = thin_state(columns, n, gates, _tables().constants, _NO_MATRICES, circuit._global_phase)
        else:
            simple, thin = _simplify(lower(circuit), n, False), None
            lowered, phase = simple.lowered, simple.phase
            if not lowered.expressions and not isinstance(phase, Expression):
                thin = thin_state(lowered, n, gates, simple.constants, simple.matrices, phase)
            compiled[key] = thin
            if thin is None:
                compiled["simple", len(circuit)] = simple  # for `compile_circuit`, which comes next
    found: Thin | None = compiled[key]
    return found


#: Up to so many qubits planning takes longer than it saves, for this many gates times amplitudes.
DIRECT_QUBITS, _DIRECT_WORK = 13, 1 << 24


@cache
def _shared_integers() -> Ints:
    """What `run_rows` has to know of all circuits, as sections; see `qsim.compiler.direct`."""
    codes = np.array([MEASURE, BARRIER, DELAY, *(GATES[name].code for name in ("swap", "cswap"))], dtype=np.int64)
    parts = [codes, _tables().gates.reshape(-1), SHAPES.reshape(-1)]
    ends = np.cumsum([2 * len(parts), *(len(part) for part in parts)])
    heads = [(int(end), len(part)) for end, part in zip(ends[:-1], parts, strict=True)]
    return np.concatenate([np.array(heads, dtype=np.int64).reshape(-1), *parts])


def run_directly(circuit: Circuit, dtype: Any) -> npt.NDArray[Any] | None:
    """The state of a small circuit of plain gates and final measurements, without parameters; None if it is another."""
    n, rows, phase = circuit._num_qubits, circuit._rows, circuit._global_phase
    if not 0 < n <= DIRECT_QUBITS or circuit._expressions or isinstance(phase, Expression):
        return None
    if len(rows) << n > ROW * _DIRECT_WORK:
        return None
    operands, values = circuit._operands, circuit._values
    state, real = np.empty(1 << n, dtype=dtype), np.float64 if dtype == np.complex128 else np.float32
    workspace = borrow(real, (2 << max(n, oc.LANE_BITS)) + DIRECT_NUMBERS)
    # The views keep another thread from extending the columns, and so moving them, meanwhile.
    with memoryview(rows), memoryview(operands), memoryview(values):
        done = run_rows(
            *rows.buffer_info(), *operands.buffer_info(), *values.buffer_info(), _shared_integers(), FACTORS,
            _tables().constants, n, phase, _DIRECT_WORK, workspace, state.view(real),
        )  # fmt: skip
    give_back(workspace)
    return state if done else None


_NO_FLOATS, _ONE_ZERO = np.zeros(0), np.zeros(1, np.int64)
_NO_MATRICES = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class _Simple:
    """Lowered rows after the peephole steps, with constants, given matrices (kind and place each) and the global phase."""

    lowered: Lowered
    constants: Floats
    matrices: Ints
    phase: Value


def _simplify(lowered: Lowered, num_qubits: int, natural_start: bool) -> _Simple:
    if not natural_start:
        drop_idle(lowered, num_qubits)
    peephole.simplify(lowered, num_qubits)
    if not lowered.matrices:
        return _Simple(lowered, _tables().constants, _NO_MATRICES, lowered.phase)
    constants, matrices, extra = _given_matrices(lowered)
    return _Simple(lowered, constants, matrices, lowered.phase + extra)


def _compile(
    simple: _Simple, num_qubits: int, parameters: Sequence[Parameter], tile_bits: int, natural_start: bool
) -> Program:
    tables, lowered, phase = _tables(), simple.lowered, simple.phase
    constants, matrices = simple.constants, simple.matrices
    last = len(lowered.values)
    # A formula reads four values, of which a gate has some: zeros behind the last.
    values = np.zeros(last + 5)
    values[:last] = lowered.values
    expressions: dict[int, Expression] = lowered.expressions
    if isinstance(phase, Expression):
        expressions = expressions | {last: phase}
    else:
        values[last] = phase
    slots, codes_at, codes, arguments = _NO_INTS, _ONE_ZERO, _NO_INTS, _NO_FLOATS
    if expressions:
        slots, codes_at, codes, arguments = postfix(expressions, parameters)
    ints, passes, t, column_numbers, workspace_numbers, size, written = plan(
        lowered.rows, lowered.operands, num_qubits, tables.gates, matrices, MATRIX, GATES["cswap"].code,
        GATES["swap"].code, GATES["x"].code, len(constants), COSTS, slots, codes_at, codes, GPHASE, last, tile_bits,
        natural_start,
    )  # fmt: skip
    template = np.zeros(size)
    template[: len(constants)] = constants
    return Program(
        num_qubits, ints, values, template, arguments, passes, t, column_numbers, workspace_numbers,
        written + 1 == 1 << max(num_qubits, 1),
    )  # fmt: skip


def postfix(expressions: dict[int, Expression], parameters: Sequence[Parameter]) -> tuple[Ints, Ints, Ints, Floats]:
    """Symbolic values as postfix programs: whose they are, where each begins, and their codes and arguments."""
    columns = {parameter.name: k for k, parameter in enumerate(parameters)}
    programs = [expression.postfix(columns) for expression in expressions.values()]
    flat = [entry for program in programs for entry in program]
    return (
        np.array(list(expressions), dtype=np.int64),
        np.cumsum([0, *[len(program) for program in programs]]).astype(np.int64),
        np.array([code for code, _ in flat], dtype=np.int64),
        np.array([argument for _, argument in flat], dtype=np.float64),
    )


def _given_matrices(lowered: Lowered) -> tuple[Floats, Ints, float]:
    """Constants with those of given matrices, each matrix's kind and place among them, and a global phase.

    A diagonal matrix without controls is divided by its first entry, so that half of its work, or more, is none.
    """
    pieces, table = [_tables().constants], np.zeros((len(lowered.matrices), 2), np.int64)
    used, extra = len(pieces[0]), 0.0
    place: dict[tuple[int, bool], tuple[int, int, float]] = {}
    for row in np.flatnonzero(lowered.rows[:, 0] == MATRIX):
        index, free = int(lowered.rows[row, 3]), lowered.rows[row, 4] == 0
        matrix = lowered.matrices[index]
        key = (id(matrix), bool(free))
        if key not in place:
            kind, angle = _matrix_kind(matrix), 0.0
            if kind == oc.DIAGONAL:
                matrix = np.diagonal(matrix)
                if free:
                    angle = float(np.angle(matrix[0]))
                    matrix = matrix / matrix[0]
            place[key] = kind, used, angle
            pieces.append(_pairs(matrix))
            used += len(pieces[-1])
        table[index] = place[key][:2]
        extra += place[key][2]
    return np.concatenate(pieces), table, extra


def compile_kernels(real: Any) -> None:
    """Compile what running takes, for this type of number, without a program."""
    numbers, sections = np.zeros(0, real), np.zeros(2 * oc.SECTIONS, np.int64)
    run(
        numbers, sections, _NO_FLOATS, _NO_FLOATS, _NO_FLOATS, SHAPES, FACTORS, _NO_FLOATS, 0, 0, 0, 1, 1, 0, 0, 0, 0,
        numbers, 1 + 0j, np.zeros(1 << 12, real), 4, _NO_INTS,
    )  # fmt: skip

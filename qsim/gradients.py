"""Gradients of expectation values by the adjoint method, in one sweep back through the circuit.

E = <psi|O|psi> for psi = U_m ... U_1 |0>. With lambda = O psi both states are taken back gate by gate, and
dE/dp = 2 Re <lambda| dU_k/dp |psi before U_k> (Jones and Gacon, arXiv:2009.02823). Here not gate by gate: the circuit is
cut into *segments* such that all its parametric gates can be read off at the segment's end, from small transition
matrices of lambda and psi. Gates on one or two qubits after which only gates on the same qubits follow in the segment
form a *cluster* with one such matrix; diagonal gates after which only diagonal ones follow need a diagonal each. A
segment's inverse then runs as one compiled program on both states at once, as one state with one more qubit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.formulas import FACTORS, FORMULAS, SHAPES
from qsim.compiler.lowering import MATRIX, Lowered, inverse, lower
from qsim.compiler.program import SINGLE_TILE_QUBITS, Program, compile_lowered, postfix
from qsim.errors import ParameterError
from qsim.gates import GateRow, Structure, row_by_code
from qsim.kernels import gradients as kernels
from qsim.kernels import operators
from qsim.kernels.opcodes import LANE_BITS
from qsim.kernels.readout import BLOCK_BITS
from qsim.kernels.transitions import TILE_BITS, qubit_sums
from qsim.linalg import controlled_matrix
from qsim.observable import terms_to_apply
from qsim.parameters import Parameter
from qsim.pauli import SparsePauliOp
from qsim.pool import Share, part, report, run_shares
from qsim.state import copy_into, evolve, room_for, touch
from qsim.workspace import rooms

Array = npt.NDArray[Any]
_NO_BIT = 63
_NO_ROWS = np.zeros(0)
#: Blocks of the sums over other items.
_ITEM_BITS = 12
#: Amplitudes of both states up to which a program is bound and run in one call, on one thread.
_ONE_CALL = 1 << 14
#: Amplitudes from which a second thread pays.
_WORTH_A_THREAD = 1 << 15


@dataclass
class _Cluster:
    """Gates on the same one or two qubits, last gate first, and the controls that all of them have."""

    qubits: tuple[int, ...]
    gates: list[tuple[int, ...]] = field(default_factory=list)
    mask: int = 0
    value: int = 0
    parametric: bool = False


@dataclass(frozen=True, eq=False)
class _Tiles:
    """One sweep of `qubit_sums`: the positions of a tile's bits and of the others, and where its results go."""

    positions: Array
    others: Array
    wanted: Array
    items: Array


@dataclass(frozen=True, eq=False)
class _Segment:
    """What is read at the end of a segment, and the program that takes both states to its beginning."""

    tiles: list[_Tiles]
    clusters: list[tuple[int, Array, int, int]]
    diagonals: Array
    first_diagonal: int
    inverse: Program | None


@dataclass(frozen=True, eq=False)
class Plan:
    """A circuit's segments, last one first, and how derivatives by parameters follow from what was read."""

    segments: list[_Segment]
    items: Array
    gates: Array
    diagonals: Array
    values: Array
    slots: Array
    codes_at: Array
    codes: Array
    arguments: Array
    matrices: Array
    num_parameters: int
    #: Whether a factor that both states share matters: it does where they are one rank's parts.
    keeps_phase: bool

    def gradient(self, parameters: Array, sums: Array, diagonal: Array) -> Array:
        """The derivatives by all parameters, from all items' sums."""
        result = np.zeros(self.num_parameters)
        kernels.slopes_of_values(
            self.items, self.gates, self.diagonals, self.values, self.slots, self.codes_at, self.codes, self.arguments,
            parameters, self.matrices, SHAPES, FACTORS, sums, diagonal, result,
        )  # fmt: skip
        if not np.isfinite(result).all():
            raise ParameterError(
                "A derivative of the circuit's angles is not a finite number for these parameter values (sqrt at 0, or "
                "arcsin at 1, say). Check the expressions and the values."
            )
        return result


def plan(circuit: Circuit, dtype: Any, tile_bits: int | None = None) -> Plan:
    """The circuit's plan for gradients, which is kept on it."""
    key = ("gradient", len(circuit), np.dtype(dtype).name, tile_bits)
    kept = circuit._compiled.get(key)
    if kept is None:
        planner = _Planner(lower(circuit), circuit.num_qubits, circuit.parameters, dtype, tile_bits)
        kept = circuit._compiled[key] = planner.plan()
    assert isinstance(kept, Plan)
    return kept


def plan_part(lowered: Lowered, num_qubits: int, parameters: Sequence[Parameter], dtype: Any) -> Plan:
    """The plan of rows in the middle of a circuit, which takes both states back to where the rows begin."""
    return _Planner(lowered, num_qubits, parameters, dtype, None).plan(whole=True)


def value_and_gradient(
    plan: Plan, state: Array, operator: SparsePauliOp, parameters: Array, threads: int
) -> tuple[float, Array]:
    """<psi|O|psi> and its derivatives by all parameters; `state` is psi, shape (2**n,), in natural order."""
    dtype, size = state.dtype.type, len(state)
    both = room_for(2 * state.nbytes, dtype, clear=False)
    copy_into(both[:size], state, threads)
    touch(both[size:], threads)
    flat = both.view(np.float64 if dtype == np.complex128 else np.float32)
    value = _apply(flat, size, operator, threads)
    return value, sweep_back(plan, both, parameters, threads)


def sweep_back(plan: Plan, both: Array, parameters: Array, threads: int) -> Array:
    """The derivatives by all parameters; `both` is psi and O psi, one behind the other, and is taken back."""
    size, steps = len(both) // 2, len(plan.segments) + 1
    flat = both.view(np.float64 if both.dtype == np.complex128 else np.float32)
    sums, diagonal = np.zeros((len(plan.items), 32)), np.zeros((len(plan.diagonals), 4))
    for number, segment in enumerate(plan.segments):
        report(number, steps)
        _read(segment, flat, size, threads, sums, diagonal)
        if segment.inverse is not None:
            with part(number, steps):
                _take_back(segment.inverse, flat, both, parameters, threads, plan.keeps_phase)
    result = plan.gradient(parameters, sums, diagonal)
    report(steps, steps)
    return result


def _take_back(program: Program, flat: Array, both: Array, parameters: Array, threads: int, keeps_phase: bool) -> None:
    """Run a segment's inverse on both states. Of a whole state a common global phase would not matter."""
    if 1 << program.num_qubits < len(both):
        phase = _take_back_each(program, flat, parameters, threads)
        if keeps_phase:
            both *= phase
        return
    if len(both) > _ONE_CALL or not program.num_passes:
        evolve(program, parameters, both.dtype.type, threads, both)
        return
    coefficients = np.empty(len(program.template), flat.dtype)
    with rooms(flat.dtype.type, program.workspace_numbers, 1) as (room,):
        phase, _ = program.run(flat, parameters, 0, 1, program.num_passes, 0, 0, -1, coefficients, 1 + 0j, room)
    if keeps_phase:
        both *= phase


def _take_back_each(program: Program, flat: Array, parameters: Array, threads: int) -> complex:
    """The same where each state is a tile of its own: a thread for each. Returns the factor that is yet to be applied."""
    coefficients, phase = program.bind(parameters, flat.dtype)
    with rooms(flat.dtype.type, program.workspace_numbers, 2) as workspaces:

        def share(_: int, start: int, stop: int) -> None:
            for k in range(start, stop):
                half = flat[k * len(flat) // 2 : (k + 1) * len(flat) // 2]
                for number in range(program.num_passes):
                    program.run(half, _NO_ROWS, 0, 0, 0, number, 0, 1, coefficients, 1 + 0j, workspaces[k])

        run_shares(share, 2, threads, chunk=1)
    return phase


def _threads(size: int, threads: int) -> int:
    return threads if size >= _WORTH_A_THREAD else 1


def _apply(flat: Array, size: int, operator: SparsePauliOp, threads: int) -> float:
    bits = min(size.bit_length() - 1, operators.BLOCK_BITS)
    terms, weights, spans = terms_to_apply(operator, bits)
    out = np.empty((size >> bits, 2))
    run_shares(
        lambda _, start, stop: operators.apply_operator(
            flat, 2 * size, bits, start, stop, terms, weights, spans, out
        ),
        len(out), _threads(size * max(len(weights), 1), threads), chunk=max(1, (1 << 12) // max(len(weights), 1)),
    )  # fmt: skip
    return float(out[:, 0].sum())


def _read(segment: _Segment, flat: Array, size: int, threads: int, sums: Array, diagonal: Array) -> None:
    """The sums of a segment's items, from both states."""
    threads = _threads(size, threads)
    for tiles in segment.tiles:
        out = np.empty((size >> len(tiles.positions), len(tiles.items), 8))
        run_shares(_qubit_share(flat, size, tiles, out), len(out), threads, chunk=16)
        sums[tiles.items, :8] = out[0] if len(out) == 1 else out.sum(axis=0)
    for item, targets, mask, value in segment.clusters:
        bits = min(size.bit_length() - 1 - len(targets), _ITEM_BITS)
        out = np.zeros((size >> len(targets) >> bits, 32))
        run_shares(_item_share(flat, size, targets, mask, value, bits, out), len(out), threads, chunk=16)
        sums[item] = out.sum(axis=0)
    if len(segment.diagonals):
        bits = min(size.bit_length() - 1, BLOCK_BITS)
        out = np.empty((size >> bits, len(segment.diagonals), 4))
        run_shares(
            lambda _, start, stop: kernels.diagonal_sums(flat, 2 * size, segment.diagonals, bits, start, stop, out),
            len(out), threads, chunk=max(1, 256 // len(segment.diagonals)),
        )  # fmt: skip
        first = segment.first_diagonal
        diagonal[first : first + len(segment.diagonals)] = out.sum(axis=0)


def _qubit_share(flat: Array, size: int, tiles: _Tiles, out: Array) -> Share:
    return lambda _, start, stop: qubit_sums(
        flat, 2 * size, tiles.positions, tiles.others, tiles.wanted, start, stop, out
    )


def _item_share(flat: Array, size: int, targets: Array, mask: int, value: int, bits: int, out: Array) -> Share:
    return lambda _, start, stop: kernels.item_sums(flat, 2 * size, targets, mask, value, bits, start, stop, out)


class _Planner:
    """Walks a circuit backwards and cuts it into segments."""

    def __init__(
        self, lowered: Lowered, num_qubits: int, parameters: Sequence[Parameter], dtype: Any, tile_bits: int | None
    ) -> None:
        self.lowered, self.num_qubits = lowered, num_qubits
        self.parameters, self.dtype, self.tile_bits = parameters, dtype, tile_bits
        self.segments: list[_Segment] = []
        self.items: list[tuple[int, int, int]] = []
        self.gates: list[tuple[int, ...]] = []
        self.diagonals: list[tuple[int, ...]] = []
        self.matrices: list[Array] = [np.zeros(0)]
        self.matrix_numbers = 0
        self._begin(len(self.lowered.rows))

    def plan(self, whole: bool = False) -> Plan:
        """Cut, and put what was found into arrays; `whole` goes back to the first gate, parametric or not."""
        rows = self.lowered.rows.tolist()
        symbolic = [self._is_symbolic(row) for row in rows]
        first = 0 if whole else symbolic.index(True) if any(symbolic) else len(rows)
        for at in range(len(rows) - 1, first - 1, -1):
            if not self._take(rows[at], symbolic[at]):
                self._end(at + 1, last=False)
                self._take(rows[at], symbolic[at])
        if first < len(rows):
            self._end(first, last=not whole)
        values = np.concatenate([self.lowered.values, np.zeros(5)])
        slots, codes_at, codes, arguments = postfix(self.lowered.expressions, self.parameters)
        return Plan(
            self.segments, _ints(self.items, kernels.ITEM), _ints(self.gates, kernels.GATE), _ints(self.diagonals, 4),
            values, slots, codes_at, codes, arguments, np.concatenate(self.matrices), len(self.parameters),
            whole,
        )  # fmt: skip

    def _is_symbolic(self, row: list[int]) -> bool:
        if row[0] == MATRIX or row_by_code(row[0]).name not in FORMULAS:
            return False
        first, count = row[3], row_by_code(row[0]).num_params
        return any(k in self.lowered.expressions for k in range(first, first + count))

    def _begin(self, stop: int) -> None:
        self.stop = stop
        self.clusters: list[_Cluster] = []
        self.cluster_of: dict[int, _Cluster] = {}
        #: Qubits that had a gate, one that is not diagonal, a diagonal one on several, one that ends what can be read.
        self.touched: set[int] = set()
        self.mixing: set[int] = set()
        self.coupled: set[int] = set()
        self.blocked: set[int] = set()
        self.found: list[tuple[int, ...]] = []
        self.found_diagonals: list[tuple[int, ...]] = []

    def _take(self, row: list[int], symbolic: bool) -> bool:
        """Make a gate part of the segment that ends at `stop`; False where it cannot be read there."""
        code, start, count, _, _, _ = row
        qubits = self.lowered.operands[start : start + count].tolist()
        given = set(qubits)
        if not given:  # a global phase
            return True
        if self._is_diagonal(code) and not given & self.mixing and not given & self.blocked:
            if count != 1 or given & self.coupled:
                if symbolic:
                    self._add_diagonal(row, qubits)
                self.coupled |= given
                self.touched |= given
                return True
            self._add_to_cluster(row, qubits, symbolic)
            self.touched |= given
            return True
        if given & (self.coupled | self.blocked):
            if not symbolic:
                self.blocked |= given
            return not symbolic
        together = set(given)
        for qubit in qubits:
            if qubit in self.cluster_of:
                together |= set(self.cluster_of[qubit].qubits)
        known = count == 2 and len({id(self.cluster_of.get(q, q)) for q in qubits}) == 1
        if len(together) <= 2 and (symbolic or count == 1 or known):
            self._add_to_cluster(row, qubits, symbolic)
            self.mixing |= together
        elif not symbolic:
            self.blocked |= given
        elif not given & self.touched:
            self._add_controlled(row, qubits)
            self.blocked |= given
        else:
            return False
        self.touched |= given
        return True

    @staticmethod
    def _is_diagonal(code: int) -> bool:
        return code != MATRIX and Structure.DIAGONAL in row_by_code(code).structure

    def _add_diagonal(self, row: list[int], qubits: list[int]) -> None:
        targets, mask, value = _split(row, qubits)
        places = [*targets, _NO_BIT, _NO_BIT][:2]
        self.found_diagonals.append((*places, mask, value))
        gate = row_by_code(row[0])
        self.diagonals.append((FORMULAS[gate.name], row[3], gate.num_params, 1 << len(targets)))

    def _add_controlled(self, row: list[int], qubits: list[int]) -> None:
        """A gate with controls on more than two qubits: its own transition matrix, where the controls hold."""
        targets, mask, value = _split(row, qubits)
        cluster = _Cluster(tuple(targets), mask=mask, value=value, parametric=True)
        cluster.gates.append(self._gate(row, tuple(targets), targets, 0, 0))
        self.clusters.append(cluster)

    def _add_to_cluster(self, row: list[int], qubits: list[int], symbolic: bool) -> None:
        """Put a gate in front of its qubits' clusters, which become one."""
        members = list({id(c): c for c in (self.cluster_of.get(q) for q in qubits) if c is not None}.values())
        all_qubits = tuple(dict.fromkeys([q for c in members for q in c.qubits] + qubits))
        if len(members) == 1 and members[0].qubits == all_qubits:
            cluster = members[0]
        else:
            cluster = _Cluster(all_qubits)
            for member in members:
                cluster.gates += [self._moved(gate, member.qubits, all_qubits) for gate in member.gates]
                cluster.parametric |= member.parametric
                self.clusters.remove(member)
            self.clusters.append(cluster)
            for qubit in all_qubits:
                self.cluster_of[qubit] = cluster
        if symbolic:
            targets, mask, value = _split(row, qubits)
            local = {q: k for k, q in enumerate(all_qubits)}
            own_mask = sum(1 << local[q] for q in qubits if (mask >> q) & 1)
            own_value = sum(1 << local[q] for q in qubits if (value >> q) & 1)
            cluster.gates.append(self._gate(row, all_qubits, targets, own_mask, own_value))
            cluster.parametric = True
        else:
            cluster.gates.append((-1, row[0], row[3], row[4], row[5], *qubits))

    @staticmethod
    def _gate(row: list[int], places: tuple[int, ...], targets: list[int], mask: int, value: int) -> tuple[int, ...]:
        local = [places.index(q) for q in targets] + [0, 0]
        gate = row_by_code(row[0])
        return (FORMULAS[gate.name], row[3], gate.num_params, len(targets), local[0], local[1], mask, value)

    @staticmethod
    def _moved(gate: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
        """A cluster's gate with its bits as those of a larger cluster."""
        if gate[0] < 0:
            return gate
        place = [after.index(q) for q in before]

        def bits(mask: int) -> int:
            return sum(1 << place[k] for k in range(len(before)) if (mask >> k) & 1)

        formula, first, count, targets, low, high, mask, value = gate
        return formula, first, count, targets, place[low], place[min(high, len(place) - 1)], bits(mask), bits(value)

    def _matrix(self, gate: tuple[int, ...], qubits: tuple[int, ...]) -> tuple[int, ...]:
        """A gate with numbers, as a matrix on all of a cluster's qubits."""
        _, code, index, controls, bits, *own = gate
        if code == MATRIX:
            matrix = self.lowered.matrices[index]
        else:
            row: GateRow = row_by_code(code)
            matrix = row.matrix(*self.lowered.values[index : index + row.num_params].tolist())
        matrix = controlled_matrix(matrix, tuple((bits >> k) & 1 for k in range(controls)))
        place = [qubits.index(q) for q in own]
        size = 1 << len(qubits)
        full = np.zeros((size, size), dtype=np.complex128)
        for column in range(size):
            local = sum(((column >> p) & 1) << k for k, p in enumerate(place))
            rest = column & ~sum(1 << p for p in place)
            for row_index in range(len(matrix)):
                to = rest | sum(((row_index >> k) & 1) << p for k, p in enumerate(place))
                full[to, column] = matrix[row_index, local]
        at = self.matrix_numbers
        self.matrices.append(full.reshape(-1).view(np.float64))
        self.matrix_numbers += 2 * size * size
        return (0, at, 0, len(qubits), 0, len(qubits) - 1, 0, 0)

    def _end(self, start: int, last: bool) -> None:
        """Rows [start, stop) are a segment."""
        singles, others = [], []
        for cluster in self.clusters:
            if not cluster.parametric:
                continue
            number, gates = len(self.items), cluster.gates[::-1]
            while gates and gates[0][0] < 0:  # nothing parametric comes before it
                gates = gates[1:]
            first = len(self.gates)
            self.gates += [self._matrix(g, cluster.qubits) if g[0] < 0 else g for g in gates]
            self.items.append((1 << len(cluster.qubits), first, len(self.gates)))
            if len(cluster.qubits) == 1 and not cluster.mask:
                singles.append((cluster.qubits[0], number))
            else:
                others.append((number, np.array(cluster.qubits, dtype=np.int64), cluster.mask, cluster.value))
        program = None
        if not last:
            lowered = self.lowered
            rows = lowered.rows[start : self.stop]
            block = Lowered(rows, lowered.operands, lowered.values, lowered.expressions, lowered.matrices)
            # Both states at once, as one with one more qubit, unless that is several tiles, and each state one.
            each = self.tile_bits is None and 2 << self.num_qubits > _ONE_CALL and self.num_qubits <= SINGLE_TILE_QUBITS
            width = self.num_qubits + (0 if each else 1)
            program = compile_lowered(
                inverse(block), width, self.parameters, dtype=self.dtype, tile_bits=self.tile_bits
            )
        diagonals = _ints(self.found_diagonals, 4)
        first_diagonal = len(self.diagonals) - len(diagonals)
        self.segments.append(_Segment(_tiles(singles, self.num_qubits), others, diagonals, first_diagonal, program))
        self._begin(start)


def named(circuit: Circuit, gradient: Array) -> dict[str, Any]:
    """Derivatives by name: a float, or an array for an array parameter, as long as the circuit uses it."""
    result: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for parameter, slope in zip(circuit.parameters, gradient.tolist(), strict=True):
        if parameter.array is None:
            result[parameter.name] = slope
            continue
        name = parameter.array.name
        if name not in arrays:
            arrays[name] = result[name] = np.zeros(len(parameter.array))
        arrays[name][parameter.index] = slope
    return result


def _ints(rows: list[Any], columns: int) -> Array:
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


def _split(row: list[int], qubits: list[int]) -> tuple[list[int], int, int]:
    """A parametric row's targets, as its formula takes them, and the mask and value of its controls."""
    gate = row_by_code(row[0])
    own = 0 if Structure.DIAGONAL in gate.structure and gate.num_qubits == 2 else gate.controls
    extra = row[4]
    bits = row[5] | (((1 << own) - 1) << extra)
    controls, targets = qubits[: extra + own], qubits[extra + own :]
    mask = sum(1 << q for q in controls)
    return targets, mask, sum(1 << q for k, q in enumerate(controls) if (bits >> k) & 1)


def _tiles(singles: list[tuple[int, int]], n: int) -> list[_Tiles]:
    """Sweeps that see all of the given qubits, as (qubit, item)."""
    item_of = dict(singles)
    t = min(n, TILE_BITS)
    groups: list[tuple[list[int], list[int]]] = [(list(range(t)), list(range(t)))]
    sweeps = -(-(n - t) // (t - LANE_BITS)) if n > t else 0
    for k in range(sweeps):  # the qubits above a tile, as evenly as can be, each time next to the lowest ones
        high = list(range(t + (n - t) * k // sweeps, t + (n - t) * (k + 1) // sweeps))
        groups.append((list(range(t - len(high))) + high, high))
    result = []
    for positions, qubits in groups:
        wanted = [k for k, q in enumerate(positions) if q in qubits and q in item_of]
        if wanted:
            result.append(
                _Tiles(
                    np.array(positions, dtype=np.int64),
                    np.array([q for q in range(n) if q not in positions], dtype=np.int64),
                    np.array(wanted, dtype=np.int64),
                    np.array([item_of[positions[k]] for k in wanted], dtype=np.int64),
                )
            )
    return result

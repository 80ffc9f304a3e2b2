"""Each operation of a pass alone, on one thread and a tile of the default size: its time, and what bounds it.

A pass is made by hand of the same operation so many times, and run by the engine's own kernel. The bounds are its
multiply-adds at the rate measured, and the tile read and written once at the bandwidth of the cache that holds it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from operator import xor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure import AMPLITUDE_BYTES, REALS, bandwidth, fma_rate, timed
from benchmarks.report import markdown_table
from qsim import Circuit
from qsim.compiler import compile_circuit
from qsim.compiler.formulas import FACTORS, SHAPES
from qsim.compiler.program import default_tile_bits
from qsim.kernels import opcodes as oc
from qsim.kernels.passes import run
from qsim.kernels.simd import BLOCK
from qsim.workspace import borrow

ROUNDS, REPEATS = 10, 40
#: Bits of the tile that operations act on: above the lanes, not next to each other.
_BITS = (5, 7, 9)
#: Where coefficients stand: a real matrix with its scaled form, a complex one, a 4 x 4 one, and the factors of phases.
_REAL, _COMPLEX, _FOUR, _PHASE = 0, 8, 16, 48


@dataclass(frozen=True)
class Operation:
    """A record of an operation and the bits it points to, and its multiply-adds an amplitude."""

    name: str
    record: dict[int, int]
    bits: Sequence[int]
    multiply_adds: float


@dataclass(frozen=True)
class KernelRow:
    """Nanoseconds an amplitude, and the two bounds."""

    kernel: str
    precision: str
    nanoseconds: float
    arithmetic: float
    memory: float

    @property
    def bound(self) -> float:
        """The greater bound."""
        return max(self.arithmetic, self.memory)


def operations(t: int) -> list[Operation]:
    """An operation of each kind on a tile of 2**t amplitudes."""
    strides = [BLOCK << bit for bit in range(t - oc.LANE_BITS)]
    own = [BLOCK << (bit - oc.LANE_BITS) for bit in _BITS]

    def record(kind: int, count: int, target: int, **columns: int) -> dict[int, int]:
        return {oc.KIND: kind, oc.FIXED_COUNT: count, oc.TARGET: target} | {
            getattr(oc, k): v for k, v in columns.items()
        }

    def walk(count: int) -> list[int]:
        """Over the blocks where the first bits are 0; see `qsim.compiler.blocks`."""
        free = [stride for stride in strides if stride not in own[:count]]
        return [*(accumulate(free, xor) if count == 3 else free), 0]

    def reals(count: int) -> Operation:
        pairs = [number for stride in own[:count] for number in (stride, _REAL)]
        return Operation(f"{count} real 2 x 2", record(oc.REALS, count, 0, WALK_AT=len(pairs)), [*pairs, *walk(count)],
                         2 * count)  # fmt: skip

    def matrix(name: str, kind: int, multiply_adds: float, count: int = 1, **columns: int) -> Operation:
        start = {"VALUE": own[1]} if count == 2 else {}
        return Operation(name, record(kind, count, own[0], TARGETS=1, COEFFICIENT=_COMPLEX, **start, **columns), walk(count),
                         multiply_adds)  # fmt: skip

    def phases(name: str, pairs: Sequence[tuple[int, int]], multiply_adds: float) -> Operation:
        terms = [number for first, second in pairs for number in (first, second, _PHASE)]
        return Operation(name, record(oc.PHASES, 0, 0, TARGETS=len(pairs), WALK_AT=len(terms)), [*terms, *strides],
                         multiply_adds)  # fmt: skip

    four = record(oc.DENSE, 2, 0, TARGETS=2, WALK_AT=2, COEFFICIENT=_FOUR)
    exchange = record(oc.TRANSPOSITION, 2, 0, TARGETS=2, WALK_AT=4)
    return [
        *(reals(count) for count in (1, 2, 3)),
        matrix("complex 2 x 2", oc.DENSE1, 8),
        matrix("complex 2 x 2, one control", oc.DENSE1, 4, count=2),
        matrix("CX, its control a lane", oc.FLIP, 0, LANE_MASK=1, LANE_VALUE=1),
        Operation("complex 4 x 4", four, [*own[:2], *walk(2)], 16),
        phases("phases of all qubits", [(k, oc.NO_BIT) for k in range(t)], 8),
        phases("phases of all qubits and a ring of pairs",
               [(k, oc.NO_BIT) for k in range(t)] + [(k, (k + 1) % t) for k in range(t)], 12),
        Operation("exchange of two lanes", exchange, [0, own[0], 1, own[1], *walk(2)], 0),
    ]  # fmt: skip


def one_pass(t: int, operation: Operation, repeats: int) -> npt.NDArray[np.int64]:
    """The integers of a program of one tile and one pass; see `qsim.compiler.program.Program`."""
    record = np.zeros(oc.RECORD, np.int64)
    for column, value in operation.record.items():
        record[column] = value
    row, strides = np.zeros(oc.PASS_RECORD, np.int64), [BLOCK << bit for bit in range(t - oc.LANE_BITS)]
    row[[oc.OPS_TO, oc.PASS_SUPPORT, oc.PASS_STRIDES]] = repeats, (1 << t) - 1, len(operation.bits)
    sections = {
        oc.IN_PASSES: row, oc.IN_TILES: range(t), oc.IN_SOURCES: range(t), oc.IN_OPS: np.tile(record, repeats),
        oc.IN_BITS: [*operation.bits, *strides],
    }  # fmt: skip
    parts = [np.array(sections.get(number, []), dtype=np.int64) for number in range(oc.SECTIONS)]
    ends = np.cumsum([2 * oc.SECTIONS, *map(len, parts)])
    heads = np.array([(end, len(part)) for end, part in zip(ends[:-1], parts, strict=True)])
    return np.concatenate([heads.reshape(-1), *parts]).astype(np.int64)


def coefficients(real: type) -> npt.NDArray[np.floating]:
    """Unitary matrices, so that numbers stay as large as they are."""
    c, s, r = np.cos(0.3), np.sin(0.3), 0.5**0.5
    result = np.zeros(64, real)
    result[_REAL : _REAL + 8] = c, c, -s, -s / c, s, s / c, c, 1  # in between: the scaled form
    result[_COMPLEX : _COMPLEX + 8] = r, 0, 0, r, 0, r, r, 0
    rotation = np.array([[c, -s], [s, c]])
    result[_FOUR : _FOUR + 32] = np.kron(rotation, rotation * np.exp(0.2j)).reshape(-1).view(np.float64)
    result[_PHASE : _PHASE + 8] = 1, 0, c, s, 1, 0, c, s
    return result


def measure(precision: str, t: int | None = None) -> list[KernelRow]:
    """A row for each operation, on a tile of 2**t amplitudes."""
    real = REALS[precision]
    t = t or default_tile_bits(30, real)
    dtype = np.complex128 if precision == "double" else np.complex64
    model = compile_circuit(Circuit(t).h(0), dtype=dtype, tile_bits=t)  # for the size of a workspace
    workspace = borrow(real, model.workspace_numbers)
    state, numbers, nothing = np.zeros(2 << t, real), coefficients(real), np.zeros(0)
    state[0] = 1

    def seconds(operation: Operation, repeats: int) -> float:
        ints = one_pass(t, operation, repeats)

        def once() -> None:
            run(
                state, ints, nothing, nothing, nothing, SHAPES, FACTORS, nothing, 0, 0, 0, t, t, 1, 0, 0, 1, numbers, 1 + 0j,
                workspace, model.column_numbers, np.zeros(0, np.int64),
            )  # fmt: skip

        once()
        return min(timed(once)[0] for _ in range(ROUNDS))

    rows, scale = [], 1e9 / (1 << t)
    rate, size = fma_rate(precision, 1), AMPLITUDE_BYTES[precision] << t
    memory = 2 * size / bandwidth(size, 1) * scale
    for operation in operations(t):
        without = seconds(operation, 0)
        each = max(seconds(operation, REPEATS) - without, 0.0) / REPEATS
        bound = operation.multiply_adds / rate * 1e9
        rows.append(KernelRow(operation.name, precision, each * scale, bound, memory))
    return rows


def table(rows: Sequence[KernelRow]) -> str:
    """Markdown."""
    heads = ["operation", "precision", "ns an amplitude", "multiply-adds", "memory", "time ÷ larger bound"]
    lines = [
        [row.kernel, row.precision, f"{row.nanoseconds:.3f}", f"{row.arithmetic:.3f}", f"{row.memory:.3f}",
         f"{row.nanoseconds / row.bound:.2f}"]
        for row in rows
    ]  # fmt: skip
    return markdown_table(heads, lines, left={0, 1})


def main(precisions: Sequence[str], folder: Path) -> int:
    """Measure, print, and write `kernels.md` and `kernels.json`."""
    rows = [row for precision in precisions for row in measure(precision)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernels.md").write_text(table(rows) + "\n", encoding="utf-8")
    (folder / "kernels.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    print(table(rows))
    return 0

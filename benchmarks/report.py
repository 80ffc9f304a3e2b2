"""What was measured, as Markdown and JSON; `plots` draws it."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.circuits import QASMBENCH
from benchmarks.measure import AMPLITUDE_BYTES, bandwidth, fma_rate
from qsim.version import __version__

#: Ranges of qubits that are summed up together, first and last: one tile of the engine, a cache's size, memory.
RANGES = ((1, 14), (15, 20), (21, 99))


@dataclass(frozen=True)
class Floor:
    """Seconds below which the engine's plan cannot come, by what bounds it; arithmetic is None where not known."""

    passes: int
    memory: float
    arithmetic: float | None = None

    @property
    def seconds(self) -> float:
        """The greater of the two: both can go on at the same time."""
        return max(self.memory, self.arithmetic or 0.0)


@dataclass(frozen=True)
class Compared:
    """Seconds of ours and of the peers, by name."""

    qubits: int
    precision: str
    ours: float
    peers: dict[str, float]

    @property
    def best_peer(self) -> str:
        """The fastest peer's name, or "" without any."""
        return min(self.peers, key=lambda name: self.peers[name], default="")

    @property
    def best(self) -> float:
        """The fastest peer's seconds."""
        return self.peers.get(self.best_peer, math.nan)

    @property
    def ratio(self) -> float:
        """How many times as fast as the best peer ours is; above 1 ours is faster."""
        return self.best / self.ours


@dataclass(frozen=True)
class Row(Compared):
    """One circuit at one precision.

    `again` is ours on a circuit that it knows, `known_peers` are those that plan apart from running, without planning.
    """

    family: str
    circuit: str
    gates: int
    again: float
    floor: Floor
    known_peers: dict[str, float] = field(default_factory=dict)

    @property
    def ratio_again(self) -> float:
        """The ratio where neither plans anew."""
        return min([self.best, *self.known_peers.values()]) / self.again


@dataclass(frozen=True)
class SweepRow(Compared):
    """A sweep over so many parameter sets at one precision."""

    sets: int


@dataclass
class Report:
    """Rows, the conditions they were measured under, and remarks about what was left out."""

    conditions: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    sweeps: list[SweepRow] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    disagreements: int = 0

    def remark(self, text: str) -> None:
        """Print and keep why something is missing."""
        self.remarks.append(text)
        print(text, flush=True)

    def to_json(self) -> str:
        """All of it; `from_json` reads it back."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """A report as it was written."""
        data = json.loads(text)
        data["rows"] = [Row(**{**row, "floor": Floor(**row["floor"])}) for row in data["rows"]]
        data["sweeps"] = [SweepRow(**row) for row in data["sweeps"]]
        return cls(**data)

    def markdown(self) -> str:
        """Conditions, summary, table and remarks."""
        parts = [_conditions(self.conditions), summary(self.rows), by_size(self.rows), table(self.rows), legend(self.rows),
                 sweep_table(self.sweeps)]  # fmt: skip
        if self.remarks:
            parts.append("Left out:\n\n" + "\n".join(f"- {text}" for text in self.remarks))
        return "\n\n".join(part for part in parts if part) + "\n"

    def write(self, folder: Path, name: str) -> None:
        """Markdown and JSON files of that name."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(self.markdown(), encoding="utf-8")
        (folder / f"{name}.json").write_text(self.to_json() + "\n", encoding="utf-8")


def conditions(threads: int, seed: int, rounds: int) -> dict[str, Any]:
    """The machine, its measured limits, the versions and the settings."""
    largest = 1 << 28
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "bytes a second": bandwidth(largest, threads),
        "multiply-adds a second": {precision: fma_rate(precision, threads) for precision in AMPLITUDE_BYTES},
        "versions": {
            "qsim-session": __version__, "python": platform.python_version(), "numpy": version("numpy"),
            "numba": version("numba"), **peers.versions(),
        },
        "seed": seed,
        "rounds": rounds,
    }  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _conditions(known: dict[str, Any]) -> str:
    rates = ", ".join(f"{rate / 1e9:.1f} ({name})" for name, rate in known["multiply-adds a second"].items())
    installed = ", ".join(f"{name} {number}" for name, number in known["versions"].items())
    return (
        f"{known['processor']}, {known['threads']} threads of {known['cores']} cores; "
        f"{known['bytes a second'] / 1e9:.1f} GB/s; {rates} billion multiply-adds a second. {installed}. "
        f"Seed {known['seed']}, best of {known['rounds']} rounds; load average {known['load']} at the start."
    )


def table(rows: Sequence[Row]) -> str:
    """A Markdown table, a line for each row, times in milliseconds."""
    if not rows:
        return ""
    return markdown_table(
        ["circuit", "qubits", "gates", "precision", "best peer", "peer", "ours", "ratio", "again", "ratio again", "passes",
         "memory", "arithmetic", "ours ÷ floor"],
        [
            [
                row.circuit, str(row.qubits), str(row.gates), row.precision, row.best_peer or "none", _ms(row.best),
                _ms(row.ours), f"{row.ratio:.2f}" if row.peers else "", _ms(row.again),
                f"{row.ratio_again:.2f}" if row.peers else "", str(row.floor.passes),
                _ms(row.floor.memory), "" if row.floor.arithmetic is None else _ms(row.floor.arithmetic),
                f"{row.ours / row.floor.seconds:.2f}" if row.floor.seconds else "",
            ]
            for row in rows
        ],
        left={0, 3, 4},
    )  # fmt: skip


def sweep_table(rows: Sequence[SweepRow]) -> str:
    """A Markdown table of sweeps, times in microseconds for each set of parameters, every peer's."""
    names = list(dict.fromkeys(name for row in rows for name in row.peers))
    lines = [
        [f"{row.qubits}", row.precision, _digits(row.ours / row.sets * 1e6),
         *(_digits(row.peers.get(name, math.nan) / row.sets * 1e6) for name in names), f"{row.ratio:.2f}" if row.peers else ""]
        for row in rows
    ]  # fmt: skip
    heads = ["qubits", "precision", "ours", *names, "best peer ÷ ours"]
    unit = "Microseconds for each set of parameters:"
    return f"{unit}\n\n{markdown_table(heads, lines, left={1})}" if rows else ""


def legend(rows: Sequence[Row]) -> str:
    """What the table's columns mean."""
    return (
        "Times in milliseconds. ours: of a circuit that the engine has not seen, planning included; again: of one that it "
        "knows; best peer: likewise with its planning, and without it for the ratio again. ratio: best peer ÷ ours. memory "
        "and arithmetic: what the passes over the state take at the bandwidth measured for its size, and the multiply-adds "
        "at the rate measured; the floor is the greater one."
        if rows
        else ""
    )


def summary(rows: Iterable[Row]) -> str:
    """A Markdown table of the geometric means of the ratios, for each precision and range of qubits."""
    lines = []
    compared = [row for row in rows if row.peers]
    for precision in AMPLITUDE_BYTES:
        for first, last in RANGES:
            part = [row for row in compared if row.precision == precision and first <= row.qubits <= last]
            if part:
                lowest = min(part, key=lambda row: row.ratio)
                lines.append([
                    precision, f"{min(row.qubits for row in part)} to {max(row.qubits for row in part)}", str(len(part)),
                    f"{geometric_mean([row.ratio for row in part]):.2f}",
                    f"{geometric_mean([row.ratio_again for row in part]):.2f}",
                    f"{lowest.ratio:.2f} ({lowest.circuit}, {lowest.qubits} qubits, {lowest.best_peer})",
                ])  # fmt: skip
    if not lines:
        return ""
    heads = ["precision", "qubits", "rows", "geometric mean of the ratios", "of those again", "lowest ratio"]
    return markdown_table(heads, lines, left={0, 5})


def by_size(rows: Iterable[Row]) -> str:
    """A Markdown table of the geometric means over the families at each number of qubits, by what is compared with what.

    The second figure of each leaves out states that stay thin, which are written out and not simulated. QASMBench's programs
    have a width each and are left to `summary`.
    """
    known = [row for row in rows if row.family != QASMBENCH]
    lines = []
    for qubits in sorted({row.qubits for row in known}):
        here = {precision: [row for row in known if row.qubits == qubits and row.precision == precision]
                for precision in AMPLITUDE_BYTES}  # fmt: skip
        qsim = {row.circuit: min(times) for row in here["single"] if (times := _times_of("qsim", row))}
        ratios = [
            {row.circuit: row.ratio for row in here["double"] if row.peers},
            {row.circuit: row.ratio for row in here["single"] if row.peers},
            {row.circuit: qsim[row.circuit] / row.ours for row in here["single"] if row.circuit in qsim},
            {row.circuit: qsim[row.circuit] / row.ours for row in here["double"] if row.circuit in qsim},
        ]
        thin = {row.circuit for precision in here for row in here[precision] if not row.floor.passes}
        if any(ratios):
            lines.append([f"{qubits}", *(_two_means(found, thin) for found in ratios)])
    if not lines:
        return ""
    heads = ["qubits", "double, best peer", "single, best peer", "single, qsim", "qsim in single, ours in double"]
    return markdown_table(heads, lines, left=set())


def _times_of(peer: str, row: Row) -> list[float]:
    """Seconds of a peer's variants, by the first word of their names."""
    return [seconds for name, seconds in row.peers.items() if name.split()[0] == peer]


def _two_means(ratios: dict[str, float], thin: set[str]) -> str:
    """The mean of all, and in brackets that of those that are not thin, with their numbers where they differ."""
    rest = [ratio for circuit, ratio in ratios.items() if circuit not in thin]
    if not ratios:
        return ""
    text = f"{geometric_mean(list(ratios.values())):.2f} of {len(ratios)}"
    return f"{text} ({geometric_mean(rest):.2f} of {len(rest)})" if 0 < len(rest) < len(ratios) else text


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product of n positive numbers."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def markdown_table(heads: Sequence[str], lines: Iterable[Sequence[str]], left: set[int]) -> str:
    """Right-aligned columns, but for those in `left`."""
    rule = ["---" if k in left else "---:" for k in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))


def _ms(seconds: float) -> str:
    return _digits(seconds * 1e3)


def _digits(value: float) -> str:
    """Three digits, never in powers of ten; nothing for what was not measured."""
    if not math.isfinite(value):
        return ""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{min(digits, 6)}f}"

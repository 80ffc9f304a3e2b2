"""Ours against the peers on one circuit: first whether all give the same state, then how long each takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.circuits import Case
from benchmarks.measure import AMPLITUDE_BYTES, Run, bandwidth, fma_rate, interleaved, timed
from benchmarks.peers import AGAIN, Engine, installed, ours
from benchmarks.report import Floor, Report, Row
from qsim.compiler import DIRECT_QUBITS, compile_circuit, compile_thin
from qsim.memory import available_memory, readable

Array = npt.NDArray[Any]
#: How far from 1 the fidelity of two engines' states may be.
TOLERANCES = {"double": 1e-10, "single": 1e-6}
#: Up to this many qubits whole states are compared, above it samples.
COMPARED_QUBITS = 20
SAMPLE_BITS = 12
#: A peer sits out a circuit that would take it so many times the limit, going by its time for fewer qubits.
PATIENCE = 10


class Disagreement(Exception):
    """A peer gives another state than ours, so that their times say nothing."""


@dataclass
class Race:
    """A series of comparisons under the same conditions, and what they have found so far.

    Args:
        report: gets a row for each comparison, and a remark for whatever is left out.
        threads: of each engine.
        rounds: turns that each engine has.
        peer_limit: seconds; a peer whose first run takes longer has no other one.
        row_limit: seconds that all runs on one circuit may take together. The fastest peers come first, as far as it is
            known from smaller circuits, in this run or in the report's earlier rows; a peer that would go over the limit,
            by its time for fewer qubits, is left out, and where not all rounds fit, there are fewer.
        only: the peers that take part, by the first word of their names; all if empty.
    """

    report: Report
    threads: int
    rounds: int
    peer_limit: float
    row_limit: float = math.inf
    only: Collection[str] = ()

    def __post_init__(self) -> None:
        self._engines = {p: (ours(p, self.threads), self._peers(p)) for p in AMPLITUDE_BYTES}
        self._last: dict[tuple[str, str, str], tuple[int, float]] = {}  # qubits and seconds of a peer's last circuit
        for row in self.report.rows:  # ascending in qubits
            for name, seconds in (row.peers | row.known_peers).items():
                self._last[name, row.circuit, row.precision] = row.qubits, seconds

    def run(self, case: Case, precision: str) -> Row | None:
        """Compare on one circuit; None, with a remark, where it does not fit or a peer disagrees."""
        needed = 3 * (AMPLITUDE_BYTES[precision] << case.num_qubits)  # ours, a peer's, and its copy for us
        if needed > available_memory():
            self._remark(
                case, precision, f"three states take {readable(needed)}, {readable(available_memory())} are free"
            )
            return None
        mine, peers = self._engines[precision]
        peers = [peer for peer in peers if self._is_patient(peer, case, precision)]
        peers.sort(key=lambda peer: self._expected(peer, case, precision))
        ready: dict[str, Callable[[], Run]] = {engine.name: _readier(engine, case) for engine in mine}
        seconds_of_ours, result = timed(ready["ours"]())
        expected = Sample(mine[0].amplitudes(result))
        del result
        ready["ours" + AGAIN]()()
        once: dict[str, float] = {}
        first, spent = {"ours": seconds_of_ours, "ours" + AGAIN: seconds_of_ours}, 0.0
        for peer in peers:
            if spent + self._expected(peer, case, precision) > self.row_limit:
                text = f"after {spent:.0f} s of the others it would take {self._expected(peer, case, precision):.0f} s"
                self._remark(case, precision, f"without {peer.name}: {text}")
                continue
            try:
                seconds = self._warm(peer, case, precision, expected, ready)
            except Disagreement as error:
                self._remark(case, precision, f"not reported: {error}")
                self.report.disagreements += 1
                return None
            except Exception as error:  # whatever keeps a peer from running is its own affair
                self._remark(case, precision, f"without {peer.name}: {type(error).__name__}: {error}")
                ready.pop(peer.name, None)
                continue
            spent += seconds
            first[peer.name] = seconds
            if seconds > self.peer_limit:
                once[peer.name] = seconds
                del ready[peer.name]
        # Rounds by what is left of the time. The first run of each counts: kernels, threads and memory were ready for it.
        turn = sum(first[name] for name in ready)
        rounds = (
            int(max(min(self.rounds, (self.row_limit - spent - 2 * seconds_of_ours) / turn), 0))
            if turn
            else self.rounds
        )
        if rounds == 0:
            once = {name: first[name] for name in first if name in ready or name in once}
            ready = {name: ready[name] for name in ("ours", "ours" + AGAIN)}
        times = once | interleaved(ready, max(rounds, 1), frozenset())
        for peer in peers:
            if peer.name in times:
                self._last[peer.name, case.name, precision] = case.num_qubits, times[peer.name]
        circuit = case.build()
        ours, again = times.pop("ours"), times.pop("ours" + AGAIN)
        row = Row(
            family=case.family, circuit=case.name, qubits=case.num_qubits, gates=len(circuit), precision=precision,
            ours=ours, again=again, peers={name: t for name, t in times.items() if not name.endswith(AGAIN)},
            known_peers={name: t for name, t in times.items() if name.endswith(AGAIN)},
            floor=floor(circuit, precision, self.threads),
        )  # fmt: skip
        same = (row.circuit, row.qubits, row.precision)
        kept = [old for old in self.report.rows if (old.circuit, old.qubits, old.precision) != same]
        self.report.rows = sorted([*kept, row], key=lambda one: one.qubits)  # stable: families stay in order
        return row

    def _warm(
        self, peer: Engine, case: Case, precision: str, expected: Sample, ready: dict[str, Callable[[], Run]]
    ) -> float:
        """A peer's first run, whose state must be ours; its seconds."""
        ready[peer.name] = _readier(peer, case)
        seconds, result = timed(ready[peer.name]())
        infidelity = 1 - expected.fidelity(peer.amplitudes(result))
        if not infidelity <= TOLERANCES[precision]:
            raise Disagreement(f"the states of {peer.name} and ours have the fidelity 1 - {infidelity:.1e}")
        return seconds

    def _peers(self, precision: str) -> list[Engine]:
        peers = installed(precision, self.threads)
        return [peer for peer in peers if not self.only or peer.name.split()[0] in self.only]

    def _expected(self, peer: Engine, case: Case, precision: str) -> float:
        """Seconds that a peer takes, going by its time for fewer qubits; 0 if nothing is known."""
        qubits, seconds = self._last.get((peer.name, case.name, precision), (case.num_qubits, 0.0))
        return seconds * 2.0 ** (case.num_qubits - qubits)

    def _is_patient(self, peer: Engine, case: Case, precision: str) -> bool:
        seconds = self._expected(peer, case, precision)
        if seconds <= PATIENCE * self.peer_limit:
            return True
        self._remark(case, precision, f"without {peer.name}: it would take {seconds:.0f} s or more")
        return False

    def _remark(self, case: Case, precision: str, text: str) -> None:
        self.report.remark(f"{case.name}, {case.num_qubits} qubits, {precision}: {text}")


def _readier(engine: Engine, case: Case) -> Callable[[], Run]:
    """What gives an engine's next run: of a circuit built anew, or always of the same one."""
    if engine.fresh:
        return lambda: engine.ready(case.build())
    run = engine.ready(case.build())
    return lambda: run


class Sample:
    """A state, or of a large one 4,096 amplitudes here and there and the greatest of 4,096 blocks, to compare with."""

    def __init__(self, state: Array) -> None:
        if len(state) <= 1 << COMPARED_QUBITS:
            self._indices: Any = slice(None)
        else:
            blocks = state.reshape(1 << SAMPLE_BITS, -1)
            greatest = [k * blocks.shape[1] + int(np.argmax(np.abs(block))) for k, block in enumerate(blocks)]
            anywhere = np.random.default_rng(0).integers(len(state), size=1 << SAMPLE_BITS)
            self._indices = np.concatenate([greatest, anywhere])
        self._values = state[self._indices].astype(np.complex128)

    def fidelity(self, state: Array) -> float:
        """|<a|b>|^2 over the sample, each normalised there; the global phase plays no part."""
        other = state[self._indices].astype(np.complex128)
        norms = np.vdot(self._values, self._values).real * np.vdot(other, other).real
        return float(abs(np.vdot(self._values, other)) ** 2 / norms) if norms else 0.0


def floor(circuit: Any, precision: str, threads: int) -> Floor:
    """What the engine's own plan takes at the machine's best: its passes over memory, and its multiply-adds."""
    size = AMPLITUDE_BYTES[precision] << circuit.num_qubits
    thin = compile_thin(circuit) if circuit.num_qubits > DIRECT_QUBITS else None
    if thin is not None:  # what is not zero is written, once
        return Floor(passes=0, memory=0.0 if thin.is_sparse else size / bandwidth(size, threads), arithmetic=0.0)
    program = compile_circuit(circuit, dtype=np.complex128 if precision == "double" else np.complex64)
    passes = program.num_passes
    return Floor(
        passes=passes,
        memory=passes * 2 * size / bandwidth(size, threads),  # each pass reads and writes the state
        arithmetic=program.flops_per_amplitude * 2**circuit.num_qubits / fma_rate(precision, threads),
    )

"""Refusing what a target cannot do before anything is sent: by name, and by the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from qsim.circuit import Barrier, Circuit, Delay, Measure, Reset, Snapshot
from qsim.classical import Assign, Break, Continue, End, IfElse, Switch, WhileLoop, WithValues, bodies
from qsim.errors import QsimError
from qsim.gates import Gate, GateRow
from session.backends.protocol import Capabilities
from session.errors import SessionError
from session.preparation.gate_sets import GateSet, canonical_name, gate_set

#: How many problems are told at once.
MAX_PROBLEMS = 10
MAIN = "<program>"  # where no file is named
_NODES = {
    IfElse: "if", Switch: "switch", WhileLoop: "while", Assign: "an assignment to classical bits", Break: "break",
    Continue: "continue", End: "end", WithValues: "a gate whose angle depends on a measurement",
}  # fmt: skip
Path = tuple[int, ...]


class TargetError(SessionError):
    """A program has what its target cannot do; nothing was sent.

    Attributes:
        problems: one text each, with the place.
    """

    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What a target cannot do, and where it is asked to: see `parsers.places` for paths. No path: the whole program."""

    text: str
    path: Path = ()


def check_target(
    circuit: Circuit,
    can: Capabilities,
    *,
    name: str = "this target",
    source: Any = None,
    shots: int | None = None,
    exact_gates: bool = False,
    coupled: bool = False,
    delays: bool = True,
) -> None:
    """Raise for a circuit that a target with these capabilities cannot run.

    Args:
        circuit: as it was written; parameters need no values yet.
        can: of the target.
        name: the target's, for messages.
        source: the `Program`, or the OpenQASM text, that the circuit was read from: then lines are told, else the
            numbers of operations.
        shots: how many are asked for.
        exact_gates: gates have to be the target's own; else those are refused that these cannot make.
        coupled: gates on two qubits have to be on connected ones; else that is the vendor's compiler's part.
        delays: whether the target's programs can hold delays.

    Raises:
        TargetError: with all problems, up to ten.

    >>> from session.tasks import TaskKind
    >>> can = Capabilities(operations=frozenset([TaskKind.SAMPLE]), num_qubits=2, feed_forward=False)
    >>> check_target(Circuit(1, 1).h(0).measure(0, 0).reset(0), can, name="ion")
    Traceback (most recent call last):
    ...
    session.preparation.target.TargetError: ion has no reset (operation 2). Its programs are gates, then measurements.
    """
    found = list(_limits(circuit, can, shots))
    chosen = None if can.gates is None else gate_set(can.gates)
    rules = _Rules(can, chosen, exact_gates, can.connectivity if coupled else None)
    rules.delays, rules.num_qubits = delays, circuit.num_qubits
    found += rules.walk(circuit, ())
    if not found:
        return
    read = _Lines(source)
    told = list(dict.fromkeys(f"{name} {problem.text.format(place=read.place(problem.path))}" for problem in found))
    text = "\n".join(told[:MAX_PROBLEMS])
    if len(told) > MAX_PROBLEMS:
        text += f"\nThere are {len(told) - MAX_PROBLEMS:,} more."
    error = TargetError(text)
    error.problems = tuple(told)
    raise error


def _limits(circuit: Circuit, can: Capabilities, shots: int | None) -> Iterator[Problem]:
    if can.num_qubits is not None and circuit.num_qubits > can.num_qubits:
        yield Problem(f"has {can.num_qubits} qubits, and the program needs {circuit.num_qubits}.")
    if shots is not None and shots > can.max_shots:
        yield Problem(f"takes at most {can.max_shots:,} shots, got {shots:,}.")


class _Rules:
    """What to look for, and what was seen so far."""

    def __init__(
        self, can: Capabilities, gates: GateSet | None, exact: bool, pairs: frozenset[tuple[int, int]] | None
    ) -> None:
        self.can, self.gates, self.exact = can, gates, exact
        self.pairs = None if pairs is None else pairs | {(b, a) for a, b in pairs}
        midway = getattr(can, "mid_circuit", None)
        self.midway = can.feed_forward if midway is None else bool(midway)
        self.delays = True
        self.num_qubits = 0
        self.measured: set[int] = set()
        self.written: set[int] = set()

    def walk(self, circuit: Circuit, path: Path) -> Iterator[Problem]:
        """The problems of a circuit, bodies of branches included."""
        for number, instruction in enumerate(circuit):
            operation, at = instruction.operation, (*path, number)
            if isinstance(operation, Snapshot):
                yield Problem("has no snapshots{place}. They are of simulations.", at)
            elif isinstance(operation, Delay) and not self.delays:
                yield Problem(f"has no delay: {operation.duration}{{place}}. Leave it out.", at)
            elif isinstance(operation, (Barrier, Delay)):
                continue
            elif isinstance(operation, Reset):
                if not self.midway:
                    yield Problem("has no reset{place}. Its programs are gates, then measurements.", at)
            elif isinstance(operation, Measure):
                yield from self.measure(instruction.qubits[0], instruction.clbits[0], at)
            elif isinstance(operation, Gate):
                yield from self.after_measuring(operation.name, instruction.qubits, at)
                yield from self.gate(operation, instruction.qubits, at)
            elif isinstance(operation, WithValues) and self.gates is not None and self.can.feed_forward:
                yield Problem(f"has no {_NODES[WithValues][2:]}{{place}}: its gates are written with numbers.", at)
            elif not self.can.feed_forward:
                yield Problem(
                    f"has no feed-forward: {_NODES[type(operation)]}{{place}}. Its programs do not branch.", at
                )
            else:
                for k, body in enumerate(bodies(operation)):
                    yield from self.walk(body, (*at, k))

    def measure(self, qubit: int, clbit: int, at: Path) -> Iterator[Problem]:
        if not self.midway and qubit in self.measured:
            yield Problem(f"measures each qubit once, at the end; qubit {qubit} is measured again{{place}}.", at)
        elif not self.midway and clbit in self.written:
            yield Problem(f"writes each classical bit once; bit {clbit} is written again{{place}}.", at)
        self.measured.add(qubit)
        self.written.add(clbit)

    def after_measuring(self, name: str, qubits: Iterable[int], at: Path) -> Iterator[Problem]:
        again = [qubit for qubit in qubits if qubit in self.measured]
        if again and not self.midway:
            yield Problem(
                f"has no measurement in the middle of a circuit: gate '{name}' acts on qubit {again[0]} after it was "
                "measured{place}.", at
            )  # fmt: skip

    def gate(self, gate: Gate, qubits: tuple[int, ...], at: Path) -> Iterator[Problem]:
        if self.gates is not None:
            own = canonical_name(gate.name) if isinstance(gate.base, GateRow) else gate.name
            plain = own in self.gates.names and not gate.controls and not gate.powers
            if not plain and self.exact:
                yield Problem(f"has no gate '{_spelled(gate)}'{{place}}; it has {self.gates.text()}.", at)
            elif not plain:
                yield from self.makes(gate, qubits, at)
        if self.pairs is not None and len(qubits) > 1:
            yield from self.coupling(gate, qubits, at)

    def makes(self, gate: Gate, qubits: tuple[int, ...], at: Path) -> Iterator[Problem]:
        assert self.gates is not None
        from session.preparation.rebase import can_make

        why = can_make(gate, self.gates, len(qubits))
        if why:
            yield Problem(f"cannot do gate '{_spelled(gate)}'{{place}}: {why}", at)

    def coupling(self, gate: Gate, qubits: tuple[int, ...], at: Path) -> Iterator[Problem]:
        assert self.pairs is not None
        missing = [pair for pair in self.used_pairs(gate, qubits) if pair not in self.pairs]
        advice = (
            "Put the program's qubits elsewhere or swap them closer, or let the vendor's compiler or Qiskit route it."
        )
        if len(qubits) == 2 and missing:
            yield Problem(
                f"has no coupling of qubits {qubits[0]} and {qubits[1]}, which gate '{_spelled(gate)}' acts on{{place}}. "
                f"{advice}", at
            )  # fmt: skip
        elif missing:
            shown = ", ".join(f"{a} and {b}" for a, b in missing[:3])
            yield Problem(
                f"has no coupling of qubits {shown}, which gate '{_spelled(gate)}' takes{{place}}. {advice}", at
            )

    def used_pairs(self, gate: Gate, qubits: tuple[int, ...]) -> list[tuple[int, int]]:
        """The pairs that a gate's two-qubit gates are on."""
        if len(qubits) == 2:
            return [(qubits[0], qubits[1])]
        if gate.is_symbolic:
            return list(combinations(sorted(qubits), 2))
        from session.preparation.rebase import rebase

        made = rebase(Circuit(self.num_qubits)._append(gate, qubits, ()), ("u", "cx"))
        return sorted({(min(i.qubits), max(i.qubits)) for i in made if len(i.qubits) == 2})


def _spelled(gate: Gate) -> str:
    """A gate as OpenQASM 3 writes it, modifiers in front; braces doubled for a format."""
    words = []
    for value in gate.controls:
        words.append("ctrl @ " if value else "negctrl @ ")
    words += [f"pow({power:g}) @ " for power in reversed(gate.powers)]
    return ("".join(words) + gate.name).replace("{", "{{").replace("}", "}}")


class _Lines:
    """Lines of a source, read again only when they are asked for."""

    def __init__(self, source: Any) -> None:
        text = getattr(source, "source", source)
        self._text = text if isinstance(text, str) else None
        self._folders: tuple[str, ...] = getattr(source, "include_dirs", ())
        self._paths: tuple[Path, ...] | None = None  # by operation, where the circuit is not the text's own
        if getattr(source, "written", None) is not None:
            self._text, self._folders, self._paths = source.written
        self._places: Any = None

    def place(self, path: Path) -> str:
        """`` (line 3)``, or `` (operation 7)``, or nothing."""
        if not path:
            return ""
        if self._text is not None and self._places is None:
            from parsers.places import places

            try:
                self._places = places(self._text, MAIN, self._folders)
            except QsimError:  # it was read before, so only with settings that nobody has told
                self._text = None
        found = None if self._places is None else self._places.find(self._in_text(path))
        if found is None:
            return f" (operation {path[0]})"
        return f" (line {found[1]})" if found[0] == MAIN else f" (line {found[1]} of '{found[0]}')"

    def _in_text(self, path: Path) -> Path:
        """The path of an operation in the circuit that was read."""
        if self._paths is None:
            return path
        return (*self._paths[path[0]], *path[1:]) if path[0] < len(self._paths) else ()

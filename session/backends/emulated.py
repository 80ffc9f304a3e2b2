"""A target imitated on this machine, so that a program is tested before it is paid for.

What the target cannot do is refused as its adapter refuses it, by name and line; circuits are rebased as they would be
sent, and it is the rebased circuit that runs, with a `NoiseModel` whose channels are attached to the target's own gates.
Program qubit k is device qubit k: a gate on qubits that are not coupled is refused, with the pair. Routing is Qiskit's
part (backend ``qiskit``) or the vendor's compiler's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from qsim.circuit import Circuit
from qsim.errors import suggestion
from qsim.simulator import Simulator
from session.backends.experiments import experiments, results_of
from session.backends.protocol import Capabilities
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.preparation import check_target, check_task, prepare_circuit
from session.preparation.gate_sets import gate_set
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

_OPERATIONS = frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE))
#: Options of `backend_options` that are capabilities of the same name.
_LIMITS = ("num_qubits", "max_shots", "max_sets", "feed_forward", "mid_circuit")
_OPTIONS = ("like", "like_options", "label", "gates", "connectivity", "small_angles", "merge", "delays", *_LIMITS)


@dataclass(frozen=True)
class Target:
    """What is imitated.

    Args:
        can: its capabilities.
        label: what messages and results call it.
        small_angles: see `session.preparation.rebase`.
        merge: see `session.preparation.rebase`.
        delays: whether its programs can hold delays.
    """

    can: Capabilities
    label: str = "emulated"
    small_angles: bool = False
    merge: bool = True
    delays: bool = True


class EmulatedBackend:
    """Runs tasks on this package's engine as a target would: its gates, its couplings, its limits, its noise.

    Args:
        preferences: ``backend_options`` say what is imitated (see `target_of`); precision, threads, memory limit, method and
            noise are the engine's.
        target: what is imitated, when it is not in the preferences.

    >>> from session import ExecutionSession
    >>> options = {"gates": ["rz", "sx", "x", "cz"], "num_qubits": 2, "feed_forward": False}
    >>> with ExecutionSession(Circuit(3).h(0), "emulated", execution_preferences={"backend_options": options}) as session:
    ...     session.sample()
    Traceback (most recent call last):
    ...
    session.errors.SessionError: Backend 'emulated' has 2 qubits; the program needs 3.
    """

    def __init__(self, preferences: ExecutionPreferences, target: Target | None = None) -> None:
        from session.backends.local import make_simulator

        self._target = target_of(preferences.backend_options) if target is None else target
        self._simulator = make_simulator(preferences)
        self._can = replace(
            self._target.can, operations=_OPERATIONS, precision="shots", is_remote=False, idempotency="none",
            resumable=False, estimate_filters=False,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """What the target is called."""
        return self._target.label

    @property
    def simulator(self) -> Simulator:
        """The engine, with the noise."""
        return self._simulator

    def capabilities(self) -> Capabilities:
        """The target's, as far as they are its limits."""
        return self._can

    def check(self, program: Program, task: Task) -> None:
        """Raise what the target would refuse, by name and line; and two-qubit gates where there is no coupling."""
        check_task(program, task, self._can, self._label, delays=self._target.delays)
        if self._can.connectivity is not None:
            for circuit in self.circuits(program, task.part(0, 1)):
                self._check_couplings(circuit, program)

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set; a list of results where there are several observables."""
        found = [self._outcomes(self._prepared(one.circuit), one.shots, one.seed) for one in experiments(program, task)]
        return results_of(program, task, found, {"backend": self.name, "method": "emulated", "seed": task.seed})

    def circuits(self, program: Program, task: Task) -> list[Circuit]:
        """The circuits of a task as the target would be sent them, in its own gates.

        >>> import numpy as np
        >>> from session.programs import read_program
        >>> backend = emulate(gates=["r", "rz", "rxx"])
        >>> task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 100, 1)
        >>> sorted(backend.circuits(read_program(Circuit(2).h(0).cx(0, 1)), task)[0].count_ops())
        ['measure', 'r', 'rxx', 'rz']
        """
        return [self._prepared(one.circuit) for one in experiments(program, task)]

    # how ----------------------------------------------------------------------------------------------------
    @property
    def _label(self) -> str:
        return f"Backend '{self.name}'"

    def _prepared(self, circuit: Circuit) -> Circuit:
        target = self._target
        return prepare_circuit(circuit, target.can.gates, small_angles=target.small_angles, merge=target.merge)

    def _check_couplings(self, circuit: Circuit, program: Program) -> None:
        """Of the program's gates, told by lines, and then of the circuit as it would be sent."""
        wider = replace(self._can, gates=None)
        check_target(program.circuit, wider, name=self._label, source=program, coupled=True)
        check_target(circuit, wider, name=self._label, coupled=True)

    def _outcomes(self, circuit: Circuit, shots: int, seed: int) -> Mapping[int, int]:
        counts = self._simulator.sample(circuit, shots, seed=seed)
        return {int(key.replace(" ", "") or "0", 2): number for key, number in counts.items()}


def emulate(
    target: Any = None,
    *,
    noise: Any = None,
    preferences: ExecutionPreferences | Mapping[str, Any] | None = None,
    **options: Any,
) -> EmulatedBackend:
    """A backend that imitates a target on this machine; give it to `ExecutionSession` as its backend.

    Args:
        target: `Capabilities`, a backend whose capabilities are read (which may ask its service), or nothing.
        noise: a `NoiseModel`, whose rules name the target's own gates and readout errors its qubits.
        preferences: of the engine: precision, threads, memory limit, method.
        options: changes to the target, as `target_of` takes them.

    Raises:
        SessionError: an option is wrong.

    >>> from session import ExecutionSession
    >>> backend = emulate(gates=["prx", "cz"], num_qubits=5, connectivity=[(0, 2), (1, 2)], feed_forward=False)
    >>> with ExecutionSession(Circuit(3).cx(0, 1), backend) as session:
    ...     session.sample()
    Traceback (most recent call last):
    ...
    session.preparation.target.TargetError: Backend 'emulated' has no coupling of qubits 0 and 1, which gate 'cx' acts on \
(operation 0). Put the program's qubits elsewhere or swap them closer, or let the vendor's compiler or Qiskit route it.
    """
    from session.preferences import checked_preferences

    base = checked_preferences(preferences)
    if noise is not None:
        base = base.updated(noise=noise)
    return EmulatedBackend(base, target_of(options, target))


def target_of(options: Mapping[str, Any], like: Any = None) -> Target:
    """What to imitate, out of options.

    Args:
        options: ``like``, the name of a backend whose capabilities are read, and ``like_options``, its backend_options;
            ``label``, what to call it; ``gates``, names; ``connectivity``, pairs of qubits, each for both directions;
            ``num_qubits``, ``max_shots``, ``max_sets``, ``feed_forward``, ``mid_circuit`` as in `Capabilities`;
            ``small_angles`` and ``merge`` of `rebase`; ``delays``. What is left out is the backend's, or has no limit.
        like: capabilities, or a backend, to start from.

    >>> target_of({"gates": ["r", "rz", "rxx"], "num_qubits": 12}).small_angles
    True
    """
    for name in options:
        if name not in _OPTIONS:
            raise SessionError(
                f"An emulated target has no option {name!r}.{suggestion(str(name), _OPTIONS)} There are "
                f"{', '.join(_OPTIONS)}."
            )
    can, backend = _base(options, like)
    changes = {name: options[name] for name in _LIMITS if name in options}
    _check_limits(changes)
    if options.get("gates") is not None:
        changes["gates"] = frozenset(gate_set(_listed(options["gates"], "gates")).given)
    if options.get("connectivity") is not None:
        changes["connectivity"] = _pairs(options["connectivity"])
    can = replace(can, **changes)
    names = frozenset() if can.gates is None else gate_set(can.gates).names
    prepared = dict(getattr(backend, "preparation", {}))  # how an adapter rebases
    ions = {"r", "rxx"} <= names or "ms" in names
    label = options.get("label") or (f"emulated {backend.name}" if backend is not None else "emulated")
    return Target(
        can,
        str(label),
        _flag(options.get("small_angles", prepared.get("small_angles", ions and "u" not in names)), "small_angles"),
        _flag(options.get("merge", prepared.get("merge", True)), "merge"),
        _flag(options.get("delays", prepared.get("delays", True)), "delays"),
    )


def _base(options: Mapping[str, Any], like: Any) -> tuple[Capabilities, Any]:
    if like is None and options.get("like"):
        from session.backends.registry import load_backend

        chosen = ExecutionPreferences(backend=options["like"], backend_options=options.get("like_options") or {})
        like = load_backend(chosen)
    if like is None:
        return Capabilities(operations=_OPERATIONS), None
    if isinstance(like, Capabilities):
        return like, None
    if isinstance(like, str):
        raise SessionError(f"A backend that is emulated by its name is given as like={like!r}.")
    if not callable(getattr(like, "capabilities", None)):
        raise SessionError(f"What is emulated is Capabilities or a backend, got {type(like).__name__}.")
    return like.capabilities(), like


def _check_limits(changes: Mapping[str, Any]) -> None:
    known = {one.name for one in fields(Capabilities)}
    assert known.issuperset(changes)
    for name, value in changes.items():
        if name in ("feed_forward", "mid_circuit"):
            _flag(value, name)
        elif isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SessionError(f"{name} of an emulated target is a whole number of at least 1, got {value!r}.")


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise SessionError(f"{name} of an emulated target is True or False, got {value!r}.")
    return value


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise SessionError(f"{name} of an emulated target is a list, got {value!r}.")
    return list(value)


def _pairs(value: Any) -> frozenset[tuple[int, int]]:
    pairs = set()
    for pair in _listed(value, "connectivity"):
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Iterable):
            raise SessionError(f"connectivity is pairs of qubits, as [(0, 1), (1, 2)]; got {pair!r} in it.")
        both = tuple(pair)
        if len(both) != 2 or both[0] == both[1] or not all(type(q) is int and q >= 0 for q in both):
            raise SessionError(f"connectivity is pairs of different qubits, as [(0, 1), (1, 2)]; got {pair!r} in it.")
        pairs.add((both[0], both[1]))
    return frozenset(pairs)

"""What a Qiskit backend says of its limits, in as many ways as there are providers."""

from __future__ import annotations

from typing import Any

from session.backends.protocol import Capabilities
from session.backends.qiskit.circuits import operation_names, transpile_for
from session.errors import SessionError
from session.tasks import TaskKind

#: Shots that are allowed where a backend does not say.
DEFAULT_MAX_SHOTS = 1_000_000
#: What stands behind this adapter, and no more.
TESTED = (
    "offline: qiskit 2.1 to 2.6 with Aer 0.18, GenericBackendV2, fake backends of qiskit-ibm-runtime 0.51 and iqm-client 36, "
    "qiskit-aqt-provider 2.0's simulators; not run on a live service"
)


def max_shots(backend: Any) -> int:
    """The most shots of one circuit: of an attribute, the configuration, or the validator of the option ``shots``."""
    configuration = getattr(backend, "configuration", None)
    candidates = [getattr(backend, "max_shots", None), getattr(backend, "MAX_SHOTS", None)]
    if callable(configuration):
        try:
            candidates.append(getattr(configuration(), "max_shots", None))
        except Exception:  # a simulated backend may have none
            candidates.append(None)
    validator = getattr(getattr(backend, "options", None), "validator", {}).get("shots")
    if isinstance(validator, tuple) and len(validator) == 2:
        candidates.append(validator[1])
    numbers = [n for n in candidates if isinstance(n, int) and not isinstance(n, bool) and n > 0]
    return min(numbers, default=DEFAULT_MAX_SHOTS)


def max_circuits(backend: Any) -> int | None:
    """The most circuits of one job; None for any number."""
    number = getattr(backend, "max_circuits", None)
    return number if isinstance(number, int) and number > 0 else None


def connectivity(backend: Any) -> frozenset[tuple[int, int]] | None:
    """Pairs of qubits that a gate may act on; None for all."""
    target = getattr(backend, "target", None)
    build = getattr(target, "build_coupling_map", None)
    coupling = build() if callable(build) else None
    return None if coupling is None else frozenset((int(a), int(b)) for a, b in coupling.get_edges())


def gates(names: frozenset[str] | None) -> frozenset[str] | None:
    """The target's gates by the names that this package has them by; None where it has no list, or none is known."""
    from session.preparation import canonical_name

    known = frozenset(found for name in names or () if (found := canonical_name(name)) is not None)
    return known or None


def measures_midway(backend: Any) -> bool:
    """Whether the transpiler lets a qubit be used after it was measured, which no target says: tried on one qubit.

    A sampler that simulates by itself takes gates, and then measurements.
    """
    from qiskit import QuantumCircuit

    if backend is None:
        return False
    probe = QuantumCircuit(1, 2)
    probe.measure(0, 0)
    probe.x(0)
    probe.measure(0, 1)
    try:
        transpile_for(backend, [probe], optimization_level=0)
    except SessionError:
        return False
    return True


def capabilities(backend: Any, *, resumable: bool, idempotency: str, shots: int) -> Capabilities:
    """What a backend can do, as a session asks it; gates and connectivity are Qiskit's to care for."""
    names = operation_names(backend)
    number = getattr(backend, "num_qubits", None)
    return Capabilities(
        operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
        num_qubits=number if isinstance(number, int) else None,
        max_shots=shots,
        gates=gates(names),
        connectivity=connectivity(backend),
        accepts=frozenset(("qiskit",)),
        feed_forward=bool((names or set()) & {"if_else", "switch_case", "while_loop"}),
        mid_circuit=measures_midway(backend),
        precision="shots",
        is_remote=True,
        idempotency=idempotency,
        resumable=resumable,
        cancel=True,
        tested_against=TESTED,
    )

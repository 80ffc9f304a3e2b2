"""Facts about a circuit, for people and for programs."""

from __future__ import annotations

from typing import Any

from qsim.circuit import Circuit
from qsim.errors import QsimError
from qsim.memory import readable
from qsim.methods import choose
from qsim.simulator import Simulator
from session.preferences import DEFAULT_SHOTS

_NOT_GATES = {
    "measure", "reset", "barrier", "delay", "ifelse", "whileloop", "switch", "assign", "break", "continue", "end",
    "snapshot",
}  # fmt: skip
_LARGEST = 1 << 70


def describe(circuit: Circuit, simulator: Simulator) -> dict[str, Any]:
    """What is in a circuit, and what running it takes.

    `gates` counts table gates and definitions as they are written; `memory` is that of a statevector, in bytes, None when
    it is beyond any machine's. `method` is what samples the circuit here, "none" where nothing can, and `reason` why;
    `methods` says of each other method what it would take or what speaks against it. Whether a matrix-product state is
    enough for a wide circuit is found out by a run of a second or two.

    >>> facts = describe(Circuit(2).h(0).cx(0, 1).measure_all(), Simulator())
    >>> facts["qubits"], facts["gates"], facts["depth"], facts["operations"]
    (2, 2, 3, {'measure': 2, 'h': 1, 'cx': 1})
    >>> facts["method"], describe(Circuit(200).h(range(200)).measure_all(), Simulator())["method"]
    ('statevector', 'stabilizer')
    """
    operations = circuit.count_ops()
    arrays = {parameter.array.name: len(parameter.array) for parameter in circuit.parameters if parameter.array}
    scalars = {parameter.name: None for parameter in circuit.parameters if parameter.array is None}
    needed = simulator.estimate_memory(circuit) if circuit.num_qubits <= 70 else _LARGEST
    return {
        "qubits": circuit.num_qubits,
        "bits": circuit.num_clbits,
        "gates": sum(count for name, count in operations.items() if name not in _NOT_GATES),
        "depth": circuit.depth(),
        "operations": operations,
        "parameters": {**scalars, **arrays},
        "memory": needed if needed < _LARGEST else None,
        **_method(circuit, simulator),
    }


def _method(circuit: Circuit, simulator: Simulator) -> dict[str, Any]:
    """The method, why it is taken, and what the others would take or why they cannot."""
    try:
        choice = choose(circuit, simulator, "sample", trial=True)
    except QsimError as error:
        return {"method": "none", "reason": str(error), "methods": {}}
    branching = ", branch by branch" if circuit.is_dynamic and choice.method == "statevector" else ""
    others = {
        name: "beyond any machine's memory" if size is None else readable(size) for name, size in choice.memory.items()
    }
    facts = {"method": choice.method + branching, "reason": choice.reason}
    if choice.method == "statevector" and simulator.noise is not None and not simulator.noise.is_ideal:
        from qsim.noisy_simulation import sampling_facts

        facts = sampling_facts(simulator, circuit, DEFAULT_SHOTS)
    return {**facts, "methods": {**others, **choice.alternatives}}


def fact_text(name: str, value: Any) -> str:
    """One fact as a person reads it.

    >>> fact_text("operations", {"h": 2, "cx": 1})
    'h 2, cx 1'
    >>> fact_text("parameters", {"theta": None, "p": 4})
    'theta, p[4]'
    >>> fact_text("memory", 1 << 20)
    '1 MiB'
    """
    if name == "memory":
        return "beyond any machine's" if value is None else readable(value)
    if name == "parameters":
        return ", ".join(key if size is None else f"{key}[{size}]" for key, size in value.items()) or "none"
    if name == "operations":
        return ", ".join(f"{key} {count:,}" for key, count in value.items()) or "none"
    if name == "methods":
        return "; ".join(f"{key}: {text}" for key, text in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)

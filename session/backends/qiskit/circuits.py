"""Our circuits as a Qiskit target takes them: converted, checked and transpiled to what it has."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from qsim.circuit import Circuit, Reset
from qsim.classical import IfElse, Switch, WhileLoop, bodies
from session.errors import SessionError

#: Our operations that are no gates -> the names that targets give them.
_CONTROL = {IfElse: "if_else", Switch: "switch_case", WhileLoop: "while_loop"}
#: What Qiskit's transpiler needs no word for in a target.
_ALWAYS = frozenset(("barrier", "store"))


def needed_operations(circuit: Circuit) -> set[str]:
    """Names of a target's operations that a circuit cannot do without, however it is transpiled.

    >>> sorted(needed_operations(Circuit(1, 1).h(0).measure(0, 0).reset(0)))
    ['measure', 'reset']
    """
    found: set[str] = set()
    for one in circuit:
        operation = one.operation
        if one.clbits:
            found.add("measure")
        elif isinstance(operation, Reset):
            found.add("reset")
        elif not one.qubits:
            found |= {name for kind, name in _CONTROL.items() if isinstance(operation, kind)}
            for body in bodies(operation):  # type: ignore[arg-type]
                found |= needed_operations(body)
    return found


def to_named_bits(circuit: Circuit) -> Any:
    """A QuantumCircuit in which every classical bit is of a register: results are told by register."""
    from qiskit.circuit import ClassicalRegister

    from parsers import to_qiskit

    made = to_qiskit(circuit)
    named = {bit for register in made.cregs for bit in register}
    loose = [bit for bit in made.clbits if bit not in named]
    if loose:
        taken = {register.name for register in (*made.cregs, *made.qregs)}
        name = next(name for k in range(len(taken) + 1) if (name := f"bits{k}") not in taken)
        made.add_register(ClassicalRegister(name=name, bits=loose))
    return made


def registers_of(circuit: Circuit) -> list[list[Any]]:
    """Each classical register's name and bits, as JSON can hold them."""
    return [[register.name, list(register.indices)] for register in circuit.clbit_registers if len(register)]


def widths_of(circuit: Any) -> list[list[Any]]:
    """Each register's name and size in a QuantumCircuit, in its order."""
    return [[register.name, register.size] for register in circuit.cregs if register.size]


def transpiled(circuits: Sequence[Any], backend: Any, level: int, seed: int) -> list[Any]:
    """Circuits of the target's own gates, on its qubits and along its couplings.

    Raises:
        SessionError: Qiskit cannot rewrite a circuit so, with what it says.
    """
    from qiskit import transpile
    from qiskit.exceptions import QiskitError

    if not circuits:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of providers' own plug-ins
            made = transpile(list(circuits), backend=backend, optimization_level=level, seed_transpiler=seed)
    except QiskitError as error:
        raise SessionError(f"Qiskit cannot rewrite this circuit for '{name_of(backend)}': {error.message}") from None
    names = operation_names(backend)
    if names is not None:
        for before, after in zip(circuits, made, strict=True):
            _check_isa(before, after, names, backend)
    return list(made)


def _check_isa(before: Any, after: Any, names: frozenset[str], backend: Any) -> None:
    """Refuse what was left in; what a provider's own plug-in brought in, such as IQM's moves, is its own affair."""
    strange = sorted((set(after.count_ops()) & set(before.count_ops())) - names - _ALWAYS)
    if strange:
        raise SessionError(f"'{name_of(backend)}' has no {', '.join(map(repr, strange))}, and Qiskit left them in.")


def operation_names(backend: Any) -> frozenset[str] | None:
    """The names of what a backend's target has; None when it has no target."""
    target = getattr(backend, "target", None)
    names: Iterable[str] = getattr(target, "operation_names", ())
    return frozenset(names) or None


def name_of(backend: Any) -> str:
    """What a backend calls itself."""
    name = getattr(backend, "name", None)
    name = name() if callable(name) else name
    return str(name) if name else type(backend).__name__

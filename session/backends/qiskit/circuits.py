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
    return transpile_for(backend, circuits, optimization_level=level, seed_transpiler=seed)


def transpiled_alike(circuits: Sequence[Circuit], head: int, backend: Any, level: int, seed: int) -> list[Any]:
    """Circuits that are measured on the same qubits of the device, the first two of which measure its readout errors.

    Args:
        circuits: ours. After the first two each begins with `head` operations that make a state, and turns and measures
            it then. Both parts are transpiled on their own, the second one where the first ends.
        head: how many operations make the state.
        backend: the target.
        level: of optimization.
        seed: of the transpiler.

    Raises:
        SessionError: Qiskit cannot rewrite a circuit so, or moves qubits differently from circuit to circuit.
    """
    options: dict[str, Any] = {"optimization_level": level, "seed_transpiler": seed}
    states = [to_named_bits(_part(one, 0, head)) for one in circuits[2:]]
    made = transpile_for(backend, states[:1], **options)
    start = _layout(made[0], "initial_index_layout") if made else None
    made += transpile_for(backend, states[1:], **options, initial_layout=start)
    ends = [_layout(one, "final_index_layout") for one in made]
    there = ends[0] if ends else None
    tails = [*circuits[:2], *(_part(one, head, len(one)) for one in circuits[2:])]
    measured = transpile_for(backend, [to_named_bits(one) for one in tails], **options, initial_layout=there)
    moved = any(_layout(one, "final_index_layout") != there for one in measured)
    if moved or any(end != there for end in ends):
        raise SessionError(
            "Readout errors are measured on the qubits that a program ends on, and Qiskit moves this one's circuits to "
            "different ones. Do without readout_mitigation, or give another optimization_level or seed_transpiler."
        )
    joined = [
        state.compose(tail, qubits=state.qubits, clbits=state.clbits)
        for state, tail in zip(made, measured[2:], strict=True)
    ]
    return [*measured[:2], *joined]


def _part(circuit: Circuit, start: int, stop: int) -> Circuit:
    """Some of a circuit's operations, on all of its qubits and bits."""
    part = circuit.block()
    for k in range(start, stop):
        one = circuit[k]
        part._append(one.operation, one.qubits, one.clbits)
    return part


def transpile_for(backend: Any, circuits: Sequence[Any], **options: Any) -> list[Any]:
    """Qiskit's `transpile`, its errors as ours, and a look at whether everything left is the target's."""
    made = _transpile(list(circuits), backend, {"backend": backend, **options})
    names = operation_names(backend)
    if names is not None:
        for before, after in zip(circuits, made, strict=True):
            _check_isa(before, after, names, backend)
    return made


def _transpile(circuits: list[Any], backend: Any, options: dict[str, Any]) -> list[Any]:
    from qiskit import transpile
    from qiskit.exceptions import QiskitError

    if not circuits:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of providers' own plug-ins
            return list(transpile(circuits, **options))
    except QiskitError as error:
        said = error.message or str(error) or type(error).__name__
        raise SessionError(f"Qiskit cannot rewrite this circuit for '{name_of(backend)}': {said[:500]}") from None


def _layout(circuit: Any, which: str) -> list[int] | None:
    """The device's qubit of each of the program's, at the beginning or the end; None where nothing was moved."""
    return None if circuit.layout is None else list(getattr(circuit.layout, which)(filter_ancillas=True))


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

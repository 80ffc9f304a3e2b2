"""Our circuits as Qiskit's."""

from __future__ import annotations

import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from parsers.errors import QasmWarning
from parsers.interop import refuse
from parsers.qiskit_gates import CLASSES
from parsers.qiskit_writer_values import Classical, expr_zero
from parsers.synthesis import as_table_phase
from parsers.writer_loops import leaves_several, one_level_at_a_time
from parsers.writer_variables import hidden_variables, uses
from qsim.circuit import Barrier, Circuit, Delay, GateDefinition, Instruction, Measure, Reset, Snapshot
from qsim.classical import Assign, Break, Continue, FeedForward, IfElse, Switch, WhileLoop
from qsim.gates import MAX_MATRIX_QUBITS, Gate, GateRow, UnitaryMatrix
from qsim.parameters import Expression, Parameter, Value

_DURATION = re.compile(r"\s*([0-9.eE+-]+)\s*(ns|us|µs|ms|s|dt)\s*\Z")
#: Rows with a phase of their own: (row of Qiskit's class, the phase in front of it).
_PHASED: dict[str, tuple[str, Callable[..., Any]]] = {
    "U": ("u", lambda a, b, c: a / 2),
    "u3_su2": ("u", lambda a, b, c: -(b + c) / 2),
    "u2_su2": ("u2", lambda b, c: -(b + c) / 2),
}


def write(ours: Circuit) -> Any:
    """The QuantumCircuit of a circuit."""
    if not isinstance(ours, Circuit):
        refuse(f"to_qiskit takes a qsim.Circuit, got {type(ours).__name__}.")
    if ours.has_feed_forward and leaves_several(ours):
        ours = one_level_at_a_time(ours)
    return _Writer(ours).circuit


class Parameters:
    """Our parameters as Qiskit's."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        from qiskit.circuit import Parameter as Theirs
        from qiskit.circuit import ParameterVector

        self.by_name: dict[str, Any] = {}
        vectors: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.array is None:
                self.by_name[parameter.name] = Theirs(parameter.name)
                continue
            name = parameter.array.name
            if name not in vectors:
                vectors[name] = ParameterVector(name, len(parameter.array))
            self.by_name[parameter.name] = vectors[name][parameter.index]

    def value(self, value: Value, formals: Mapping[str, Any] | None = None) -> Any:
        """A number or a ParameterExpression."""
        if not isinstance(value, Expression):
            return value
        stack: list[Any] = []
        for node in value._postorder():
            if isinstance(node, float):
                stack.append(node)
            elif isinstance(node, Parameter):
                stack.append((formals or {}).get(node.name, self.by_name.get(node.name)))
            elif len(node.args) == 2:
                right = stack.pop()
                stack.append(_binary(node.op, stack.pop(), right))
            else:
                stack.append(_unary(node.op, stack.pop()))
        return stack[0]


def _binary(op: str, a: Any, b: Any) -> Any:
    if op == "mod" and not hasattr(a, "parameters") and not hasattr(b, "parameters"):
        return a % b
    if op == "mod":
        refuse("Qiskit's parameters have no remainder ('%'). Bind the parameter first.")
    plain: dict[str, Callable[[Any, Any], Any]] = {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow
    }  # fmt: skip
    return plain[op](a, b)


def _unary(op: str, a: Any) -> Any:
    if op == "neg":
        return -a
    if op == "sqrt":
        return a**0.5
    if op in ("floor", "ceiling") and hasattr(a, "parameters"):
        refuse(f"Qiskit's parameters have no function '{op}'. Bind the parameter first.")
    if hasattr(a, "parameters"):
        return abs(a) if op == "abs" else getattr(a, op)()
    plain: dict[str, Callable[[Any], Any]] = {
        "arcsin": math.asin,
        "arccos": math.acos,
        "arctan": math.atan,
        "abs": abs,
        "ceiling": math.ceil,
    }
    return plain.get(op, getattr(math, op, abs))(a)


class _Writer:
    def __init__(self, ours: Circuit) -> None:
        from qiskit import QuantumCircuit

        self.parameters = Parameters(ours.parameters)
        self.definitions: dict[object, Any] = {}
        self.circuit = QuantumCircuit(name=ours.name)
        self.qubits = _qubits(self.circuit, ours)
        self.classical = Classical(*self._bits(ours))
        self.clbits = self.classical.bits
        self.block(ours, self.circuit, {})

    def _bits(self, ours: Circuit) -> tuple[dict[int, Any], dict[tuple[int, ...], Any], dict[tuple[int, ...], Any]]:
        """Bits by number, registers and variables by their bits.

        Bits in no register hold variables, which Qiskit has too; those that are measured into are bits there.
        """
        from qiskit import ClassicalRegister
        from qiskit.circuit import Clbit
        from qiskit.circuit.classical import types

        bits: dict[int, Any] = {}
        registers: dict[tuple[int, ...], Any] = {}
        for register in ours.clbit_registers:
            theirs = ClassicalRegister(len(register), register.name)
            self.circuit.add_register(theirs)
            registers[register.indices] = theirs
            bits.update(zip(register.indices, theirs, strict=True))
        touched = list(uses(ours)) if ours.num_clbits > len(bits) else []
        measured = {bit for used, _, is_target in touched if is_target for bit in used}
        hidden = {bit for used, _, _ in touched for bit in used} - bits.keys()
        variables: dict[tuple[int, ...], Any] = {}
        for number, variable in enumerate(hidden_variables(ours, hidden)[0]):
            if variable.kind == "float":
                refuse("A real number that is kept while the circuit runs is not converted to Qiskit.")
            if not measured.isdisjoint(variable.bits):
                continue
            kind = types.Bool() if variable.kind == "bool" else types.Uint(len(variable.bits))
            variables[variable.bits] = self.circuit.add_var(f"value_{number}", expr_zero(kind))
        inside = {bit for variable in variables for bit in variable}
        for bit in sorted(hidden - inside):
            bits[bit] = Clbit()
            self.circuit.add_bits([bits[bit]])
        return bits, registers, variables

    def block(self, ours: Circuit, theirs: Any, formals: Mapping[str, Any], qubits: Any = None) -> None:
        """Append all operations of a circuit, its global phase too."""
        wires = self.qubits if qubits is None else qubits
        theirs.global_phase += self.parameters.value(ours.global_phase, formals)
        for instruction in ours:
            operation, on = instruction.operation, [wires[q] for q in instruction.qubits]
            if isinstance(operation, Gate):
                self.gate(operation, on, theirs, formals)
            elif isinstance(operation, (Measure, Reset, Barrier, Delay)):
                self.simple(operation, instruction, on, theirs)
            else:
                self.feed_forward(operation, theirs)

    def simple(
        self, operation: Measure | Reset | Barrier | Delay, instruction: Instruction, on: list[Any], theirs: Any
    ) -> None:
        if isinstance(operation, Measure):
            theirs.measure(on[0], self.clbits[instruction.clbits[0]])
        elif isinstance(operation, Reset):
            theirs.reset(on)
        elif isinstance(operation, Delay):
            match = _DURATION.match(operation.duration)
            if match is None:
                refuse(f"A delay is in ns, us, ms, s or dt, such as '100ns'; got '{operation.duration}'.")
            number, unit = float(match.group(1)), match.group(2)
            if unit == "dt" and not number.is_integer():
                refuse(f"A delay in dt is a whole number; got '{operation.duration}'.")
            theirs.delay(int(number) if unit == "dt" else number, on, unit="us" if unit == "µs" else unit)
        elif on:
            if isinstance(operation, Snapshot):
                warnings.warn(f"Snapshot '{operation.label}' becomes a barrier.", QasmWarning, stacklevel=2)
            theirs.barrier(on)

    # feed-forward -------------------------------------------------------------------------------------------
    def feed_forward(self, node: FeedForward, theirs: Any) -> None:
        bits = theirs.qubits, theirs.clbits
        if isinstance(node, IfElse):
            orelse = None if node.orelse is None else self.body(node.orelse)
            theirs.if_else(self.classical.condition(node.condition), self.body(node.body), orelse, *bits)
        elif isinstance(node, WhileLoop):
            theirs.while_loop(self.classical.condition(node.condition), self.body(node.body), *bits)
        elif isinstance(node, Switch):
            self.switch(node, theirs)
        elif isinstance(node, Assign):
            self.classical.assign(node, theirs)
        elif isinstance(node, Break):
            theirs.break_loop()
        elif isinstance(node, Continue):
            theirs.continue_loop()
        else:
            what = {"WithValues": "gate parameters that depend on measurements", "End": "'end'"}[type(node).__name__]
            refuse(f"Qiskit's circuits have no {what}.")

    def body(self, ours: Circuit) -> Any:
        from qiskit import QuantumCircuit

        whole = self.circuit
        parts = (whole.qubits, whole.clbits, *whole.qregs, *whole.cregs)
        theirs = QuantumCircuit(*parts, captures=self.classical.variables.values())
        self.block(ours, theirs, {})
        return theirs

    def switch(self, node: Switch, theirs: Any) -> None:
        from qiskit.circuit import CASE_DEFAULT

        cases: list[tuple[Any, Any]] = []
        seen: set[int] = set()
        target = self.classical.number(node.target)
        for labels, body in node.cases:
            fresh = [int(label) for label in dict.fromkeys(labels) if label not in seen]
            seen.update(fresh)
            fresh = [label for label in fresh if 0 <= label < 1 << target.type.width]  # no other value is possible
            if fresh:
                cases.append((tuple(fresh), self.body(body)))
        if node.default is not None:
            cases.append((CASE_DEFAULT, self.body(node.default)))
        if cases:
            theirs.switch(target, cases, theirs.qubits, theirs.clbits)

    # gates --------------------------------------------------------------------------------------------------
    def gate(self, gate: Gate, on: list[Any], theirs: Any, formals: Mapping[str, Any]) -> None:
        """Append a gate."""
        gate = as_table_phase(gate)
        value = partial(self.parameters.value, formals=formals)
        base, controls = gate.base, gate.controls
        if gate.powers:
            self.power(gate, on, theirs, formals)
            return
        if isinstance(base, GateRow) and base.name == "gphase":
            if controls:
                self.controlled_phase(gate, on, theirs, formals)
            else:
                theirs.global_phase += value(gate.params[0])
            return
        if not controls and isinstance(base, GateRow) and base.name in _PHASED:
            row, phase = _PHASED[base.name]
            theirs.append(_standard(row, [value(p) for p in gate.params]), on)
            theirs.global_phase += value(phase(*gate.params))
            return
        operation = self.base(base, [value(p) for p in gate.params])
        if controls:
            state = sum(bit << k for k, bit in enumerate(controls))
            operation = operation.control(len(controls), ctrl_state=state, annotated=False)
        theirs.append(operation, on)

    def base(self, base: GateRow | GateDefinition | UnitaryMatrix, params: list[Any]) -> Any:
        """A gate of Qiskit's without modifiers."""
        from qiskit.circuit.library import UnitaryGate

        if isinstance(base, UnitaryMatrix):
            return UnitaryGate(base.matrix, label=base.name)
        if isinstance(base, GateDefinition):
            return self.definition(base, params)
        if base.name in CLASSES:
            return _standard(base.name, params)
        if base.name in _PHASED:
            row, phase = _PHASED[base.name]
            return _gate(
                base.name, base.num_qubits, lambda body: body.append(_standard(row, params), [0]), phase(*params)
            )
        if base.name == "u0":
            return _standard("id", [])
        return UnitaryGate(base.matrix(), label=base.name)  # the inverse of iswap, c3sqrtx or rc3x, csxdg

    def definition(self, base: GateDefinition, params: list[Any]) -> Any:
        key = (base, tuple(map(str, params)))
        known = self.definitions.get(key)
        if known is None:
            formals = {p.name: value for p, value in zip(base.parameters, params, strict=True)}
            numbers = {name: value for name, value in formals.items() if isinstance(value, float)}
            ours = base.body.bind(numbers) if numbers else base.body
            known = _gate(
                base.name, base.num_qubits, lambda body: self.block(ours, body, formals, range(base.num_qubits)), 0
            )
            self.definitions[key] = known
        return known

    def power(self, gate: Gate, on: list[Any], theirs: Any, formals: Mapping[str, Any]) -> None:
        plain = gate._with(powers=())
        exponent = 1.0
        for power in gate.powers:
            exponent *= power
        if not gate.is_symbolic and gate.base.num_qubits <= MAX_MATRIX_QUBITS - 2:
            matrix = UnitaryMatrix(gate.base_matrix(), gate.name)
            self.gate(Gate(matrix)._with(controls=gate.controls), on, theirs, formals)
        elif all(power.is_integer() for power in gate.powers) and abs(exponent) <= 64:
            operation = self.base(gate.base, [self.parameters.value(p, formals) for p in plain.params])
            if exponent < 0:
                operation = operation.inverse()
            if gate.controls:
                state = sum(bit << k for k, bit in enumerate(gate.controls))
                operation = operation.control(len(gate.controls), ctrl_state=state, annotated=False)
            for _ in range(abs(int(exponent))):
                theirs.append(operation, on)
        else:
            refuse(f"The power {exponent:g} of '{gate.name}' with parameters has no word in Qiskit. Bind them first.")

    def controlled_phase(self, gate: Gate, on: list[Any], theirs: Any, formals: Mapping[str, Any]) -> None:
        """A phase where all controls have their values: a phase gate on the last of them."""
        last = on[-1]
        phase = Gate("p", *gate.params)._with(controls=gate.controls[:-1])
        if not gate.controls[-1]:
            theirs.x(last)
        self.gate(phase, on, theirs, formals)
        if not gate.controls[-1]:
            theirs.x(last)


def _standard(row: str, params: list[Any]) -> Any:
    from qiskit.circuit import library

    return getattr(library, CLASSES[row])(*params)


def _gate(name: str, qubits: int, fill: Callable[[Any], Any], phase: Any) -> Any:
    from qiskit import QuantumCircuit

    body = QuantumCircuit(qubits, name=name, global_phase=phase)
    fill(body)
    return body.to_gate()


def _qubits(theirs: Any, ours: Circuit) -> list[Any]:
    """Add registers and loose qubits, in the order of their numbers."""
    from qiskit import QuantumRegister
    from qiskit.circuit import Qubit

    starts = {register.indices[0]: register for register in ours.qubit_registers if register.indices}
    qubits: list[Any] = []
    while len(qubits) < ours.num_qubits:
        register = starts.get(len(qubits))
        if register is None:
            new = [Qubit()]
            theirs.add_bits(new)
        else:
            new = QuantumRegister(len(register), register.name)
            theirs.add_register(new)
        qubits.extend(new)
    return qubits

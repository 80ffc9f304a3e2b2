"""Qubit operands, gate calls with modifiers, and gate definitions of OpenQASM 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from parsers.hints import gate_hint
from parsers.qasm3_context import BitVariable, Frame, Qubits, Variable, kind_of
from parsers.qasm3_quick import Quick
from parsers.qasm3_types import INTEGERS, Type
from qsim.circuit import ROW, Circuit, GateDefinition, expanded_size
from qsim.classical import WithValues
from qsim.gates import GATES, MAX_CONTROLS, Gate, GateRow
from qsim.parameters import Parameter, Value

_IN_GATE_BODY = {
    "QuantumGate", "QuantumPhase", "ForInLoop", "QuantumBarrier", "ConstantDeclaration", "BranchingStatement", "CompoundStatement",
    "DelayInstruction", "Box", "Pragma", "BreakStatement", "ContinueStatement",
}  # fmt: skip


class Gates(Quick):
    """Lowers gate calls and definitions."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.defining: list[str] = []

    def execute(self, node: Any) -> None:
        """Lower one statement."""
        raise NotImplementedError

    # operands -----------------------------------------------------------------------------------------------
    def register(self, node: Any, wanted: type[Qubits] | type[BitVariable]) -> tuple[tuple[int, ...], bool]:
        """The qubits (or bits) that an operand names, and whether it is a single one."""
        kind = type(node).__name__
        what = "qubit" if wanted is Qubits else "bit"
        if kind == "Concatenation":
            left, _ = self.register(node.lhs, wanted)
            right, _ = self.register(node.rhs, wanted)
            most = self.limits.qubits if wanted is Qubits else self.limits.clbits
            if len(left) + len(right) > most:
                raise self.error(f"A joined register has at most {most:,} {what}s.", node)
            both = left + right
            if wanted is Qubits and len(set(both)) != len(both):
                raise self.error("A qubit occurs once in a joined register.", node)
            return both, False
        if kind == "Identifier":
            symbol = self.lookup(node.name, node)
            if isinstance(symbol, (Qubits, BitVariable)) and isinstance(symbol, wanted):
                return symbol.indices, symbol.scalar
            if isinstance(symbol, Variable) and wanted is BitVariable:
                raise self.error(
                    f"'{node.name}' is of type {symbol.type}; only bits hold measured values while a circuit runs. "
                    "Use a bit register.",
                    node,
                )
            raise self.error(f"A {what} is needed here; '{node.name}' is a {kind_of(symbol)}.", node)
        if kind == "IndexedIdentifier":
            (indices, scalar), name = self.register(node.name, wanted), node.name.name
            for index in node.indices:
                indices, scalar = self._element(indices, scalar, index, name, node)
            return indices, scalar
        if kind == "IndexExpression":
            indices, scalar = self.register(node.collection, wanted)
            name = getattr(node.collection, "name", "this register")
            return self._element(indices, scalar, node.index, name, node)
        joined = kind == "BinaryExpression" and node.op.name == "||"
        raise self.error(f"A {what} is needed here.{' Registers are joined with ++.' if joined else ''}", node)

    def _element(
        self, indices: tuple[int, ...], scalar: bool, index: Any, name: str, node: Any
    ) -> tuple[tuple[int, ...], bool]:
        if scalar:
            raise self.error(f"'{name}' is one element and has no index.", node)
        positions, single = self.positions(index, len(indices), name, node)
        if not positions:
            raise self.error(f"This picks nothing of '{name}'.", node)
        if len(set(positions)) != len(positions):
            raise self.error(f"An element of '{name}' is picked twice.", node)
        return tuple(indices[k] for k in positions), single

    def broadcast(self, nodes: Sequence[Any], node: Any) -> list[tuple[int, ...]]:
        """The tuples of qubits that a gate on these operands goes through."""
        operands = [self.register(operand, Qubits) for operand in nodes]
        lengths = {len(indices) for indices, scalar in operands if not scalar}
        if len(lengths) > 1:
            raise self.error(
                f"Registers in one statement have one size; here they have {' and '.join(map(str, sorted(lengths)))}.",
                node,
            )
        times = lengths.pop() if lengths else 1
        return [tuple(indices[0] if scalar else indices[k] for indices, scalar in operands) for k in range(times)]

    # calls --------------------------------------------------------------------------------------------------
    def gate_named(self, name: str, node: Any) -> GateRow | GateDefinition:
        """The gate of this name."""
        symbol = self.find(name)
        if isinstance(symbol, (GateRow, GateDefinition)):
            return symbol
        if name in self.defining:
            raise self.error(f"A gate cannot use itself; '{name}' does.", node)
        if symbol is None:
            if name == "CX":  # built in until version 3, and used so by programs of the specification
                self.warn("CX comes with stdgates.inc. Add 'include \"stdgates.inc\";' after the version line.", node)
                self.included_names = self.included_names | {name}
                self.globals[name] = GATES["cx"]
                return GATES["cx"]
            self.unknown_gate_hint(name, node)
        if symbol is not None:
            hint = f" Write {name}(...) to call it." if kind_of(symbol) == "subroutine" else ""
            raise self.error(f"A gate is needed here; '{name}' is a {kind_of(symbol)}.{hint}", node)
        self._no_gate(name, node)

    def _no_gate(self, name: str, node: Any) -> NoReturn:
        if name == "opaque":
            raise self.error("'opaque' belongs to OpenQASM 2; in version 3 a gate has a body.", node)
        gates = [n for n in self.names() if isinstance(self.find(n), (GateRow, GateDefinition))]
        raise self.error(f"There is no gate called '{name}'.{gate_hint(name, gates)}", node)

    def _QuantumGate(self, node: Any) -> None:
        if not node.modifiers and self.plain_gate(node):
            return
        name = node.name.name
        if name == "nop" and self.find(name) is None:
            self.broadcast(node.qubits, node)
            return
        base = self.gate_named(name, node)
        self.angles = []
        params = [self.angle(argument) for argument in node.arguments]
        if len(params) != base.num_params:
            expected = base.num_params
            raise self.error(
                f"Gate '{name}' takes {expected} parameter{'s' * (expected != 1)}, got {len(params)}.", node
            )
        self.apply(self.guard(node, Gate, base, *params), node)

    def _QuantumPhase(self, node: Any) -> None:
        self.angles = []
        self.apply(self.guard(node, Gate, "gphase", self.angle(node.argument)), node)

    def apply(self, gate: Gate, node: Any) -> None:
        """Apply a gate with the node's modifiers to its operands, in a block when its parameters are not known yet."""
        angles, self.angles = self.angles, []
        if not angles:
            self._apply(gate, node)
            return
        with self.block() as body:
            self._apply(gate, node)
        self.emit(WithValues(tuple(angle for angle, _ in angles), tuple(value for _, value in angles), body))

    def _apply(self, gate: Gate, node: Any) -> None:
        """Apply a gate with the node's modifiers to its operands."""
        for modifier in reversed(node.modifiers):
            gate = self._modified(gate, modifier, node)
        operands = self.broadcast(node.qubits, node)
        if len(operands[0]) != gate.num_qubits:
            raise self.error(
                f"Gate '{gate.name}'{' with its controls' if gate.controls else ''} acts on {gate.num_qubits} "
                f"qubit{'s' * (gate.num_qubits != 1)}, got {len(operands[0])}."
                + " A phase of one qubit is p(angle) q." * (gate.name == "gphase"), node
            )  # fmt: skip
        self.add_count(max(1, expanded_size(gate)) * len(operands), node)
        circuit = self.circuit
        self.guard(node, circuit._append, gate, operands[0], ())
        if gate.is_symbolic or not gate.num_qubits:
            for qubits in operands[1:]:
                self.guard(node, circuit._append, gate, qubits, ())
            return
        code, _, count, *rest = circuit._rows[-ROW:]  # the same for all of a register, but for the qubits
        for qubits in operands[1:]:
            if len(set(qubits)) != len(qubits):
                self.guard(node, circuit._append, gate, qubits, ())  # says what is wrong
            circuit._rows.extend((code, len(circuit._operands), count, *rest))
            circuit._operands.extend(qubits)

    def _modified(self, gate: Gate, modifier: Any, node: Any) -> Gate:
        kind, argument = modifier.modifier.name, modifier.argument
        if kind == "inv":
            return self.guard(node, gate.inverse)
        if kind == "pow":
            value = self.evaluate(argument)
            if value.is_runtime or value.is_symbolic:
                raise self.error("The exponent of pow must be known when the program is read.", argument)
            if value.type.kind not in ("float", "angle", "bool", *INTEGERS):
                raise self.error(f"The exponent of pow is a real number, got a value of type {value.type}.", argument)
            return self.guard(argument, gate.power, self.to_angle(value, argument))
        number = 1 if argument is None else self.constant_int(argument, "The number of controls")
        if not 1 <= number <= MAX_CONTROLS:
            shown = number if abs(number) < 10**30 else "this number"
            raise self.error(f"A gate has 1 to {MAX_CONTROLS} controls, got {shown}.", argument or node)
        return self.guard(node, gate.control, number, 1 if kind == "ctrl" else 0)

    # definitions --------------------------------------------------------------------------------------------
    def _QuantumGateDefinition(self, node: Any) -> None:
        name = node.name.name
        if len(self.frame.scopes) > 1 or self.frame.inside:
            raise self.error("A gate is defined at the top level of a program.", node)
        formals, wires = [a.name for a in node.arguments], [q.name for q in node.qubits]
        both = formals + wires
        for formal in both:
            if both.count(formal) > 1:
                raise self.error(
                    f"The parameters and qubits of a gate have different names; '{formal}' occurs twice.", node
                )
        parameters = [Parameter(formal) for formal in formals]
        body = Circuit(len(wires))
        frame = Frame([{}], f"gate '{name}'", self.level)
        for parameter in parameters:
            frame.scopes[0][parameter.name] = Variable(Type("angle"), parameter, "a parameter of the gate")
        for k, wire in enumerate(wires):
            frame.scopes[0][wire] = Qubits((k,), True)
        outer, count = self.frame, self.count
        self.frame = frame
        self.blocks.append(body)
        self.defining.append(name)
        try:
            for statement in node.body:
                self.check_gate_body(statement)
                self.execute(statement)
        finally:
            self.frame, self.count = outer, count
            self.blocks.pop()
            self.defining.pop()
        self.declare(name, self.guard(node, GateDefinition, name, parameters, body), node)

    def check_gate_body(self, node: Any) -> None:
        """Refuse what is no part of a gate's body."""
        kind = type(node).__name__
        if kind not in _IN_GATE_BODY:
            what = {"QuantumMeasurementStatement": "measurement", "QuantumReset": "reset"}.get(kind, "such statement")
            raise self.error(f"The body of a gate holds gates, constants and loops only, no {what}.", node)
        for block in ("block", "if_block", "else_block", "body", "statements"):
            for statement in getattr(node, block, None) or ():
                self.check_gate_body(statement)

    def include_gates(self, file: str, names: dict[str, str]) -> None:
        """Bring in the gates of a built-in include."""
        if file in self.included:
            return
        self.included.add(file)
        self.included_names = self.included_names | (names.keys() - self.globals.keys())
        for name, row in names.items():
            self.globals.setdefault(name, GATES[row])


__all__ = ["Callable", "Gates", "Value"]

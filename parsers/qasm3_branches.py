"""Branches of OpenQASM 3: what is known is decided now, what is measured becomes blocks of the circuit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from parsers import qasm3_runtime as runtime
from parsers.errors import QasmError
from parsers.qasm3_expressions import NotKnown
from parsers.qasm3_statements import Statements
from parsers.qasm3_types import INTEGERS
from parsers.qasm3_variables import parts, written_bits
from qsim.circuit import Circuit
from qsim.classical import Assign, Break, IfElse, Literal, Switch, WhileLoop

#: Values of an index for each of which a statement is lowered.
MAX_CHOICES = 1024


@dataclass
class Chosen:
    """A statement in which an index has a value."""

    span: Any
    statement: Any
    index: Any
    value: int


class Stop(Exception):
    """Nothing after this is reached, up to the end of the block."""


class NeedsBlocks(Exception):
    """A loop or subroutine is left in a branch that depends on a measurement: it must be lowered as blocks."""

    def __init__(self, target: Any, word: str) -> None:
        super().__init__()
        self.target = target
        self.word = word


class Branches(Statements):
    """Lowers if and switch."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.looked_at: dict[int, list[Any]] = {}  # branches that do not run, by identity; kept so that it stays theirs

    def branch(self, nodes: Iterable[Any]) -> Circuit:
        """The block of statements that run or not, by measured bits."""
        with self.block() as circuit, suppress(Stop):
            self.execute_all(nodes)
        return circuit

    def _branches(self, bodies: list[Iterable[Any]], node: Any) -> list[Circuit]:
        """Blocks of which at most one runs; afterwards only what agrees in all is known."""
        kept = self.keep_assigned(bodies, node)
        values = self.values_of(kept)
        known, measured = dict(self.known), set(self.measured)
        after: list[tuple[dict[int, int], set[int]]] = []
        blocks = []
        for body in bodies:
            self.known, self.measured = dict(known), set(measured)
            self.restore_values(kept, values)
            blocks.append(self.branch(body))
            after.append((self.known, self.measured))
        after.append((known, measured))
        self.measured = set().union(*[entry[1] for entry in after])
        self.known = {}
        for bit in set().union(*[entry[0].keys() for entry in after]):
            values_of_bit = {entry[0].get(bit, 0) for entry in after}
            if len(values_of_bit) > 1:
                self.measured.add(bit)
            else:
                self.known[bit] = values_of_bit.pop()
        self.forget(kept)
        return blocks

    @contextmanager
    def one_shot(self) -> Iterator[int]:
        """A block that a break leaves: a loop of one round. Gives how many loops of the circuit are around its inside."""
        with self.block() as body:
            self.loop_depth += 1
            try:
                yield self.loop_depth
            finally:
                self.loop_depth -= 1
            self.emit(Break())
        self.emit(WhileLoop(Literal(1), body))
        written = written_bits(body)
        self.measured |= written
        for bit in written:
            self.known.pop(bit, None)

    def _BranchingStatement(self, node: Any) -> None:
        condition = self.truth(node.condition)
        if not condition.is_runtime:
            self._unused(node.else_block if condition.value else node.if_block)
            self.execute_all(node.if_block if condition.value else node.else_block)
            return
        if not node.else_block:
            (body,) = self._branches([node.if_block], node)
            self.emit(IfElse(condition.value, body))
            return
        body, orelse = self._branches([node.if_block, node.else_block], node)
        self.emit(IfElse(condition.value, body, orelse))

    def _unused(self, statements: list[Any]) -> None:
        """Look at the gates of a branch that never runs: a misspelt one is an error all the same."""
        if not statements or id(statements) in self.looked_at:
            return
        self.looked_at[id(statements)] = statements
        for node in parts(statements):
            if type(node).__name__ == "QuantumGate" and (node.name.name != "nop" or self.find("nop") is not None):
                self.gate_named(node.name.name, node)

    def choose(self, statement: Any, unknown: NotKnown) -> None:
        """Lower a statement once for each value of an index that is known only while the circuit runs."""
        if unknown.value.type.kind not in ("bit", "bool", *INTEGERS) or unknown.length > MAX_CHOICES:
            raise unknown
        values = range(unknown.length)
        self.work(30 * unknown.length, statement)
        bodies: list[Iterable[Any]] = [[Chosen(statement.span, statement, unknown.node, value)] for value in values]
        blocks = self._branches(bodies, statement)
        # A wrong index fails here while the circuit runs, as everywhere; a negative one counts from the end.
        target = runtime.operation("pick", runtime.expression(unknown.value), *values)
        self.emit(Switch(target, tuple(((value,), block) for value, block in zip(values, blocks, strict=True))))

    def _Chosen(self, node: Chosen) -> None:
        self.assumed[id(node.index)] = node.value
        try:
            self.execute(node.statement)
        except QasmError as error:
            if "different qubits" not in error.message and "passed twice" not in error.message:
                raise
            scratch = self.add_bits(1, "", node)  # an error only if the index ever has this value
            self.emit(Assign(scratch, runtime.operation("repeated", node.value)))
        finally:
            del self.assumed[id(node.index)]

    def _SwitchStatement(self, node: Any) -> None:
        target = self.evaluate(node.target)
        if target.type.kind not in ("bit", "bool", *INTEGERS):
            raise self.error(
                f"The value of a switch is an integer or bits, got a value of type {target.type}.", node.target
            )
        if target.is_symbolic:
            target = runtime.run_time(target)
        seen: set[int] = set()
        cases: list[tuple[list[int], Any]] = []
        for labels, body in node.cases:
            values = [self.constant_int(label, "A case label") for label in labels]
            for value, label in zip(values, labels, strict=True):
                if value in seen:
                    raise self.error(f"A case label occurs once; {value} occurs again.", label)
                seen.add(value)
            cases.append((values, body))
        if not cases:
            raise self.error("A switch has at least one case.", node)
        if target.is_runtime:
            bodies = [body.statements for _, body in cases]
            if node.default is not None:
                bodies.append(node.default.statements)
            blocks = self._branches(bodies, node)
            labelled = tuple((tuple(values), block) for (values, _), block in zip(cases, blocks, strict=False))
            self.emit(Switch(target.value, labelled, blocks[-1] if node.default is not None else None))
            return
        for values, body in cases:
            if int(target.value) not in values:
                self._unused(body.statements)
        for values, body in cases:
            if int(target.value) in values:
                self.execute_all(body.statements)
                return
        if node.default is not None:
            self.execute_all(node.default.statements)

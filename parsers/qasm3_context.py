"""What lowering an OpenQASM 3 program keeps: scopes and what names mean, the circuit blocks, and bits known so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from parsers.errors import Consequence, QasmError, Source
from parsers.library import QELIB1_NAMES, STDGATES_NAMES
from parsers.limits import Limits
from parsers.qasm3_operators import CONSTANTS, FUNCTIONS, Operators
from parsers.qasm3_types import Problem, Type, Typed
from qsim.circuit import Circuit, GateDefinition
from qsim.classical import Assign, Bits, ClassicalExpression, FeedForward, Literal
from qsim.errors import QsimError, suggestion
from qsim.gates import GATES, GateRow

_T = TypeVar("_T")


_WIDE = 64  # bits


def declared_names(node: Any) -> list[str]:
    """The name that a statement declares, if any."""
    named = {"ClassicalDeclaration": "identifier", "ConstantDeclaration": "identifier", "IODeclaration": "identifier",
             "QubitDeclaration": "qubit", "QuantumGateDefinition": "name", "SubroutineDefinition": "name",
             "AliasStatement": "target", "ExternDeclaration": "name"}.get(type(node).__name__)  # fmt: skip
    return [] if named is None else [getattr(node, named).name]


@dataclass(slots=True)
class Variable:
    """A classical value; `level` is how many measurement-dependent branches enclose its declaration.

    `bits` keep it while the circuit runs, when it depends on a measurement or an input; see `qasm3_variables`.
    """

    type: Type
    value: Any
    constant: str = ""  # why it may not be assigned; empty when it may
    level: int = 0
    bits: tuple[int, ...] | None = None


@dataclass(slots=True)
class BitVariable:
    """Classical bits of the circuit."""

    indices: tuple[int, ...]
    scalar: bool


@dataclass(slots=True)
class Qubits:
    """Qubits of the circuit: a register, one qubit, or an alias of some."""

    indices: tuple[int, ...]
    scalar: bool


@dataclass(slots=True)
class Subroutine:
    """A `def`: its syntax tree."""

    node: Any


Symbol = Variable | BitVariable | Qubits | Subroutine | GateRow | GateDefinition
_KINDS = {Variable: "variable", BitVariable: "bit register", Qubits: "qubit register", Subroutine: "subroutine",
          GateRow: "gate", GateDefinition: "gate"}  # fmt: skip


def kind_of(symbol: Symbol) -> str:
    """What a symbol is, for messages."""
    return _KINDS[type(symbol)]


@dataclass(slots=True)
class Loop:
    """A loop being lowered: whether it runs while the circuit runs, and in how many branches its body is.

    `breaks` and `continues` are how many loops of the circuit are around what a break or continue in a branch leaves;
    None for a loop that is unrolled without such blocks.
    """

    runtime: bool
    level: int
    breaks: int | None = None
    continues: int | None = None
    node: Any = None


@dataclass
class Frame:
    """The names of one program, gate body or subroutine call."""

    scopes: list[dict[str, Symbol]] = field(default_factory=lambda: [{}])
    inside: str = ""  # "gate 'g'", "subroutine 'f'"; empty for the program
    level: int = 0
    loops: list[Loop] = field(default_factory=list)
    return_type: Type | None = None
    #: For a return in a branch: how many loops of the circuit are around the block that it leaves, and its value's bits.
    returns: int | None = None
    result: tuple[int, ...] | None = None


class Context:
    """State and helpers shared by every part of the lowering."""

    def __init__(self, source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> None:
        self.source = source
        self.include_dirs = include_dirs
        self.limits = limits
        self.operators = Operators(limits.integer_bits)
        self.root = Circuit()
        self.blocks: list[Circuit] = [self.root]
        self.globals: dict[str, Symbol] = {"U": GATES["U"]}
        self.top = self.frame = Frame([self.globals])
        self.broken: set[str] = set()  # names whose declaration is wrong
        self.depth = 0
        self.level = 0  # measurement-dependent branches around the current statement
        self.known: dict[int, int] = {}  # the values of written bits that are known while the program is read
        self.measured: set[int] = set()  # bits whose value is not known
        self.count = 0
        self.trips = 0
        self.statements = 0  # that were unrolled
        self.files: list[str] = []
        self.included: set[str] = set()
        self.included_names: set[str] = set()  # gates of an include that the program may still redefine

    @property
    def circuit(self) -> Circuit:
        """The block that operations go to."""
        return self.blocks[-1]

    def work(self, units: int, node: Any) -> None:
        """Count work that loops, subroutines and arrays make, before it is done."""
        self.statements += units
        if self.statements > self.limits.statements:
            raise self.error(
                "The loops, subroutines and arrays of this program make too much work while it is read. Raise the limit: "
                f"Limits(statements={self.limits.statements:,}) counts a gate 1, an assignment 12, any other statement 20.",
                node,
            )

    def emit(self, node: FeedForward) -> None:
        """Append a feed-forward node; its blocks and bits are the circuit's own, so nothing is checked or copied."""
        self.circuit._append_other(node, (), ())

    # places and errors --------------------------------------------------------------------------------------
    def error(self, message: str, node: Any) -> QasmError:
        """The error at a node of the syntax tree, or at an offset."""
        if isinstance(node, int):
            return self.source.error(message, node)
        span = getattr(node, "span", None)
        if span is None:
            return QasmError(message, self.source.filename)
        return self.source.error(message, span.start_column)  # an offset, since the tree was relocated

    def guard(self, node: Any, action: Callable[..., _T], *args: Any) -> _T:
        """The result of an action whose problems belong to `node`."""
        try:
            return action(*args)
        except QasmError:
            raise
        except (Problem, QsimError) as problem:
            raise self.error(str(problem), node) from None

    # names --------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Symbol | None:
        """What a name means here; None when it means nothing."""
        for scope in reversed(self.frame.scopes):
            symbol = scope.get(name)
            if symbol is not None:
                return symbol
        return self.globals.get(name)

    def lookup(self, name: str, node: Any) -> Symbol:
        """What a name means here; an error when it means nothing or may not be used here."""
        symbol = self.find(name)
        if symbol is None:
            if name[0] == "$":
                return self.physical(name, node)
            self.unknown(name, node)
        if (
            self.frame.inside
            and self.globals.get(name) is symbol
            and not any(name in scope for scope in self.frame.scopes)
            and (
                isinstance(symbol, (BitVariable, Qubits))
                or (isinstance(symbol, Variable) and symbol.constant != "const")
            )
        ):
            raise self.error(
                f"'{name}' is not visible in {self.frame.inside}: from outside only constants are. Pass it as an argument.",
                node,
            )
        if isinstance(symbol, (BitVariable, Qubits)) and not symbol.indices:  # exporters declare those
            raise self.error(f"Register '{name}' has no elements, so nothing can be done with it.", node)
        return symbol

    def names(self) -> Iterator[str]:
        """The names that mean something here."""
        for scope in (*self.frame.scopes, self.globals):
            yield from scope

    def unknown(self, name: str, node: Any) -> NoReturn:
        """The error for a name without meaning."""
        self.unknown_gate_hint(name, node)
        if name in CONSTANTS:
            raise self.error(f"'{name}' is built in and cannot be used here.", node)
        scopes = (*self.frame.scopes, self.globals)
        declared = [n for scope in scopes for n, s in scope.items() if not isinstance(s, (GateRow, GateDefinition))]
        known = [*declared, *CONSTANTS, *FUNCTIONS]
        raise self.error(f"'{name}' is not declared.{suggestion(name, known)}", node)

    def unknown_gate_hint(self, name: str, node: Any) -> None:
        """An error when `name` is a gate that an include would bring, or one whose definition is wrong."""
        if name in self.broken:
            raise Consequence(f"The declaration of '{name}' is wrong.", self.source.filename)
        if name in STDGATES_NAMES and "stdgates.inc" not in self.included:
            raise self.error(
                f"Gate '{name}' comes with an include. Add 'include \"stdgates.inc\";' after the version line.", node
            )
        if name.lower() in ("cnot", "not"):  # also where a call looks like one of a subroutine
            meant = "cx" if name.lower() == "cnot" else "x"
            raise self.error(f"There is no gate called '{name}'. Did you mean '{meant}'?", node)
        if name in QELIB1_NAMES and "qelib1.inc" not in self.included:
            raise self.error(
                f"Gate '{name}' is not in stdgates.inc. Define it with 'gate', or include \"qelib1.inc\".", node
            )

    def declare(self, name: str, symbol: Symbol, node: Any) -> None:
        """Give a name a meaning in the innermost scope."""
        scope = self.frame.scopes[-1]
        if len(name) > self.limits.token_length:
            raise self.error(f"A name has at most {self.limits.token_length} characters.", node)
        if scope is self.globals and name in self.included_names:
            del scope[name]  # a program's own name wins over an include's gate
            self.included_names.discard(name)
        if name in scope:
            raise self.error(
                f"'{name}' is declared already, as a {kind_of(scope[name])}; names are unique in a scope.", node
            )
        if name in CONSTANTS or (
            scope is self.globals and name in FUNCTIONS and not isinstance(symbol, (Subroutine, GateDefinition))
        ):
            raise self.error(f"'{name}' is built in and cannot be declared.", node)
        scope[name] = symbol

    @contextmanager
    def scope(self) -> Iterator[dict[str, Symbol]]:
        """A scope inside the current one."""
        names: dict[str, Symbol] = {}
        self.frame.scopes.append(names)
        try:
            yield names
        finally:
            self.frame.scopes.pop()

    @contextmanager
    def block(self) -> Iterator[Circuit]:
        """A block of operations that runs or not, by measured bits."""
        circuit = self.circuit.block()
        self.blocks.append(circuit)
        self.level += 1
        try:
            yield circuit
        finally:
            self.level -= 1
            self.blocks.pop()

    # qubits and bits ----------------------------------------------------------------------------------------
    def add_qubits(self, size: int, name: str, node: Any) -> tuple[int, ...]:
        """New qubits of the circuit."""
        if size < 0:
            raise self.error(f"The number of qubits is at least 0, got {_shown(size)}.", node)
        if self.root.num_qubits + size > self.limits.qubits:
            raise self.error(
                f"A program has at most {self.limits.qubits:,} qubits; {_shown(size)} more are too many.", node
            )
        register: tuple[int, ...] = self.guard(node, self.root.add_qubits, size, name).indices
        self._grow()
        return register

    def add_bits(self, size: int, name: str, node: Any) -> tuple[int, ...]:
        """New classical bits; those of the program itself are a register, those of blocks have no name."""
        if size < 0:
            raise self.error(f"The number of bits is at least 0, got {_shown(size)}.", node)
        first = self.root.num_clbits
        if first + size > self.limits.clbits:
            raise self.error(
                f"A program has at most {self.limits.clbits:,} bits; {_shown(size)} more are too many.", node
            )
        if self.frame.scopes[-1] is self.globals and name:
            self.guard(node, self.root.add_clbits, size, name)
        else:
            self.root._num_clbits += size
        self._grow()
        return tuple(range(first, first + size))

    def _grow(self) -> None:
        for block in self.blocks[1:]:
            block._num_qubits, block._num_clbits = self.root._num_qubits, self.root._num_clbits

    def physical(self, name: str, node: Any) -> Qubits:
        """A physical qubit, $n; distinct ones are distinct qubits of the circuit."""
        if self.root.num_qubits >= self.limits.qubits:
            raise self.error(f"A program has at most {self.limits.qubits:,} qubits.", node)
        symbol = Qubits(self.add_qubits(1, name, node), True)
        self.globals[name] = symbol
        return symbol

    def read_bits(self, indices: Sequence[int], scalar: bool) -> Typed:
        """The value of bits: known, or to be read while the circuit runs."""
        kind = Type("bit", None if scalar else len(indices))
        self.add_count(len(indices) // 8 if len(indices) > _WIDE else 0)
        if self.measured.isdisjoint(indices):
            if len(indices) > _WIDE:  # shifts of such numbers take long
                return Typed(kind, int("".join("1" if self.known.get(bit, 0) else "0" for bit in indices[::-1]), 2))
            return Typed(kind, sum(self.known.get(bit, 0) << k for k, bit in enumerate(indices)))
        return Typed(kind, Bits(tuple(indices)))

    def write_bits(self, indices: Sequence[int], value: ClassicalExpression | int) -> None:
        """Assign bits, remembering what is known."""
        self.add_count(len(indices) if len(indices) > _WIDE else 1)
        if isinstance(value, int):
            size = len(indices)
            digits = f"{value & ((1 << size) - 1):0{size}b}"
            bits = {bit: int(digit) for bit, digit in zip(indices, reversed(digits), strict=True)}
            if self.measured.isdisjoint(indices) and all(self.known.get(bit, 0) == v for bit, v in bits.items()):
                return
            self.known.update(bits)
            self.measured.difference_update(indices)
            value = Literal(value)
        else:
            self.measured.update(indices)
        self.emit(Assign(tuple(indices), value))

    def add_count(self, size: int, node: Any = 0) -> None:
        """Count operations, before they are made."""
        self.count += size
        if self.count > self.limits.operations:
            raise self.error(
                f"A program has at most {self.limits.operations:,} operations when loops and definitions are expanded; "
                "this makes more. Raise the limit: Limits(operations=...).", node
            )  # fmt: skip


def _shown(number: int) -> str:
    return f"{number:,}" if abs(number) < 10**30 else "this number"

"""Text drawings of small circuits.

A circuit becomes a list of pieces, each a label, a link or a box over some adjacent lines; pieces are put into the
earliest column where none of their lines is taken, and columns are printed from left to right. Lines are the qubits
in order, then one line for every classical register.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from qsim.circuit import Barrier, Circuit, Delay, Instruction, Measure, Register, Reset
from qsim.classical import (
    Assign,
    Bits,
    Break,
    ClassicalExpression,
    Continue,
    End,
    FeedForward,
    IfElse,
    Input,
    Literal,
    Switch,
    WhileLoop,
    WithValues,
    bodies,
    clbits_of,
)  # fmt: skip
from qsim.gates import Gate, GateRow, UnitaryMatrix
from qsim.parameters import Value

MAX_QUBIT_LINES = 100
MAX_REGISTER_LINES = 20
MAX_COLUMNS = 400
MAX_PIECES = 5_000
MAX_LABEL = 40

_LABELS = {
    "sdg": "S†", "tdg": "T†", "sxdg": "SX†", "csdg": "S†", "csxdg": "SX†", "csx": "SX", "cs": "S", "c3sqrtx": "SX",
    "c3sqrtxdg": "SX†", "iswapdg": "ISWAP†", "rc3xdg": "RC3X†", "cp": "P", "cu": "U", "cu3": "U", "u2_su2": "U2",
    "u3_su2": "U3", "id": "I", "xx_plus_yy": "XX+YY", "xx_minus_yy": "XX-YY",
    **{name: "X" for name in ("cx", "ccx", "c3x", "c4x")},
    **{name: name.lstrip("c").upper() for name in ("cy", "cz", "ch", "ccz", "crx", "cry", "crz")},
}  # fmt: skip
_SYMMETRIC = {"rxx", "ryy", "rzz", "iswap", "iswapdg"}


@dataclass
class _Piece:
    """What is printed in one column: text on lines, and text in the gaps below lines.

    `link` is the character of the gaps between `top` and `bottom` that have no text of their own.
    """

    top: int
    bottom: int
    cells: dict[int, str]
    gaps: dict[int, str] = field(default_factory=dict)
    link: str = "│"


def draw(circuit: Circuit, max_width: int | None = None) -> str:
    """A text drawing of a circuit; columns that do not fit into `max_width` characters go below.

    Controls are ``●`` (``○`` when the control must be 0), ``╳`` is a swap, ``M`` a measurement into the bit whose
    number stands on the register's line, ``|0>`` a reset and ``░`` a barrier. A gate on several qubits is a box
    that numbers them in the gate's order. Feed-forward is in brackets: ``[if c==1: X ]``. What a huge circuit has
    beyond the limits of a drawing is counted below it.

    Args:
        circuit: any circuit.
        max_width: how many characters a line may have; no limit when None.

    Returns:
        Lines of text without trailing blanks or newline.

    >>> print(draw(Circuit(2, 1).h(0).cx(0, 1).measure(1, 0)))
    q_0: ─H─●───
            │
    q_1: ───X─M─
              ║
      c: ═════0═
    """
    return _Drawing(circuit, max_width).text()


class _Drawing:
    def __init__(self, circuit: Circuit, max_width: int | None) -> None:
        self.circuit = circuit
        self.lines = _Lines(circuit)
        names = self.lines.names
        self.indent = max((len(name) for name in names), default=0) + 2
        self.max_width = max_width
        room = MAX_LABEL if max_width is None else max_width - self.indent - 4
        self.max_label = max(8, min(MAX_LABEL, room))
        self.drawn = 0  # operations of the circuit, not of the bodies in it

    def text(self) -> str:
        lines = self.lines
        if not lines.names:
            return "(an empty circuit)"
        columns = self._columns()
        panels = self._panels(columns)
        parts = []
        for k, panel in enumerate(panels):
            parts.append("\n".join(line.rstrip() for line in self._render(panel, more=k < len(panels) - 1)))
        notes = lines.notes()
        left = len(self.circuit) - self.drawn
        if left:
            notes.append(f"… {left:,} more operation{'s' * (left != 1)} not drawn")
        phase = self.circuit.global_phase
        if phase != 0.0:
            notes.insert(0, f"global phase: {_number(phase)}")
        return "\n\n".join(parts) + ("\n" + "\n".join(notes) if notes else "")

    # columns ------------------------------------------------------------------------------------------------
    def _columns(self) -> list[list[_Piece]]:
        columns: list[list[_Piece]] = []
        free = [0] * len(self.lines.names)  # line -> first column where it is free
        budget = MAX_PIECES
        for instruction in self.circuit:
            pieces = list(islice(self._pieces(instruction, self.lines.all_qubits()), budget + 1))
            budget -= max(1, len(pieces))
            if budget < 0:
                break
            if pieces and all(piece.top >= self.lines.first_hidden for piece in pieces):
                continue
            placed = []
            for piece in pieces:
                span = range(piece.top, piece.bottom + 1)
                column = max(free[line] for line in span)
                placed.append((column, piece))
                for line in span:
                    free[line] = column + 1
            if placed and max(column for column, _ in placed) >= MAX_COLUMNS:
                break
            if len(placed) > 1:  # nothing moves beside a block on the lines that it reads
                block = range(min(piece.top for piece in pieces), max(piece.bottom for piece in pieces) + 1)
                free[block.start : block.stop] = [max(free[line] for line in block)] * len(block)
            for column, piece in placed:
                columns.extend([] for _ in range(column + 1 - len(columns)))
                columns[column].append(piece)
            self.drawn += 1
        return columns

    def _panels(self, columns: list[list[_Piece]]) -> list[list[list[_Piece]]]:
        panels: list[list[list[_Piece]]] = [[]]
        used = self.indent + 1
        for column in columns:
            width = _width(column) + 1
            if self.max_width is not None and panels[-1] and used + width > self.max_width - 1:
                panels.append([])
                used = self.indent + 1
            panels[-1].append(column)
            used += width
        return panels

    def _render(self, columns: list[list[_Piece]], more: bool) -> list[str]:
        names = self.lines.names
        rows = []
        for line, name in enumerate(names):
            wire = self.lines.wire(line)
            row, gap = [f"{name:>{self.indent - 2}}: {wire}"], [" " * (self.indent + 1)]
            for column in columns:
                width = _width(column)
                center = (width - 1) // 2
                text, below = wire * width, " " * width
                for piece in column:
                    if piece.top <= line <= piece.bottom:
                        text = _put(text, piece.cells.get(line, _crossing(piece.link, wire)), center)
                        if line < piece.bottom:
                            below = _put(below, piece.gaps.get(line, piece.link), center)
                row.append(text + wire)
                gap.append(below + " ")
            rows.append("".join(row) + ("»" if more else ""))
            if line < len(names) - 1:
                rows.append("".join(gap))
        return rows

    # pieces -------------------------------------------------------------------------------------------------
    def _pieces(self, instruction: Instruction, span: list[int]) -> Iterator[_Piece]:
        """The pieces of one operation; `span` are the lines of the block that it is in."""
        operation = instruction.operation
        lines = [self.lines.of_qubit(q) for q in instruction.qubits]
        if isinstance(operation, Gate):
            yield self._gate(operation, lines)
        elif isinstance(operation, Measure):
            line, bit = self.lines.of_clbit(instruction.clbits[0])
            cells = {lines[0]: "M", line: bit}
            yield _Piece(lines[0], line, cells, link="║")
        elif isinstance(operation, Reset):
            yield _single(lines[0], "|0>")
        elif isinstance(operation, Barrier):
            cells = dict.fromkeys(lines, "░")
            if cells:
                top, bottom = min(lines), max(lines)
                gaps = {k: "░" if k in cells and k + 1 in cells else " " for k in range(top, bottom)}
                cells = {k: cells.get(k, self.lines.wire(k)) for k in range(top, bottom + 1)}
                yield _Piece(top, bottom, cells, gaps)
        elif isinstance(operation, Delay):
            for line in dict.fromkeys(lines):
                yield _single(line, f"delay({operation.duration})")
        else:
            yield from self._feed_forward(operation, span)

    def _gate(self, gate: Gate, lines: list[int]) -> _Piece:
        base = gate.base
        values = gate.controls + ((1,) * base.controls if isinstance(base, GateRow) else ())
        label = self._cut(_label(gate))
        controls = {line: "●" if value else "○" for line, value in zip(lines, values, strict=False)}
        targets = lines[len(values) :]
        top, bottom = min(lines), max(lines)
        if not targets:  # a controlled phase: any positive control may carry it
            carrier = next((k for k in reversed(lines) if controls[k] == "●"), None)
            if carrier is None:
                carrier = lines[-1]
                label = "○ " + label
            elif not gate.powers:
                label = "P" + label.removeprefix("GPHASE")
            return _Piece(top, bottom, {**controls, carrier: label})
        if len(set(targets)) == 1:
            return _Piece(top, bottom, {**controls, targets[0]: label})
        if isinstance(base, GateRow) and base.name in ("swap", "cswap") and not gate.powers:
            return _Piece(top, bottom, {**controls, **dict.fromkeys(targets, "╳")})
        symmetric = isinstance(base, GateRow) and base.name in _SYMMETRIC
        inside = {line: "" if symmetric else str(k) for k, line in enumerate(targets)}
        return self._box(label, inside, controls, (top, bottom))

    def _box(self, label: str, inside: dict[int, str], controls: dict[int, str], ends: tuple[int, int]) -> _Piece:
        """A box over the lines of `inside`; a control between them is marked at the box's edge."""
        top, bottom = min(inside), max(inside)
        width = max(len(label) + 2, *(len(text) for text in inside.values()))
        cells = dict(controls)
        gaps = {line: f"│{'':{width}}│" for line in range(top, bottom)}
        gaps[top + (bottom - top - 1) // 2] = f"│{label:^{width}}│"
        for line in range(top, bottom + 1):
            if line in inside or line in controls:
                cells[line] = f"┤{inside.get(line, controls.get(line, '')):{width}}├"
            else:
                cells[line] = f"┼{self.lines.wire(line) * width}┼"
        return _Piece(ends[0], ends[1], cells, gaps)

    def _feed_forward(self, node: FeedForward, span: list[int]) -> Iterator[_Piece]:
        name = self.lines.bits_name
        if isinstance(node, Assign):
            line = self.lines.of_clbit(node.clbits[0])[0] if node.clbits else len(self.lines.names) - 1
            read = [self.lines.of_clbit(c)[0] for c in sorted(clbits_of(node.value))]
            text = self._cut(f"{name(node.clbits)}={_expression(node.value, self.lines)}")
            cells = {**{k: "╬" for k in read}, line: text}
            yield _Piece(min(cells), max(cells), cells, link="║")
        elif isinstance(node, (Break, Continue, End)):
            word = type(node).__name__.lower()
            yield _Piece(min(span), max(span), {line: word for line in span if line == min(span)})
        else:
            branches, source = _branches(node, self.lines)
            inner = self._span(node) or span
            read = sorted({self.lines.of_clbit(c)[0] for c in clbits_of(source)})
            for k, (head, body) in enumerate(branches):
                joined = read if k == 0 or head != "else" else []
                yield self._bracket(("[" if k == 0 else "|") + self._cut(head) + ":", inner, joined)
                for instruction in body:
                    yield from self._pieces(instruction, inner)
            yield self._bracket("]", inner, [])

    def _bracket(self, text: str, span: list[int], read: Sequence[int]) -> _Piece:
        """An edge of a block over the lines of `span`, joined to the registers that its condition reads."""
        top, bottom = min(span), max(span)
        width = len(text)
        cells = {}
        for line in range(top, bottom + 1):
            wire = self.lines.wire(line)
            cells[line] = text if line == top else text[0] + wire * (width - 1)
        gaps = {line: f"{text[0]:{width}}" for line in range(top, bottom)}
        below = [line for line in read if line > bottom]
        for line in below:
            cells[line] = "╬" if line != below[-1] else "╩"
        return _Piece(top, max(cells), cells, gaps, link="║")

    def _span(self, node: FeedForward) -> list[int]:
        """The lines that a block covers: its qubits, or its registers when it has none."""
        qubits: set[int] = set()
        registers: set[int] = set()
        stack: list[FeedForward] = [node]
        while stack:
            node = stack.pop()
            if isinstance(node, Assign):
                registers.update(self.lines.of_clbit(c)[0] for c in node.clbits)
            for body in bodies(node):
                for instruction in body:
                    qubits.update(self.lines.of_qubit(q) for q in instruction.qubits)
                    if not isinstance(instruction.operation, (Gate, Measure, Reset, Barrier, Delay)):
                        stack.append(instruction.operation)
        covered = qubits or registers
        return list(range(min(covered), max(covered) + 1)) if covered else []

    def _cut(self, label: str) -> str:
        return label if len(label) <= self.max_label else label[: self.max_label - 1] + "…"


class _Lines:
    """Which line a qubit or a bit is on, and what lines are called."""

    def __init__(self, circuit: Circuit) -> None:
        self.num_qubits = circuit.num_qubits
        self.qubit_lines = min(circuit.num_qubits, MAX_QUBIT_LINES)
        names = _element_names(circuit.qubit_registers, self.qubit_lines)
        self.names = [names.get(q, f"qubit_{q}") for q in range(self.qubit_lines)]
        self.hidden_qubits = circuit.num_qubits - self.qubit_lines
        if self.hidden_qubits:
            self.names.append("⋮")
        self.first_register = len(self.names)
        self.first_hidden = self.qubit_lines if self.hidden_qubits else len(self.names) + len(circuit.clbit_registers)
        self.registers = circuit.clbit_registers
        self.hidden_registers = max(0, len(self.registers) - MAX_REGISTER_LINES)
        self.names += [register.name for register in self.registers[:MAX_REGISTER_LINES]]
        if self.hidden_registers:
            self.names.append("⋮")
        self._starts: dict[int, tuple[int, int]] = {}
        for k, register in enumerate(self.registers):
            line = self.first_register + min(k, MAX_REGISTER_LINES)
            for index, clbit in enumerate(register.indices):
                self._starts.setdefault(clbit, (line, index))

    def of_qubit(self, qubit: int) -> int:
        return min(qubit, self.qubit_lines)

    def all_qubits(self) -> list[int]:
        return list(range(self.first_register)) or [0]

    def of_clbit(self, clbit: int) -> tuple[int, str]:
        """Its line, and its number in its register."""
        line, index = self._starts.get(clbit, (len(self.names) - 1, clbit))
        return line, str(index)

    def wire(self, line: int) -> str:
        return "─" if line < self.first_register else "═"

    def bits_name(self, clbits: tuple[int, ...]) -> str:
        for register in self.registers:
            if register.indices == clbits:
                return register.name
        names = []
        for clbit in clbits:
            line, index = self.of_clbit(clbit)
            names.append(f"{self.names[line]}[{index}]")
        return names[0] if len(names) == 1 else "{" + ",".join(names) + "}"

    def notes(self) -> list[str]:
        hidden = [(self.hidden_qubits, "qubit"), (self.hidden_registers, "classical register")]
        return [f"… {count:,} more {what}{'s' * (count != 1)} share the line ⋮" for count, what in hidden if count]


def _element_names(registers: Sequence[Register], limit: int) -> dict[int, str]:
    names: dict[int, str] = {}
    for register in registers:
        for index, element in enumerate(register.indices[:limit]):
            names.setdefault(element, f"{register.name}_{index}")
    return names


def _single(line: int, text: str) -> _Piece:
    return _Piece(line, line, {line: text})


def _width(column: Sequence[_Piece]) -> int:
    return max(len(text) for piece in column for text in (*piece.cells.values(), *piece.gaps.values(), " "))


def _put(line: str, text: str, center: int) -> str:
    start = center - (len(text) - 1) // 2
    return line[:start] + text + line[start + len(text) :]


def _crossing(link: str, wire: str) -> str:
    if wire == "─":
        return {"│": "┼", "║": "╫"}[link]
    return link


# labels -----------------------------------------------------------------------------------------------------
def _label(gate: Gate) -> str:
    base = gate.base
    if isinstance(base, GateRow):
        label = _LABELS.get(base.name, base.name.upper())
    else:
        label = "U" if isinstance(base, UnitaryMatrix) and base.name == "unitary" else base.name
    if gate.params:
        label += "(" + ",".join(_number(p) for p in gate.params) + ")"
    for k, power in enumerate(gate.powers):
        label = f"({label})" if k else label
        label += "†" if power == -1 else f"^{power:.4g}"
    return label


def _number(value: Value) -> str:
    """A short form of an angle: fractions of pi where they are exact, else four digits.

    >>> _number(-3 * math.pi / 4), _number(0.5), _number(1e-7)
    ('-3π/4', '0.5', '1e-07')
    """
    if isinstance(value, float):
        for denominator in (1, 2, 3, 4, 6, 8, 16):
            numerator = value / math.pi * denominator
            whole = round(numerator)
            if whole and abs(whole) <= 64 and abs(numerator - whole) < 1e-12 * denominator:
                sign, times = "-" * (whole < 0), "" if abs(whole) == 1 else str(abs(whole))
                return f"{sign}{times}π" + (f"/{denominator}" if denominator > 1 else "")
        return f"{value:.4g}"
    return re.sub(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?", lambda m: _number(float(m[0])), str(value)).replace(" ", "")


def _branches(
    node: IfElse | WhileLoop | Switch | WithValues, lines: _Lines
) -> tuple[list[tuple[str, Circuit]], ClassicalExpression]:
    """Heads and bodies of a block, and the expression that is read."""
    if isinstance(node, Switch):
        target = _expression(node.target, lines)
        branches = [(f"if {target}=={','.join(map(str, labels))}", body) for labels, body in node.cases]
        return branches + ([("else", node.default)] if node.default is not None else []), node.target
    if isinstance(node, WithValues):
        names = ",".join(
            f"{parameter.name}={_expression(value, lines)}"
            for parameter, value in zip(node.parameters, node.values, strict=True)
        )
        return [(names, node.body)], node.values[0] if node.values else Literal(0)
    word = "while" if isinstance(node, WhileLoop) else "if"
    branches = [(f"{word} {_expression(node.condition, lines)}", node.body)]
    if isinstance(node, IfElse) and node.orelse is not None:
        branches.append(("else", node.orelse))
    return branches, node.condition


def _expression(expression: ClassicalExpression, lines: _Lines, inner: bool = False) -> str:
    if isinstance(expression, Literal):
        return str(int(expression.value) if isinstance(expression.value, bool) else expression.value)
    if isinstance(expression, Bits):
        return lines.bits_name(expression.clbits)
    if isinstance(expression, Input):
        return f"({expression.expression})" if inner else str(expression.expression)
    args = [_expression(arg, lines, inner=True) for arg in expression.args]
    if len(args) == 2 and not expression.op.isalpha() and "_" not in expression.op:
        text = f"{args[0]}{expression.op}{args[1]}"
        return f"({text})" if inner else text
    prefix = {"neg": "-", "!": "!"}.get(expression.op)
    return f"{prefix}{args[0]}" if prefix else f"{expression.op}({','.join(args)})"

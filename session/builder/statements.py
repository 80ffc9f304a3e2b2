"""Statements that are no gates: allocation, blocks that are controlled, undone or repeated, and changes of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qsim.gates import Gate
from session.builder.errors import BuilderError
from session.builder.symbols import Condition, Symbol, whole
from session.builder.tracing import Block, BranchStep, controlled, inverted, tracer
from session.builder.types import QType
from session.builder.variables import QArray, QuantumCondition, QVariable, check_distinct, number_type, qubits_of

MAX_STEPS = 5_000_000


# variables ------------------------------------------------------------------------------------------------------
def allocate(*args: Any, out: QVariable | None = None, **named: Any) -> None:
    """Give a variable fresh qubits in |0>: ``allocate(x)``, ``allocate(num_qubits, x)``, or for a number
    ``allocate(num_qubits, is_signed, fraction_digits, x)``.

    >>> from session import Output, QNum, SIGNED, allocate, qfunc, synthesize
    >>> @qfunc
    ... def main(n: Output[QNum]):
    ...     allocate(3, SIGNED, 1, n)
    >>> synthesize(main).types
    {'n': OutputType(is_signed=True, fraction_digits=1, length=None, element=None)}
    """
    given = list(args)
    if out is None:
        if not given:
            raise BuilderError("allocate takes the variable last: allocate(num_qubits, x), or allocate(x).")
        out = given.pop()
    if not isinstance(out, QVariable):
        raise BuilderError(
            f"allocate takes the variable last, allocate(num_qubits, x); got {type(out).__name__} in its place."
        )
    for name in ("num_qubits", "is_signed", "fraction_digits"):
        if name in named:
            given.append(named.pop(name))
    if named or len(given) not in (0, 1, 3):
        raise BuilderError(
            "allocate is written allocate(x), allocate(num_qubits, x) or allocate(num_qubits, is_signed, "
            f"fraction_digits, x); got {len(given)} arguments before x"
            + (f" and {', '.join(named)}." if named else ".")
        )
    found = tracer("allocate")
    what = f"allocate for '{out.name}'"
    out.check_free(what)
    qtype = out.qtype
    if not given and qtype.size is None:
        raise BuilderError(f"'{out.name}' is a {qtype}, whose size is not said: allocate(num_qubits, {out.name}).")
    count = qtype.size if not given else whole(given[0], "The number of qubits of allocate", 1)
    assert count is not None
    if len(given) == 3:
        if qtype.kind != "num":
            raise BuilderError(f"{what}: only a QNum has a sign and fraction digits, and '{out.name}' is a {qtype}.")
        asked = number_type(count, given[1], given[2])
        if (qtype.is_signed, qtype.fraction_digits) not in ((None, None), (asked.is_signed, asked.fraction_digits)):
            raise BuilderError(f"{what}: '{out.name}' is a {qtype}, got {asked}.")
        qtype = asked
    qtype.sized(count, f"'{out.name}'")
    out.take(found.new_qubits(count), qtype, by=what)


def free(var: QVariable) -> None:
    """Let go of a variable, whose qubits are |0> again as the program says; the variable can be allocated anew."""
    _variable(var, "free").give("free")


def bind(source: Any, target: Any) -> None:
    """Pass the qubits of one variable, or of a list, on to another, or to a list: join, split or change the type.

    >>> from session import H, Output, QArray, QBit, allocate, bind, qfunc, synthesize
    >>> @qfunc
    ... def main(a: Output[QBit], rest: Output[QArray]):
    ...     q = QArray("q")
    ...     allocate(3, q)
    ...     bind(q, [a, rest])
    >>> synthesize(main).outputs
    {'a': (0,), 'rest': (1, 2)}
    """
    sources = [_variable(var, "bind") for var in (source if isinstance(source, (list, tuple)) else [source])]
    targets = [_variable(var, "bind") for var in (target if isinstance(target, (list, tuple)) else [target])]
    one_to_one = len(sources) == len(targets) == 1
    kept_type = sources[0].qtype if one_to_one else None
    sizes: list[int | None] = [var.qtype.size for var in targets]
    qubits = [qubit for var in sources for qubit in var.qubits_for("bind")]
    check_distinct(qubits, "bind")
    left = len(qubits) - sum(size for size in sizes if size is not None)
    if sizes.count(None) > 1:
        raise BuilderError("bind gives all but one of its targets a size of their own, as in QArray('q', length=2).")
    if left < 0 or (None not in sizes and left) or (None in sizes and not left):
        shown = " + ".join("?" if size is None else str(size) for size in sizes)
        raise BuilderError(f"bind passes on all qubits: the targets take {shown}, the sources have {len(qubits)}.")
    for var in sources:
        var.give("bind")
    at = 0
    for var, size in zip(targets, sizes, strict=True):
        stop = at + (left if size is None else size)
        var.take(qubits[at:stop], kept_type, by="bind")
        at = stop


# blocks ---------------------------------------------------------------------------------------------------------
def control(ctrl: Any, stmt_block: Block, else_block: Block | None = None) -> None:
    """Do a block where control qubits are 1, or where a condition such as ``x == 3`` holds, and another elsewhere.

    >>> from session import CX, H, Output, QArray, QBit, X, allocate, control, qfunc, synthesize
    >>> @qfunc
    ... def main(c: Output[QArray[QBit, 2]], t: Output[QBit]):
    ...     allocate(c)
    ...     allocate(t)
    ...     control(c == [1, 0], lambda: X(t))
    >>> print(synthesize(main).draw())
    q_0: ─●─
          │
    q_1: ─○─
          │
    q_2: ─X─
    """
    found = tracer("control")
    if isinstance(ctrl, (Condition, bool, Symbol)):
        raise BuilderError("control is for quantum conditions; for one on parameters use if_(condition, then, else_).")
    if isinstance(ctrl, QuantumCondition):
        qubits, value, equal = ctrl.subject.qubits_for("control"), ctrl.raw, ctrl.equal
    else:
        qubits = qubits_of(ctrl, "control")
        value, equal = (1 << len(qubits)) - 1, True
    steps = found.block(stmt_block, "control")
    other = [] if else_block is None else found.block(else_block, "control")
    if not equal:
        steps, other = other, steps
    # Where the condition holds: steps; elsewhere: other, which is done everywhere and undone where it holds.
    controlled(other, qubits, value)  # checks that no block acts on its controls
    found.steps.extend(other)
    found.steps.extend(controlled([*inverted(other), *steps], qubits, value))


def invert(stmt_block: Block) -> None:
    """Undo a block: its statements in reverse, each inverted."""
    found = tracer("invert")
    found.steps.extend(inverted(found.block(stmt_block, "invert")))


def power(exponent: Any, stmt_block: Block) -> None:
    """Do a block as often as a whole number says; undo it as often for a negative one."""
    found = tracer("power")
    if isinstance(exponent, float) and not exponent.is_integer():
        raise BuilderError(f"power takes a whole number of repetitions, got {exponent}; scale angles for a fraction.")
    count = whole(int(exponent) if isinstance(exponent, float) else exponent, "The exponent of power", -MAX_STEPS)
    steps = found.block(stmt_block, "power")
    _check_steps(len(steps) * abs(count), "power")
    found.steps.extend((steps if count >= 0 else inverted(steps)) * abs(count))


def repeat(count: Any, iteration: Any) -> None:
    """Call ``iteration(0)`` to ``iteration(count - 1)``.

    >>> from session import H, Output, QArray, allocate, qfunc, repeat, synthesize
    >>> @qfunc
    ... def main(q: Output[QArray]):
    ...     allocate(3, q)
    ...     repeat(q.len, lambda i: H(q[i]))
    >>> synthesize(main).circuit.count_ops()
    {'h': 3}
    """
    tracer("repeat")
    number = whole(count, "The count of repeat")
    if not callable(iteration):
        raise BuilderError(f"repeat takes a function of the number of the iteration, lambda i: ...; got {iteration!r}.")
    for k in range(number):
        iteration(k)


def if_(condition: Any, then: Block, else_: Block | None = None) -> None:
    """Do a block if a classical condition holds, else another one.

    A condition that is known now chooses now; one on parameters chooses when they are known, for each set of them.
    """
    found = tracer("if_")
    if isinstance(condition, (bool, np.bool_, int, np.integer)):
        chosen = then if condition else else_
        if chosen is not None:
            if not callable(chosen):
                raise BuilderError(f"if_ takes blocks as functions without arguments, lambda: X(q); got {chosen!r}.")
            chosen()
        return
    if isinstance(condition, (QVariable, QuantumCondition)):
        raise BuilderError("if_ is for classical conditions; for a quantum one use control(condition, lambda: ...).")
    if isinstance(condition, Symbol):
        condition = condition != 0
    if not isinstance(condition, Condition):
        raise BuilderError(f"if_ takes a truth value or a comparison of parameters, got {type(condition).__name__}.")
    steps = tuple(found.block(then, "if_"))
    other = () if else_ is None else tuple(found.block(else_, "if_"))
    found.steps.append(BranchStep(condition.expression, steps, other))


def within_apply(within: Block, apply: Block) -> None:
    """Do a first block, then a second, and undo the first."""
    found = tracer("within_apply")
    steps = found.block(within, "within_apply", once=True)
    found.steps.extend(steps)
    found.steps.extend(found.block(apply, "within_apply", once=True))
    found.steps.extend(inverted(steps))


# many qubits ----------------------------------------------------------------------------------------------------
def apply_to_all(gate_operand: Any, target: Any) -> None:
    """Apply a function of one variable to every element of a variable or list."""
    tracer("apply_to_all")
    if not callable(gate_operand):
        raise BuilderError(f"apply_to_all takes a function and a variable, apply_to_all(H, q); got {gate_operand!r}.")
    elements: Sequence[Any] = target if isinstance(target, (list, tuple)) else list(_variable(target, "apply_to_all"))
    for element in elements:
        gate_operand(element)


def hadamard_transform(target: Any) -> None:
    """A Hadamard gate on every qubit."""
    found = tracer("hadamard_transform")
    for qubit in qubits_of(target, "hadamard_transform"):
        found.add(Gate("h"), (qubit,))


def inplace_prepare_int(value: Any, target: QVariable) -> None:
    """Flip the qubits of a variable in |0> to a value that its type has."""
    var = _variable(target, "inplace_prepare_int")
    found, qubits = tracer("inplace_prepare_int"), var.qubits_for("inplace_prepare_int")
    kind = var.qtype if var.qtype.kind == "num" else QType("num", len(qubits))
    number = value if isinstance(value, float) else whole(value, "The value of inplace_prepare_int", -(1 << 62))
    raw = kind.output_type().raw(number, len(qubits))
    for k, qubit in enumerate(qubits):
        if raw >> k & 1:
            found.add(Gate("x"), (qubit,))


def prepare_int(value: Any, out: QVariable) -> None:
    """Allocate a number of as few qubits as a value of at least 0 has bits, and set it."""
    number = whole(value, "The value of prepare_int")
    var = _variable(out, "prepare_int")
    if isinstance(var, QArray) and var.qtype.size is None:
        allocate(max(1, number.bit_length()), var)
    elif var.qtype.size is None:
        allocate(max(1, number.bit_length()), bool(var.qtype.is_signed), var.qtype.fraction_digits or 0, var)
    else:
        allocate(var)
    inplace_prepare_int(number, var)


def _variable(var: Any, what: str) -> QVariable:
    if not isinstance(var, QVariable):
        raise BuilderError(f"{what} takes a quantum variable, got {type(var).__name__}.")
    return var


def _check_steps(count: int, what: str) -> None:
    if count > MAX_STEPS:
        raise BuilderError(f"{what} would make {count:,} gates; the limit is {MAX_STEPS:,}.")

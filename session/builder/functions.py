"""`@qfunc` functions, how their arguments are bound, and `synthesize`, which reads one as a program."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from qsim.circuit import Circuit
from qsim.errors import QsimError
from qsim.parameters import Parameter, ParameterArray
from session.builder.errors import BuilderError
from session.builder.symbols import Symbol, SymbolArray
from session.builder.tracing import Tracer, append_steps, tracer, tracing
from session.builder.types import CArray, CBool, CInt, CReal, CType, Direction, QCallable, QType
from session.builder.variables import QVariable, check_distinct, merged, qubits_of, variable
from session.quantum_program import QuantumProgram

_PYTHON_TYPES: dict[Any, CType] = {int: CInt.ctype, float: CReal.ctype, bool: CBool.ctype, list: CArray.ctype}
_NUMBERS = (int, float, np.integer, np.floating)


class QFunc:
    """A quantum function: called inside another one, its statements become part of that.

    Made by ``@qfunc``.
    """

    def __init__(self, function: Callable[..., Any], names: dict[str, Any]) -> None:
        self._function = function
        self._names = names  # of the place where it is defined, for annotations that are strings
        self._kinds: dict[str, Any] | None = None
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @property
    def kinds(self) -> dict[str, Any]:
        """The kind of each argument: a `Direction`, `QType`, `CType` or `QCallable`."""
        if self._kinds is None:
            self._kinds = self._read_annotations()
            self._names = {}  # what a caller's names stand for is not kept alive longer than it is needed
        return self._kinds

    def _read_annotations(self) -> dict[str, Any]:
        try:
            annotations = inspect.get_annotations(self._function, locals=self._names, eval_str=True)
        except NameError as error:
            raise BuilderError(f"An annotation of '{self.__name__}' cannot be read: {error}.") from None
        kinds = {}
        for name, parameter in inspect.signature(self._function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise BuilderError(f"A qfunc has a fixed number of arguments; '{self.__name__}' has *{name}.")
            kinds[name] = _kind_of(annotations.get(name, parameter.empty), self.__name__, name)
        return kinds

    def __call__(self, *args: Any, **named: Any) -> None:
        tracer(f"{self.__name__}()")
        try:
            bound = inspect.signature(self._function).bind(*args, **named)
        except TypeError as error:
            raise BuilderError(f"{self.__name__}{inspect.signature(self._function)}: {error}.") from None
        bound.apply_defaults()
        call = _Call(self)
        for name, value in bound.arguments.items():
            call.bind(name, self.kinds[name], value)
        check_distinct(call.qubits, f"{self.__name__}()")
        self._function(**call.arguments)
        call.finish()

    def __repr__(self) -> str:
        return f"<qfunc {self.__name__}>"


def qfunc(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a quantum function of a Python function whose arguments are annotated with the types of this package.

    >>> from session import Output, QBit, X, allocate, qfunc, synthesize
    >>> @qfunc
    ... def main(x: Output[QBit]):
    ...     allocate(x)
    ...     X(x)
    >>> synthesize(main)
    <QuantumProgram: 1 qubit, outputs x[1]>
    """
    names = dict(sys._getframe(1).f_locals)
    if options:
        raise BuilderError(f"@qfunc takes no options here, got {', '.join(options)}.")
    if function is None:
        return lambda given: QFunc(given, names)
    if not inspect.isfunction(function):
        raise BuilderError(f"@qfunc stands over a function, got {type(function).__name__}.")
    return QFunc(function, names)


def synthesize(main: QFunc) -> QuantumProgram:
    """The program of a quantum function whose quantum arguments are outputs: a circuit, outputs and parameters.

    Args:
        main: made by ``@qfunc``; its CReal, CInt and CArray arguments become parameters.

    Raises:
        BuilderError: the function, or one that it calls, is written wrongly; the message says how.

    >>> from session import CReal, Output, QBit, RX, allocate, qfunc, synthesize
    >>> @qfunc
    ... def main(x: Output[QBit], t: CReal):
    ...     allocate(x)
    ...     RX(2 * t, x)
    >>> synthesize(main).parameters
    ('t',)
    """
    if not isinstance(main, QFunc):
        raise BuilderError(f"synthesize takes a function under @qfunc, got {type(main).__name__}.")
    with tracing() as found:
        arguments: dict[str, Any] = {}
        outputs: dict[str, QVariable] = {}
        declared: list[Parameter] = []
        for name, kind in main.kinds.items():
            if isinstance(kind, Direction) and kind.name == "output":
                arguments[name] = outputs[name] = variable(name, kind.qtype)
            elif isinstance(kind, CType) and kind.kind != "bool":
                arguments[name] = _parameter(name, kind, declared)
            else:
                shown = kind if isinstance(kind, (QType, CType)) else getattr(kind, "__name__", kind)
                raise BuilderError(
                    f"The arguments of a main function are Output[...] variables and CReal, CInt or CArray parameters; "
                    f"'{name}' is {'an Input' if isinstance(kind, Direction) else shown}."
                )
        try:
            main.__wrapped__(**arguments)
        except RecursionError:
            raise BuilderError(f"'{main.__name__}' calls itself without end.") from None
        whole = [name for name, kind in main.kinds.items() if isinstance(kind, CType) and kind.kind == "int"]
        return _program(main.__name__, found, outputs, declared, whole)


def _parameter(name: str, kind: CType, declared: list[Parameter]) -> Any:
    if kind.length is None:
        declared.append(Parameter(name))
        return Symbol(declared[-1], kind.kind == "int")
    if kind.length < 0:
        raise BuilderError(f"A CArray parameter of a main function has a length: {name}: CArray[CReal, 3].")
    array = ParameterArray(name, kind.length)
    declared.extend(array)
    return SymbolArray(Symbol(element, kind.kind == "int") for element in array)


def _program(
    name: str, found: Tracer, outputs: dict[str, QVariable], declared: list[Parameter], whole: list[str]
) -> QuantumProgram:
    missing = [output for output, var in outputs.items() if not var.is_allocated]
    if missing:
        gone = outputs[missing[0]].gone
        if gone:
            raise BuilderError(f"'{name}' ends and its output '{missing[0]}' has no qubits: it was {gone}.")
        raise BuilderError(
            f"'{name}' ends and its output '{missing[0]}' was never allocated. Call allocate(..., {missing[0]}), or give it to "
            "a function that has it as Output."
        )
    circuit = Circuit(found.num_qubits, name=name)
    for parameter in declared:
        circuit.declare_parameter(parameter)
    try:
        append_steps(circuit, found.steps)
    except BuilderError:
        raise
    except QsimError as error:
        raise BuilderError(f"'{name}' is no circuit: {error}") from None
    placed = {output: var.qubits_for(output) for output, var in outputs.items()}
    types = {output: var.qtype.output_type() for output, var in outputs.items()}
    return QuantumProgram(circuit, placed, types, integers=whole)


class _Call:
    """The arguments of one call, from the caller's side to the function's, and outputs back."""

    def __init__(self, function: QFunc) -> None:
        self._what = function.__name__
        self.arguments: dict[str, Any] = {}
        self.qubits: tuple[int, ...] = ()
        self._outputs: list[tuple[QVariable, QVariable]] = []

    def bind(self, name: str, kind: Any, value: Any) -> None:
        where = f"'{name}' of {self._what}()"
        if isinstance(kind, Direction):
            self.arguments[name] = self._directed(name, kind, value, where)
        elif isinstance(kind, QType):
            qubits = qubits_of(value, where)
            inner = variable(name, kind)
            inner.take(qubits, getattr(value, "qtype", None), by=where, what=where)
            inner._frozen = True
            self.qubits += qubits
            self.arguments[name] = inner
        elif isinstance(kind, CType):
            self.arguments[name] = checked_classical(value, kind, where)
        else:
            if not callable(value):
                raise BuilderError(f"{where} is a quantum function, got {type(value).__name__}.")
            self.arguments[name] = value

    def _directed(self, name: str, kind: Direction, value: Any, where: str) -> QVariable:
        if not isinstance(value, QVariable):
            raise BuilderError(f"{where} is a quantum variable, got {type(value).__name__}.")
        inner = variable(name, kind.qtype)
        if kind.name == "output":
            value.check_free(where)
            if any(outer is value for outer, _ in self._outputs):
                raise BuilderError(
                    f"{where} and another output are both '{value.name}'; each is a variable of its own."
                )
            inner.qtype = merged(kind.qtype, value.qtype, name)
            self._outputs.append((value, inner))
        else:
            qtype, qubits = value.qtype, value.give(where)
            inner.take(qubits, qtype, by=where, what=where)
            self.qubits += qubits
        return inner

    def finish(self) -> None:
        for outer, inner in self._outputs:
            if not inner.is_allocated:
                raise BuilderError(f"{self._what}() ends and its output '{inner.name}' was never allocated.")
            outer.take(inner.qubits_for(self._what), inner.qtype, by=f"{self._what}()")


def checked_classical(value: Any, kind: CType, where: str) -> Any:
    """A classical argument of a type, as the function sees it."""
    if kind.length is not None:
        if isinstance(value, (str, QVariable)) or not hasattr(value, "__len__"):
            raise BuilderError(f"{where} is a {kind}, a list of numbers; got {type(value).__name__}.")
        if kind.length >= 0 and len(value) != kind.length:
            raise BuilderError(f"{where} is a {kind}, got {len(value)} elements.")
        return SymbolArray(checked_classical(entry, CType(kind.kind), f"An element of {where}") for entry in value)
    if kind.kind == "bool":
        if not isinstance(value, (bool, np.bool_)):
            raise BuilderError(f"{where} is a {kind}, True or False, got {type(value).__name__}.")
        return bool(value)
    if isinstance(value, Symbol):
        if kind.kind == "int" and not value.is_integer:
            raise BuilderError(f"{where} is a {kind}, got the real expression {value.expression}.")
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, _NUMBERS):
        raise BuilderError(f"{where} is a {kind}, got {type(value).__name__}.")
    if kind.kind == "int":
        if not np.isfinite(value) or value != int(value):
            raise BuilderError(f"{where} is a {kind}, got {value!r}.")
        return int(value)
    return float(value)


def _kind_of(annotation: Any, function: str, name: str) -> Any:
    if annotation is inspect.Parameter.empty:
        raise BuilderError(
            f"Every argument of a qfunc has a type; '{name}' of '{function}' has none. Write {name}: QBit, {name}: CReal "
            f"or {name}: Output[QBit]."
        )
    if isinstance(annotation, (Direction, QType, CType)):
        return annotation
    if annotation in (QCallable, Callable) or getattr(annotation, "__origin__", None) is Callable:
        return QCallable
    for attribute in ("qtype", "ctype"):
        found = getattr(annotation, attribute, None)
        if isinstance(found, (QType, CType)):
            return found
    if annotation in _PYTHON_TYPES:
        return _PYTHON_TYPES[annotation]
    shown = getattr(annotation, "__name__", repr(annotation))
    hint = f" Write {shown}[QBit]." if shown in ("Output", "Input") else ""
    raise BuilderError(
        f"'{name}' of '{function}' has the type {shown}; types are QBit, QArray, QNum, Output[...], Input[...], CReal, CInt, "
        f"CBool, CArray and QCallable.{hint}"
    )

"""Values of a definition's expressions, looked at where it is called: so that an error has a place."""

from __future__ import annotations

from collections.abc import Mapping

from qsim.circuit import GateDefinition
from qsim.gates import Gate
from qsim.parameters import Expression, Value

#: Operations that have no value for some numbers.
_PARTIAL = {"/", "**", "log", "sqrt", "arcsin", "arccos"}
#: Expressions that are evaluated for one program; the run finds the same errors later, without a place.
MAX_EVALUATIONS = 10_000


class ValueCheck:
    """Evaluates what may have no value; definitions of sums and products cost nothing."""

    def __init__(self) -> None:
        self.left = MAX_EVALUATIONS
        self.partial: set[GateDefinition] = set()

    def add(self, definition: GateDefinition) -> None:
        """Note whether an expression in a body, or in one that it uses, may have no value."""
        values: list[Value] = list(definition.body._expressions.values())
        for item in definition.body._objects:
            if isinstance(item, Gate):
                values.extend(item.params)
        if any(used in self.partial for used in definition.uses) or any(map(_may_fail, values)):
            self.partial.add(definition)

    def check(self, definition: GateDefinition, params: tuple[Value, ...]) -> None:
        """Evaluate the expressions of a call.

        Raises:
            ParameterError: one has no finite value.
        """
        stack = [(definition, params)]
        while stack and self.left > 0:
            called, given = stack.pop()
            if called not in self.partial or any(isinstance(value, Expression) for value in given):
                continue
            names = {p.name: v for p, v in zip(called.parameters, given, strict=True) if not isinstance(v, Expression)}
            for expression in called.body._expressions.values():
                self._evaluate(expression, names)
            for item in called.body._objects:
                if isinstance(item, Gate) and isinstance(item.base, GateDefinition):
                    inner = tuple(self._evaluate(value, names) for value in item.params)
                    stack.append((item.base, inner))
                    self.left -= 1

    def _evaluate(self, value: Value, names: Mapping[str, float]) -> float:
        if not isinstance(value, Expression):
            return value
        self.left -= value.size
        return value.evaluate(names)


def _may_fail(value: Value) -> bool:
    if not isinstance(value, Expression):
        return False
    for node in value._postorder():
        if not isinstance(node, float) and node.op in _PARTIAL:
            if node.op == "/" and isinstance(node.args[1], float) and node.args[1] != 0.0:
                continue
            return True
    return False

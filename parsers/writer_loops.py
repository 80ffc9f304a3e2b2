"""Leaving several loops at once, written with one flag a loop: what OpenQASM's break and continue cannot say."""

from __future__ import annotations

from itertools import count

from qsim.circuit import Barrier, Circuit, Delay, Measure, Reset
from qsim.classical import Assign, Bits, Break, Continue, Literal, WhileLoop, bodies, rebuilt
from qsim.gates import Gate

#: Room for flags; only those that are used are written.
_FLAGS = 1 << 20


def leaves_several(circuit: Circuit) -> bool:
    """Whether a break or a continue goes out of more than one loop."""
    for instruction in circuit:
        node = instruction.operation
        if isinstance(node, (Break, Continue)) and node.levels > 1:
            return True
        if not isinstance(node, (Gate, Measure, Reset, Barrier, Delay)) and any(map(leaves_several, bodies(node))):
            return True
    return False


def one_level_at_a_time(circuit: Circuit) -> Circuit:
    """The same circuit, with breaks and continues of the innermost loop only.

    A jump out of k loops sets a flag, in a bit after the circuit's own, and breaks the innermost loop; after each loop on
    the way the flag is looked at.
    """
    return _Rewriter(circuit).block(circuit, [])


class _Loop:
    def __init__(self) -> None:
        #: The bits that say that this loop is to be left, and to be continued.
        self.flags: dict[type, int] = {}


class _Rewriter:
    def __init__(self, circuit: Circuit) -> None:
        self.bits = count(circuit.num_clbits)
        self.num_clbits = circuit.num_clbits + _FLAGS

    def block(self, circuit: Circuit, loops: list[_Loop]) -> Circuit:
        result = circuit._empty_like()
        result._num_clbits = self.num_clbits
        result.global_phase = circuit.global_phase
        for parameter in circuit.parameters:
            result.declare_parameter(parameter)
        for instruction in circuit:
            node = instruction.operation
            if isinstance(node, (Break, Continue)) and node.levels > 1:
                target = loops[-node.levels]
                flag = target.flags.setdefault(type(node), next(self.bits))
                result.feed_forward(Assign((flag,), Literal(1)))
                result.break_loop()
            elif isinstance(node, WhileLoop):
                body = self.block(node.body, [*loops, _Loop()])
                result.feed_forward(WhileLoop(node.condition, body))
                self._after(result, loops)
            elif isinstance(node, (Gate, Measure, Reset, Barrier, Delay)):
                result._append(node, instruction.qubits, instruction.clbits)
            else:
                result.feed_forward(rebuilt(node, lambda body: self.block(body, loops)))
        return result

    @staticmethod
    def _after(result: Circuit, loops: list[_Loop]) -> None:
        """After a loop: go on with the jump that left it."""
        for depth, loop in enumerate(loops):
            for kind, flag in loop.flags.items():
                jump = result.block()
                if depth == len(loops) - 1:
                    jump.feed_forward(Assign((flag,), Literal(0)))
                    jump.feed_forward(kind())
                else:
                    jump.break_loop()
                result.if_else(Bits((flag,)), jump)

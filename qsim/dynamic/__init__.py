"""Circuits whose course depends on measured bits, or that use qubits after measuring them.

A circuit is written as a graph of instructions (`code`, `ordering`, `operations`), which data-flow analysis tells what
matters where (`liveness`). A run follows all histories at once (`explore`): equal ones are one, their shots are kept in
rows (`ledger`), and states are products of small ones, each kept once (`factors`, `segments`).

What a seed promises: the same counts for the same version, circuit, parameters, precision and memory limit, whatever the
number of threads or the batch. The memory limit matters only once states take half of it: then the order of the random
draws is another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, FEED_FORWARD, MEASURE, RESET, ROW, Circuit
from qsim.dynamic.code import Code, instructions_of
from qsim.dynamic.explore import Explorer
from qsim.dynamic.factors import Factor, Factors, Parts
from qsim.dynamic.ledger import Draws, Ledger, Splitter, Weights
from qsim.dynamic.liveness import analyse
from qsim.dynamic.operations import gate_steps
from qsim.dynamic.width import most_live_qubits
from qsim.initial import initial_amplitudes, initial_vectors

if TYPE_CHECKING:
    from qsim.runs import Runs

Array = npt.NDArray[Any]
#: Bytes that states may take before histories are followed one by one, where no memory limit is set.
_BUDGET = 1 << 30
_SEPARATED_QUBITS = 16


def sample_dynamic(
    simulator: Runs, circuit: Circuit, row: Array, shots: int, seed: int, initial: Any = None
) -> tuple[Any, Array]:
    """Values of the classical bits, ascending (int64 or a list), and how many of `shots` runs gave each.

    Args:
        row: values of the circuit's parameters.
        initial: see `Simulator.statevector`.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    return _explore(simulator, circuit, row, shots, Draws(random), initial)


def exact_outcomes(simulator: Runs, circuit: Circuit, row: Array, initial: Any = None) -> tuple[Any, Array]:
    """Values of the classical bits, ascending, and the exact probability of each."""
    return _explore(simulator, circuit, row, 1.0, Weights(), initial)


def live_width(circuit: Circuit) -> int:
    """A bound on how many qubits of a circuit are in one state at a time.

    >>> circuit = Circuit(9, 9)
    >>> for q in range(8):
    ...     circuit = circuit.h(q).cx(q, q + 1).measure(q, q).reset(q)
    >>> live_width(circuit) < 10
    True
    """
    key = ("width", len(circuit))
    found = circuit._compiled.get(key)
    if found is None:
        found = circuit._compiled[key] = most_live_qubits(_code(circuit))
    return int(found)


def can_be_deferred(circuit: Circuit) -> bool:
    """Whether all measurements of a circuit could as well come at its end, so that one final state has all outcomes.

    So they can if no gate turns a qubit after it was measured (controls and diagonal gates do not) and no qubit is
    measured twice.

    >>> can_be_deferred(Circuit(2, 1).h(0).measure(0, 0).cx(0, 1).cz(0, 1))
    True
    >>> can_be_deferred(Circuit(1, 1).h(0).measure(0, 0).h(0))
    False
    """
    key = ("deferred", len(circuit))
    found = circuit._compiled.get(key)
    if found is None:
        found = circuit._compiled[key] = _deferrable(circuit)
    return bool(found)


def _deferrable(circuit: Circuit) -> bool:
    measured: set[int] = set()
    rows, operands = circuit._rows, circuit._operands
    for at in range(len(circuit)):
        code, first, count = rows[at * ROW : at * ROW + 3]
        if code in (RESET, FEED_FORWARD):
            return False
        if code == MEASURE:
            if operands[first] in measured:
                return False
            measured.add(operands[first])
        elif code in (BARRIER, DELAY) or measured.isdisjoint(operands[first : first + count]):
            continue
        elif any(q in measured for gate in gate_steps(circuit, at) for q in gate.qubits[len(gate.steady) :]):
            return False
    return True


def _explore(
    simulator: Runs, circuit: Circuit, row: Array, total: Any, splitter: Splitter, initial: Any
) -> tuple[Any, Array]:
    limit = simulator.memory_limit
    budget = _BUDGET if limit is None else max(limit // 2, 1)
    factors = Factors(simulator._dtype, simulator.threads, simulator._tile_bits, limit, budget)
    state = _start(factors, circuit.num_qubits, initial)
    values = {p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)}
    words = max(1, -(-circuit.num_clbits // 64))
    explorer = Explorer(_code(circuit), factors, values, splitter, words, simulator.max_loop_rounds)
    return explorer.run(Ledger(words, {0: total}), state)


def _code(circuit: Circuit) -> Code:
    """The instructions of a circuit, made once and kept on it."""
    key = ("dynamic", len(circuit))
    code = circuit._compiled.get(key)
    if code is None:
        code = instructions_of(circuit)
        analyse(code)
        circuit._compiled[key] = code
    assert isinstance(code, Code)
    return code


def _start(factors: Factors, num_qubits: int, initial: Any) -> Parts:
    """The initial state as a product; |0...0> has no factors at all."""
    if initial is None or not num_qubits:
        return Parts(0, ())
    vectors = initial_vectors(initial, num_qubits)
    if vectors is None:
        factors.check(num_qubits)
        amplitudes = initial_amplitudes(initial, num_qubits, factors.dtype)
        qubits = tuple(range(num_qubits))
        if num_qubits <= _SEPARATED_QUBITS:
            return factors.separated(qubits, amplitudes)
        return Parts(0, (Factor(qubits, amplitudes),))
    ones = 0
    made: list[Factor] = []
    for qubit, vector in enumerate(vectors):
        part = factors.separated((qubit,), np.array(vector, dtype=factors.dtype))
        ones |= part.ones
        made.extend(part.factors)
    return Parts(ones, tuple(made))

"""The bit-order canary passes what is right, and catches every usual way of getting bits wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from session.backends.emulated import emulate
from session.backends.local import LocalBackend
from session.backends.protocol import Capabilities
from session.preferences import ExecutionPreferences
from session.programs import Program
from session.results import ExecutionDetails, Result
from session.tasks import Task, TaskKind
from session.testing.canary import BitOrderError, run_canaries


class Wrong:
    """A backend whose results are changed on their way out."""

    name = "wrong"

    def __init__(self, change: Callable[[Program, list[Any]], list[Any]]) -> None:
        self._local = LocalBackend(ExecutionPreferences())
        self._change = change

    def capabilities(self) -> Capabilities:
        return Capabilities(operations=frozenset([TaskKind.SAMPLE]))

    def check(self, program: Program, task: Task) -> None:
        pass

    def run(self, program: Program, task: Task) -> list[Result]:
        return self._change(program, self._local.run(program, task))


def by_bits(change: Callable[[Program, str], str]) -> Callable[[Program, list[Any]], list[Any]]:
    def changed(program: Program, results: list[Any]) -> list[Any]:
        return [
            replace(found, counts={change(program, key): shots for key, shots in found.counts.items()})
            for found in results
        ]

    return changed


def swapped_registers(program: Program, key: str) -> str:
    sizes = [len(bits) for bits in program.outputs.values()]
    parts, end = [], len(key)
    for size in sizes:
        parts.append(key[end - size : end])
        end -= size
    return "".join(parts)


def reversed_inside_registers(program: Program, key: str) -> str:
    parts, end = [], len(key)
    for bits in program.outputs.values():
        parts.append(key[end - len(bits) : end][::-1])
        end -= len(bits)
    return "".join(reversed(parts))


def by_qubit(program: Program, key: str) -> str:
    """Bits in the order of the qubits that they were measured from."""
    qubits = program.measured_qubits
    if qubits is None:
        return key
    order = sorted(range(len(qubits)), key=lambda bit: (qubits[bit] < 0, qubits[bit]))
    return "".join(key[len(key) - 1 - bit] for bit in reversed(order))


FAULTS = {
    "bits reversed": by_bits(lambda program, key: key[::-1]),
    "registers swapped": by_bits(swapped_registers),
    "reversed inside registers": by_bits(reversed_inside_registers),
    "bits by qubit": by_bits(by_qubit),
    "sets reversed": lambda program, results: [*results[1:], *results[:1]],
    "all zero": by_bits(lambda program, key: "0" * len(key)),
    "inverted": by_bits(lambda program, key: key.translate(str.maketrans("01", "10"))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_orders_are_caught(fault: str) -> None:
    with pytest.raises(BitOrderError, match="expected"):
        run_canaries(Wrong(FAULTS[fault]))


def test_a_backend_that_only_samples_passes() -> None:
    assert run_canaries(Wrong(lambda program, results: results)) == 16


def test_outputs_are_looked_at_too() -> None:
    def renamed(program: Program, results: list[ExecutionDetails]) -> list[ExecutionDetails]:
        outputs = list(program.outputs.items())
        turned = dict(zip([name for name, _ in outputs], [bits for _, bits in reversed(outputs)], strict=True))
        return [replace(found, outputs=turned) for found in results]

    with pytest.raises(BitOrderError, match="output a is"):
        run_canaries(Wrong(renamed))


@pytest.mark.parametrize("backend", ["simulator", "simulator_statevector", "emulated"])
def test_the_backends_of_this_package_pass(backend: str) -> None:
    assert run_canaries(backend) == 18


@pytest.mark.parametrize("gates", [("r", "rz", "rxx"), ("rz", "sx", "x", "cz"), ("gpi", "gpi2", "ms")])
def test_emulated_targets_pass(gates: tuple[str, ...]) -> None:
    assert run_canaries(emulate(gates=gates)) == 18
    assert run_canaries(emulate(gates=gates, feed_forward=False, num_qubits=5)) == 14

"""The counted models of Aer's and QuEST's communication, by hand on small circuits, and ours beside them."""

from __future__ import annotations

import pytest

from benchmarks.circuits import FAMILIES
from benchmarks.communication import aer_swaps, main, quest_volume, volumes
from qsim import Circuit


@pytest.mark.parametrize(
    ("circuit", "volume"),
    [
        (Circuit(4).h([0, 1]), 0.0),
        (Circuit(4).h(3), 1.0),
        (Circuit(4).cx(0, 3), 0.5),
        (Circuit(4).cx(2, 3), 0.5),
        (Circuit(4).cx(3, 0).cz(3, 2).rzz(0.1, 2, 3).rz(0.2, 3), 0.0),
        (Circuit(4).swap(0, 3).swap(2, 3), 1.0),
        (Circuit(4).rxx(0.1, 0, 3), 1.0),
        (Circuit(4).rxx(0.1, 2, 3), 2.0),
    ],
)
def test_quest(circuit, volume):
    assert quest_volume(circuit, local=2) == volume


@pytest.mark.parametrize(
    ("circuit", "swaps"),
    [
        (Circuit(4).h([0, 1]), [0]),
        (Circuit(4).h(3), [1, 1]),
        (Circuit(4).h([2, 3]), [2, 2]),
        (Circuit(4).h(2).h(3), [2, 2]),
        (Circuit(4).cx(3, 0).cz(3, 2).rz(0.2, 3), [0]),
        (Circuit(4).cx(0, 3), [1, 1]),
        (Circuit(4).h(3).cx(3, 0).h(0), [1, 1]),
    ],
)
def test_aer(circuit, swaps):
    first, *rest = aer_swaps(circuit, local=2)
    assert [first, *rest] == swaps or [first + sum(rest[:-1]), *rest[-1:]] == swaps


@pytest.mark.parametrize("ranks", [2, 4, 8])
@pytest.mark.parametrize("name", ["qft", "quantum_volume", "ansatz"])
def test_ours_is_at_most_half_of_what_swaps_of_one_qubit_send(name, ranks):
    found = volumes(FAMILIES[name](24, 1), ranks)
    assert found["ours"] <= 0.5 * min(found["Aer"], found["QuEST"])


def test_the_table(capsys):
    main(["--qubits", "12", "--ranks", "2"])
    assert len(capsys.readouterr().out.splitlines()) == 11

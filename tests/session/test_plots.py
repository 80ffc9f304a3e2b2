"""Pictures: what is drawn for counts, amplitudes and the convergence of a minimisation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qsim import Circuit, Parameter
from session import (
    ExecutionDetails,
    ExecutionSession,
    MinimizationResult,
    OutputType,
    Pauli,
    QuantumProgram,
    SessionError,
)


@pytest.fixture
def pyplot() -> Iterator[Any]:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def drawn(ax: Any) -> None:
    ax.figure.canvas.draw()  # lays everything out, as saving does


def test_counts_have_a_bar_for_each_outcome(pyplot: Any) -> None:
    details = ExecutionDetails({"10": 7, "00": 3}, {"a": (0,), "b": (1,)})
    ax = details.plot()
    drawn(ax)
    assert [bar.get_height() for bar in ax.patches] == [7, 3]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["10", "00"]
    assert ax.get_ylabel() == "counts of 10 shots"


def test_many_outcomes_share_a_last_bar_and_an_axes_may_be_given(pyplot: Any) -> None:
    details = ExecutionDetails({format(k, "06b"): 64 - k for k in range(64)}, {"q": tuple(range(6))})
    _, given = pyplot.subplots()
    ax = details.plot(given, top=5)
    drawn(ax)
    assert ax is given
    assert len(ax.patches) == 6
    assert ax.get_xticklabels()[-1].get_text() == "59 more"
    assert sum(bar.get_height() for bar in ax.patches) == details.num_shots


def test_values_of_one_output(pyplot: Any) -> None:
    program = QuantumProgram(Circuit(3).h(0).x(2), {"x": [0, 1, 2]}, {"x": OutputType(True, 1)})
    with ExecutionSession(program, random_seed=1) as session:
        ax = session.sample().plot(output="x")
    drawn(ax)
    assert {label.get_text() for label in ax.get_xticklabels()} == {"-2", "-1.5"}
    with pytest.raises(SessionError, match="There is no output 'y'"), ExecutionSession(program) as session:
        session.sample().plot(output="y")
    with pytest.raises(SessionError, match="top is a whole number"), ExecutionSession(program) as session:
        session.sample().plot(top=0)


def test_amplitudes_have_magnitudes_and_phases(pyplot: Any) -> None:
    with ExecutionSession(Circuit(2).h(0).s(0).cx(0, 1)) as session:
        ax = session.calculate_state_vector().plot()
    drawn(ax)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.5**0.5] * 2)
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()


def test_convergence_shows_the_cost_and_the_lowest_so_far(pyplot: Any) -> None:
    with ExecutionSession(Circuit(1).ry(Parameter("t"), 0)) as session:
        found = session.minimize(Pauli.Z(0), {"t": 0.3}, 20)
    ax = found.plot()
    drawn(ax)
    assert len(ax.lines[0].get_ydata()) == len(found)
    assert list(ax.lines[1].get_ydata()) == sorted(ax.lines[1].get_ydata(), reverse=True)
    drawn(MinimizationResult().plot())


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SessionError, match=r'pip install "qsim-session\[plot\]"'):
        ExecutionDetails({"0": 1}, {}).plot()

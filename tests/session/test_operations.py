"""Operations of a session beyond sampling and estimating: several observables, state vectors, gradients, costs, minima."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter, ParameterArray, ParameterError, Simulator
from session import (
    EstimationResult,
    ExecutionDetails,
    ExecutionPreferences,
    ExecutionSession,
    GradientResult,
    MinimizationResult,
    OutputType,
    Pauli,
    QuantumProgram,
    SessionError,
    SparsePauliOp,
    StateVectorResult,
)  # fmt: skip
from session.results import result_from_dict, result_to_dict

THETA = Parameter("theta")
ZZ = Pauli.Z(0) * Pauli.Z(1)


def rotation() -> Circuit:
    return Circuit(2).ry(THETA, 0).cx(0, 1)


def chain(sites: int = 3, layers: int = 2) -> tuple[Circuit, SparsePauliOp]:
    """An ansatz and the transverse-field Ising chain."""
    p = ParameterArray("p", sites * layers)
    circuit = Circuit(sites)
    for layer in range(layers):
        for site in range(sites):
            circuit.ry(p[layer * sites + site], site)
        for site in range(sites - 1):
            circuit.cx(site, site + 1)
    bonds = sum(Pauli.Z(k) * Pauli.Z(k + 1) for k in range(sites - 1))
    return circuit, -bonds - sum(Pauli.X(k) for k in range(sites))


# several observables and sets ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["simulator_statevector", "simulator"])
def test_several_observables_times_several_sets(backend: str) -> None:
    sets = [{"theta": 0.1}, {"theta": 0.7}, {"theta": 2.0}]
    with ExecutionSession(rotation(), backend, random_seed=1, num_shots=4000) as session:
        table = session.estimate([Pauli.Z(0), ZZ, Pauli.X(0) * Pauli.X(1)], sets)
        row = session.estimate([Pauli.Z(0), ZZ], sets[1])
        column = session.estimate(Pauli.Z(0), sets)
    assert [len(entry) for entry in table] == [3, 3, 3]
    for found, one, angle in zip(table, column, (0.1, 0.7, 2.0), strict=True):
        expected = (math.cos(angle), 1.0, math.sin(angle))
        for result, value in zip(found, expected, strict=True):
            assert abs(result.value - value) <= max(6 * result.standard_error, 1e-12)
        assert abs(one.value - math.cos(angle)) <= max(6 * one.standard_error, 1e-12)
    assert isinstance(row, list) and isinstance(row[0], EstimationResult)


def test_what_is_no_list_of_hamiltonians() -> None:
    with ExecutionSession(rotation()) as session:
        with pytest.raises(SessionError, match="at least one"):
            session.estimate([], {"theta": 1.0})
        with pytest.raises(SessionError, match="A hamiltonian is a SparsePauliOp, got str"):
            session.estimate(["Z0"], {"theta": 1.0})


# state vectors ---------------------------------------------------------------------------------------------------------
def test_state_vectors_with_named_outputs() -> None:
    circuit = Circuit()
    circuit.add_qubits(1, "a")
    circuit.add_qubits(2, "b")
    circuit.h(0).x(2).s(0)
    with ExecutionSession(circuit) as session:
        result = session.calculate_state_vector()
    assert isinstance(result, StateVectorResult)
    assert [(s.state, s.bitstring) for s in result.states] == [({"a": 0, "b": 2}, "100"), ({"a": 1, "b": 2}, "101")]
    assert result.amplitude_of(a=1, b=2) == pytest.approx(1j / math.sqrt(2))
    frame = result.dataframe
    assert list(frame.columns) == ["a", "b", "amplitude", "magnitude", "phase", "probability", "bitstring"]
    assert [str(kind) for kind in frame.dtypes[:6]] == ["int64", "int64", "complex128", "float64", "float64", "float64"]
    assert frame.phase.tolist() == pytest.approx([0, math.pi / 2])
    assert result.probability == pytest.approx(1)
    np.testing.assert_allclose(np.asarray(result), Simulator().statevector(circuit))


def test_outputs_of_a_measured_program_are_read_from_the_measured_qubits() -> None:
    circuit = Circuit(3)
    circuit.add_clbits(2, "m")
    circuit.x(2).measure([2, 0], [0, 1])
    with ExecutionSession(circuit, num_shots=3) as session:
        assert session.calculate_state_vector().states[0].state == {"m": 1}
        details = session.sample()
    assert details.counts_of_qubits(2, 0) == {"01": 3}
    with pytest.raises(SessionError, match="Qubit 1 was not measured. The measured qubits are 0, 2"):
        details.counts_of_qubits(1)
    with pytest.raises(SessionError, match="asked for once"):
        details.counts_of_qubits(0, 0)


@pytest.mark.parametrize(
    "condition",
    [3, [3], {3}, range(3, 4), (3,), lambda value: value > 2],
    ids=["one", "list", "set", "range", "tuple", "function"],
)
def test_filters_keep_some_amplitudes(condition: Any) -> None:
    with ExecutionSession(rotation()) as session:
        result, other = session.calculate_state_vector([{"theta": 1.0}, {"theta": 0.0}], filters={"q": condition})
    assert result.indices.tolist() == [3]
    assert result.probability == pytest.approx(math.sin(0.5) ** 2)
    assert result.to_array()[0] == 0
    assert other.probability == 0


def test_filters_on_signed_fixed_point_outputs() -> None:
    program = QuantumProgram(Circuit(3).h([0, 1, 2]), {"x": [0, 1, 2]}, {"x": OutputType(True, 1)})
    with ExecutionSession(program) as session:
        kept = session.calculate_state_vector(filters={"x": lambda x: -1 <= x < 0.5})
        assert [state.state["x"] for state in kept.states] == [0.0, -1.0, -0.5]
        with pytest.raises(SessionError, match="values from -2 to 1.5 in steps of 0.5, got 0.3"):
            session.calculate_state_vector(filters={"x": 0.3})
        with pytest.raises(SessionError, match="There is no output 'y'. There is x"):
            session.calculate_state_vector(filters={"y": 1})
        with pytest.raises(SessionError, match="filters map names"):
            session.calculate_state_vector(filters=[1])  # type: ignore[arg-type]


def test_a_filter_on_what_is_measured_holds_until_it_is_taken_away() -> None:
    circuit = Circuit()
    circuit.add_qubits(1, "a")
    circuit.add_qubits(1, "b")
    circuit.ry(1.0, 0).cx(0, 1).ry(0.4, 1)
    with ExecutionSession(circuit, num_shots=500, random_seed=2) as session:
        session.set_measured_state_filter("a", 1)
        details = session.sample()
        assert set(details.counts_of_output("a")) == {"1"}
        assert 0 < details.num_shots < 500
        state = session.calculate_state_vector()
        assert {entry.state["a"] for entry in state.states} == {1}
        kept = state.to_array() / math.sqrt(state.probability)
        result = session.estimate(Pauli.Z(1))
        assert result.value == pytest.approx(float(np.vdot(kept, Pauli.Z(1).to_matrix() @ kept).real))
        assert session.estimate_cost(lambda s: s["a"]) == 1
        with pytest.raises(SessionError, match="A gradient is of the whole state"):
            session.gradient(Pauli.Z(0))
        session.set_measured_state_filter("a", None)
        assert session.sample().num_shots == 500
        with pytest.raises(SessionError, match="There is no output 'c'"):
            session.set_measured_state_filter("c", 1)
        session.set_measured_state_filter("a", lambda a: False)
        with pytest.raises(SessionError, match="let nothing of this state through"):
            session.estimate(Pauli.Z(1))


def test_a_state_vector_needs_one_state_and_a_backend_that_has_it() -> None:
    dynamic = Circuit(1, 1).h(0).measure(0, 0).x(0)
    with (
        ExecutionSession(dynamic) as session,
        pytest.raises(SessionError, match="A state vector is of a program of gates"),
    ):
        session.calculate_state_vector()
    with (
        ExecutionSession(Circuit(1), "simulator") as session,
        pytest.raises(
            SessionError, match="has no operation calculate_state_vector.*Use backend 'simulator_statevector'"
        ),
    ):
        session.calculate_state_vector()


# gradients -----------------------------------------------------------------------------------------------------------
def test_gradients_are_those_of_the_engine() -> None:
    circuit, energy = chain()
    values = [{"p": [0.1 * k + j for k in range(6)]} for j in (0, 1)]
    simulator = Simulator()
    with ExecutionSession(circuit.copy().measure_all(), random_seed=1) as session:
        single = session.gradient(energy, values[0])
        batch = session.gradient([energy, Pauli.Z(0)], values)
        job = session.submit_gradient(energy, values)
    expected = [simulator.gradient(circuit, energy, one)["p"] for one in values]
    assert isinstance(single, GradientResult) and list(single) == ["p"]
    np.testing.assert_allclose(single["p"], expected[0], atol=1e-12)
    assert single.value == pytest.approx(simulator.expectation(circuit, energy, values[0]))
    np.testing.assert_allclose(batch[1][0]["p"], expected[1], atol=1e-12)
    assert [len(row) for row in batch] == [2, 2]
    np.testing.assert_allclose(job.result()[1]["p"], expected[1], atol=1e-12)


def test_gradients_from_shots_are_near_the_exact_ones() -> None:
    circuit, energy = chain()
    values = {"p": [0.3] * 6}
    with ExecutionSession(circuit, "simulator", random_seed=1, num_shots=20_000) as session:
        found = session.gradient(energy, values)
    np.testing.assert_allclose(found["p"], Simulator().gradient(circuit, energy, values)["p"], atol=0.12)
    assert found.metadata["method"] == "parameter shift"


# costs -----------------------------------------------------------------------------------------------------------------
def test_costs_of_states_and_their_lowest_part() -> None:
    with ExecutionSession(Circuit(2).h([0, 1]), random_seed=3, num_shots=4000) as session:
        mean = session.estimate_cost(lambda state: state["q"])
        lowest = session.estimate_cost(lambda state: state["q"], quantile=0.25)
        diagonal = session.estimate_cost(Pauli.Z(0) + 2 * Pauli.Z(1), quantile=0.25)
        exact = session.estimate_cost(Pauli.Z(0) + 2 * Pauli.Z(1))
    assert mean == pytest.approx(1.5, abs=0.1)
    assert lowest == pytest.approx(0, abs=0.05)
    assert diagonal == pytest.approx(-3, abs=0.1)
    assert exact == pytest.approx(0, abs=1e-12)


def test_the_lowest_part_is_of_shots_exactly() -> None:
    from session.costs import lowest_mean

    pairs = [(5.0, 10), (1.0, 3), (2.0, 7)]
    flat = sorted(cost for cost, shots in pairs for _ in range(shots))
    for quantile in (0.05, 0.1, 0.15, 0.3, 0.5, 0.77, 1.0):
        count = math.ceil(quantile * 20 - 1e-9)
        assert lowest_mean(pairs, quantile) == pytest.approx(sum(flat[:count]) / count)


@pytest.mark.parametrize("quantile", [0, -0.1, 1.1, math.nan, True, "1", None])
def test_quantiles_out_of_range(quantile: Any) -> None:
    with ExecutionSession(Circuit(1)) as session, pytest.raises(SessionError, match="A quantile is a number above 0"):
        session.estimate_cost(lambda state: 0.0, quantile=quantile)


def test_costs_that_are_none() -> None:
    with ExecutionSession(Circuit(1), num_shots=10) as session:
        with pytest.raises(SessionError, match="A cost is a SparsePauliOp, or a function of a parsed state.*got float"):
            session.estimate_cost(1.0)
        with pytest.raises(SessionError, match="returns a real number; for {'q': 0} it returned 'x'"):
            session.estimate_cost(lambda state: "x")
        with pytest.raises(SessionError, match="returns a real number"):
            session.estimate_cost(lambda state: np.zeros(2))
        with pytest.raises(SessionError, match="the hamiltonian has to be diagonal"):
            session.estimate_cost(Pauli.X(0), quantile=0.5)


# minimising ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "method", ["COBYLA", "Nelder-Mead", "Powell", "L-BFGS-B", "BFGS", "CG", "SLSQP", "TNC", "ADAM", "SPSA"]
)
def test_every_method_lowers_the_cost(method: str) -> None:
    circuit, energy = chain(2, 1)
    with ExecutionSession(circuit, random_seed=5) as session:
        found = session.minimize(energy, {"p": [0.4, 0.2]}, 60, method=method.lower())
        again = session.estimate(energy, found.optimal_parameters).value
    assert isinstance(found, MinimizationResult) and isinstance(found, list)
    assert found.metadata["method"] == method
    assert len(found) <= 61
    assert found.optimal_cost == min(found.costs) == found[-1][0]
    assert again == pytest.approx(found.optimal_cost)
    assert found.optimal_cost < -2.1
    if method in ("L-BFGS-B", "BFGS", "CG", "SLSQP", "TNC", "ADAM"):
        assert found.metadata["gradient"] == "adjoint"


def test_hydrogen_reaches_its_ground_state() -> None:
    energy, circuit = hydrogen()
    ground = float(np.linalg.eigvalsh(energy.to_matrix())[0])
    assert ground == pytest.approx(-1.137, abs=1e-3)
    with ExecutionSession(circuit) as session:
        found = session.minimize(energy, {"t": 0.0}, 100, method="L-BFGS-B")
    assert found.optimal_cost == pytest.approx(ground, abs=1e-6)
    assert found.converged


def hydrogen() -> tuple[SparsePauliOp, Circuit]:
    """Molecular hydrogen of the example, and its ansatz."""
    import runpy
    from pathlib import Path

    module = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "hydrogen.py"), run_name="example")
    return module["hamiltonian"](), module["ansatz"]()


def test_a_cost_from_shots_is_minimised_and_repeats_with_its_seed() -> None:
    circuit = Circuit(2).ry(THETA, 0).cx(0, 1)

    def run() -> MinimizationResult:
        with ExecutionSession(circuit, random_seed=11, num_shots=500) as session:
            found = session.minimize(lambda state: -state["q"], {"theta": 0.5}, 40, quantile=0.5)
            assert isinstance(found, MinimizationResult)
            return found

    first, second = run(), run()
    assert first == second
    assert first.metadata == second.metadata
    assert first.optimal_cost == pytest.approx(-3)
    assert first.metadata["num_shots"] == 500


def test_minimising_in_the_background_and_from_several_starts() -> None:
    circuit, energy = chain(2, 1)
    with ExecutionSession(circuit, random_seed=1) as session:
        starts = [{"p": [0.1, 0.2]}, {"p": [2.0, 1.0]}]
        direct = session.minimize(energy, starts, 30, method="L-BFGS-B")
        job = session.submit_minimize(energy, starts, 30, method="L-BFGS-B")
        own = session.submit_minimize(lambda state: float(state["q"]), starts[0], 5)
    assert job.result() == direct
    assert len(direct) == 2
    assert own.result()[-1][0] <= 3


def test_minimisations_that_cannot_be() -> None:
    circuit, energy = chain(2, 1)
    start = {"p": [0.1, 0.2]}
    with ExecutionSession(circuit) as session:
        for wrong in (0, -1, 1.5, True, None):
            with pytest.raises(SessionError, match="max_iteration is a whole number of at least 1"):
                session.minimize(energy, start, wrong)  # type: ignore[arg-type]
        with pytest.raises(SessionError, match="There is no method 'nelder'. Did you mean 'Nelder-Mead'"):
            session.minimize(energy, start, 5, method="nelder")
        with pytest.raises(SessionError, match="tolerance is a number above 0"):
            session.minimize(energy, start, 5, tolerance=0)
        with pytest.raises(SessionError, match="Method BFGS needs gradients.*Use COBYLA or SPSA"):
            session.minimize(lambda state: 1.0, start, 5, method="BFGS")
        with pytest.raises(ParameterError, match="missing: 'p'"):
            session.minimize(energy, {}, 5)
        with pytest.raises(SessionError, match="The cost is a finite number"):
            session.minimize(lambda state: math.inf, start, 5)
    with ExecutionSession(Circuit(1)) as session, pytest.raises(SessionError, match="nothing to minimise over"):
        session.minimize(Pauli.Z(0), {}, 5)


def test_methods_without_gradients_take_differences_of_exact_costs() -> None:
    circuit, energy = chain(2, 1)
    with ExecutionSession(circuit, execution_preferences={"method": "mps"}) as session:
        found = session.minimize(energy, {"p": [0.4, 0.2]}, 40, method="L-BFGS-B")
        with pytest.raises(SessionError, match="has no operation gradient.*methods other than the statevector"):
            session.gradient(energy, {"p": [0.4, 0.2]})
    assert found.metadata["gradient"] is None
    assert found.optimal_cost < -2.1
    with ExecutionSession(circuit) as session:
        assert len(session.minimize(energy, {"p": [0.4, 0.2]}, 2, method="COBYQA")) <= 3


def test_a_second_call_compiles_nothing_and_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "OPENQASM 3.0;\ninput float t;\nqubit[2] q;\nU(t, 0, 0) q[0];\nctrl @ U(t, t, 0) q[0], q[1];\n"
    with ExecutionSession(text, num_shots=10) as session:

        def everything(t: float) -> None:
            session.sample({"t": t})
            session.estimate(ZZ, {"t": t})
            session.gradient(ZZ, {"t": t})
            session.calculate_state_vector({"t": t})
            session.minimize(ZZ, {"t": t}, 3)
            session.minimize(ZZ, {"t": t}, 3, method="BFGS")

        everything(0.1)

        def never(*args: Any, **named: Any) -> None:
            raise AssertionError("compiled or parsed again")

        monkeypatch.setattr("parsers.loads", never)
        monkeypatch.setattr("qsim.compiler.program.plan", never)
        everything(0.2)


# preferences -----------------------------------------------------------------------------------------------------------
def test_preferences_change_from_the_next_call_on_and_wrong_ones_change_nothing() -> None:
    with ExecutionSession(Circuit(1).h(0), random_seed=1) as session:
        first = session.sample(num_shots=100).counts
        session.update_execution_preferences({"num_shots": 100}, random_seed=2)
        other = session.sample().counts
        session.update_execution_preferences(ExecutionPreferences(num_shots=100, random_seed=1))
        assert session.sample().counts == first
        assert other != first
        with pytest.raises(SessionError, match="There is no preference 'shots'. Did you mean 'num_shots'"):
            session.update_execution_preferences(shots=3)
        assert session.preferences.num_shots == 100
        session.update_execution_preferences(backend="simulator")
        assert session.estimate(Pauli.X(0)).metadata["method"] == "shots"
    with pytest.raises(SessionError, match="closed"):
        session.update_execution_preferences(num_shots=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": 3}, "There is no method 3"),
        ({"noise": 0.1}, "noise is a NoiseModel, its JSON form or None, got float"),
        ({"backend_options": [1]}, "backend_options maps names"),
        ({"backend_options": {"a": 1}}, "takes no backend_options, got 'a'"),
        ({"precission": "single"}, "Did you mean 'precision'"),
    ],
)
def test_preferences_that_are_wrong(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SessionError, match=message):
        ExecutionSession(Circuit(1), execution_preferences=wrong)


@pytest.mark.parametrize(
    "call", ["sample", "estimate", "calculate_state_vector", "gradient", "estimate_cost", "minimize"]
)
def test_a_closed_session_refuses_everything(call: str) -> None:
    session = ExecutionSession(Circuit(1).ry(THETA, 0))
    session.close()
    arguments: dict[str, tuple[Any, ...]] = {
        "estimate": (Pauli.Z(0),),
        "gradient": (Pauli.Z(0),),
        "estimate_cost": (lambda state: 0.0,),
        "minimize": (Pauli.Z(0), {"theta": 0.1}, 5),
    }
    for name in (call, f"submit_{call}"):
        with pytest.raises(SessionError, match="This session is closed"):
            getattr(session, name)(*arguments.get(call, ()))


# results as JSON -------------------------------------------------------------------------------------------------------
def test_every_result_reads_back_exactly() -> None:
    circuit, energy = chain()
    values = {"p": [1 / 3, 0.1, 2 / 7, -1e-300, 1e-17, math.pi]}
    program = QuantumProgram(circuit, {"x": [2, 0], "y": [1]}, {"x": OutputType(True, 1)})
    with ExecutionSession(program, random_seed=1, num_shots=50) as session:
        results = [
            session.sample(values),
            session.estimate(energy, values),
            session.estimate([energy, ZZ], values),
            session.calculate_state_vector(values),
            session.calculate_state_vector(values, filters={"x": [0, -0.5]}),
            session.gradient(energy, values),
            session.minimize(energy, values, 5),
            session.estimate_cost(energy, values),
        ]
    with ExecutionSession(program, execution_preferences={"precision": "single"}) as session:
        results.append(session.calculate_state_vector(values))
    for result in results:
        text = json.dumps(result_to_dict(result))
        again = result_from_dict(json.loads(text))
        assert again == result
        assert json.dumps(result_to_dict(again)) == text
        if not isinstance(result, (list, float)):
            assert type(result).from_json(result.to_json()) == result
    state = results[3]
    kept: list[np.ndarray[Any, Any]] = []

    def keep(array: Any) -> int:
        kept.append(array)
        return len(kept) - 1

    apart = json.loads(json.dumps(result_to_dict(state, keep)))
    assert result_from_dict(apart, kept.__getitem__) == state
    assert len(json.dumps(apart)) < 600


@pytest.mark.parametrize("data", [{}, {"type": "nothing"}, {"type": "estimate"}, {"type": "list", "results": [3]}])
def test_what_is_no_result_is_told(data: Any) -> None:
    with pytest.raises(SessionError, match="This is no result"):
        result_from_dict(data)


def test_notebooks_show_tables_with_texts_escaped() -> None:
    details = ExecutionDetails({"0": 3}, {"<b>": (0,)})
    shown = details._repr_html_()
    assert "&lt;b&gt;" in shown and "<b>" not in shown
    circuit, energy = chain(2, 1)
    with ExecutionSession(circuit) as session:
        values = {"p": [0.1, 0.2]}
        for result in (
            session.estimate(energy, values),
            session.gradient(energy, values),
            session.calculate_state_vector(values),
            session.minimize(energy, values, 4),
        ):
            assert result._repr_html_().startswith("<table>")
            assert printed(result)
    assert "[b]" in printed(ExecutionDetails({"0": 3}, {"[b]": (0,)}))


def printed(result: Any) -> str:
    """What rich prints in a terminal."""
    from rich.console import Console

    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(result)
    console.file.close()
    return console.export_text()

"""Whatever a session can submit can be stored, and what comes out of the store gives the same result to the last bit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import bound_circuits, circuits, observables

from parsers.threads import deep
from qsim import Circuit, Parameter, Pauli
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.gates import Gate
from session import (
    ExecutionJob,
    ExecutionPreferences,
    ExecutionSession,
    JobFailedError,
    JobStatus,
    JobTimeoutError,
    SessionError,
    StorageFullError,
    StoreError,
)
from session.errors import JobError
from session.programs import read_program
from session.store.jobs import JobStore
from session.store.spec import program_text, read_results, read_work, results_text, spec_text
from session.tasks import Task, TaskKind


def again(session: ExecutionSession, task: Task) -> tuple[str, str]:
    """The results here, and those of what was stored, as texts that are equal when every bit is."""
    backend, stored = read_work(program_text(session._program), spec_text(task, session.preferences))
    return results_text(session._backend.run(task)), results_text(backend.run(stored))


@settings(max_examples=25)
@given(st.data(), bound_circuits(max_qubits=4, max_gates=8))
def test_circuits_of_gates(data: Any, bound: Any) -> None:
    circuit, values = bound
    operator = data.draw(observables(circuit.num_qubits))
    with ExecutionSession(circuit, random_seed=3, num_shots=50) as session:
        for task in (
            session._sample_task(values, None),
            session._operator_task(TaskKind.ESTIMATE, operator, [values, values]),
            session._state_task(values, None),
        ):
            here, there = again(session, task)
            assert here == there
            assert results_text(read_results(here)) == here


@settings(max_examples=15)
@given(circuits(max_qubits=3, max_gates=6), st.sampled_from(["simulator", "simulator_statevector"]))
def test_samples_from_both_simulators_in_both_precisions(circuit: Circuit, backend: str) -> None:
    for precision in ("double", "single"):
        preferences = ExecutionPreferences(backend=backend, precision=precision, random_seed=5, num_shots=30)
        with ExecutionSession(circuit, execution_preferences=preferences) as session:
            here, there = again(session, session._sample_task(None, None))
            assert here == there


PROGRAMS = {
    "feed-forward": """
        OPENQASM 3.0;
        include "stdgates.inc";
        input float[64] a;
        input uint[4] n;
        qubit[3] q;
        bit[3] c;
        float[64] w = 0.25;
        h q[0];
        c[0] = measure q[0];
        if (c[0]) { rx(a + w) q[1]; } else { w = a * 2; ry(w) q[1]; }
        for uint k in [0:2] { h q[2]; }
        while (c[1] == 0) { h q[0]; c[1] = measure q[0]; reset q[0]; }
        switch (c) { case 1, 3 { x q[2]; } default { z q[2]; } }
        c[2] = measure q[2];
    """,
    "modifiers": """
        OPENQASM 3.0;
        include "stdgates.inc";
        gate mine(a, b) p, q { rx(a / 3) p; ctrl @ pow(0.5) @ x p, q; gphase(b); }
        qubit[4] q;
        h q;
        ctrl(2) @ mine(0.1, pi / 7) q[0], q[1], q[2], q[3];
        negctrl @ inv @ mine(0.3, 1e-9) q[3], q[0], q[1];
        pow(1 / 3) @ mine(2, 3) q[0], q[1];
    """,
    "openqasm 2": 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\nmeasure q->c;\nif(c==1) x q[1];\n',
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    values = {"a": 0.7, "n": 2} if name == "feed-forward" else None
    with ExecutionSession(PROGRAMS[name], random_seed=2, num_shots=100) as session:
        here, there = again(session, session._sample_task(values, None))
        assert here == there


def test_a_program_that_includes_other_files_is_stored_whole(tmp_path: Path) -> None:
    (tmp_path / "mine.inc").write_text("gate mine a { U(0.3, 0.2, 0.1) a; }\n")
    text = 'OPENQASM 3.0;\ninclude "mine.inc";\nqubit[1] q;\nmine q[0];\n'
    program = read_program(text, include_dirs=[str(tmp_path)])
    with ExecutionSession(program, random_seed=2) as session:
        task = session._sample_task(None, None)
        stored = program_text(program)
        (tmp_path / "mine.inc").unlink()
        backend, again_task = read_work(stored, spec_text(task, session.preferences))
        assert results_text(backend.run(again_task)) == results_text(session._backend.run(task))


def test_matrices_snapshots_and_negative_controls() -> None:
    rng = np.random.default_rng(1)
    matrix = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0]
    circuit = Circuit(4).h(range(4)).unitary(matrix, [2, 0, 3], name="mine").save_expectation("z", Pauli.Z(1))
    circuit.append(Gate("rx", Parameter("p") / 3).control(2, value=0).power(2), [3, 1, 0]).delay("10ns", 2).gphase(0.1)
    with ExecutionSession(circuit, random_seed=2) as session:
        here, there = again(session, session._state_task({"p": 1e-17}, None))
        assert here == there


def test_a_deep_expression() -> None:
    value: Any = Bits((0,))
    for _ in range(60):
        value = ClassicalOperation("+", (value, Literal(1)), width=3)
    circuit = Circuit(2, 3).h(0).measure(0, 0)
    body = circuit.block().x(1)
    for _ in range(30):
        outer = circuit.block()
        outer.if_else(ClassicalOperation("==", (Bits((0,)), Literal(1))), body)
        body = outer
    circuit.if_else(ClassicalOperation(">", (value, Literal(0))), body).measure(1, 1)
    with ExecutionSession(circuit, random_seed=4) as session:
        here, there = again(session, session._sample_task(None, None))
        assert here == there


def test_every_operation() -> None:
    angle = Parameter("t")
    with ExecutionSession(Circuit(2).ry(angle, [0, 1]).cx(0, 1), random_seed=1, num_shots=200) as session:
        z = Pauli.Z(0) * Pauli.Z(1)
        jobs = [
            session.submit_sample([{"t": 0.1}, {"t": 0.2}]),
            session.submit_estimate([z, Pauli.X(0)], {"t": 0.1 + 0.2}),
            session.submit_calculate_state_vector([{"t": 0.3}], filters={"q": [0, 3]}),
            session.submit_gradient(z, {"t": 0.4}),
            session.submit_estimate_cost(z, {"t": 0.4}, quantile=0.5),
            session.submit_minimize(z, {"t": 0.4}, 10),
        ]
    store = JobStore()
    for job in jobs:
        backend, task = read_work(*store.spec(job.id))
        job.poll(300)
        assert results_text(backend.run(task)) == results_text(store.result(job.id)), job
    assert ExecutionJob.from_id(jobs[5].id).get_minimization_result().optimal_cost < 0.9
    assert isinstance(ExecutionJob.from_id(jobs[4].id).get_cost_result(), float)
    assert len(ExecutionJob.from_id(jobs[2].id).get_batch_state_vector_result()) == 1
    assert set(ExecutionJob.from_id(jobs[3].id).get_gradient_result()) == {"t"}
    with pytest.raises(JobError, match=r"comes from get_gradient_result\(\), not get_minimization_result\(\)"):
        jobs[3].get_minimization_result()


def test_a_python_cost_is_bound_to_its_process() -> None:
    with ExecutionSession(Circuit(1).x(0), random_seed=1) as session:
        job = session.submit_estimate_cost(lambda state: 2.0 * state["q"])
        assert job.get_cost_result(300) == 2.0
        task = session._cost_task(TaskKind.ESTIMATE_COST, lambda state: 1.0, None, 1.0)
        with pytest.raises(JobError, match="Only the process that submitted this job could run it"):
            read_work(program_text(session._program), spec_text(task, session.preferences))
    assert ExecutionJob.from_id(job.id).get_cost_result() == 2.0


def test_a_python_cost_survives_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise StorageFullError("There is no room.")

    with ExecutionSession(Circuit(1).x(0), random_seed=1) as session:
        with monkeypatch.context() as patch:
            patch.setattr("session.store.jobs.write_result", full)
            job = session.submit_estimate_cost(lambda state: 2.0 * state["q"])
            with pytest.raises(StorageFullError):
                job.result(300)
        assert job.status is JobStatus.QUEUED
        assert job.result(300) == 2.0


def test_credentials_are_never_stored() -> None:
    with ExecutionSession(Circuit(1)) as session:
        task = session._sample_task(None, None)
    for options in ({"token": "x"}, {"a": {"API_KEY": "x"}}, {"list": [{"password": "x"}]}):
        preferences = ExecutionPreferences(backend_options=options)
        with pytest.raises(StoreError, match="Credentials are never stored"):
            spec_text(task, preferences)


def test_what_is_damaged_is_an_error() -> None:
    with ExecutionSession(Circuit(1)) as session:
        program, spec = program_text(session._program), spec_text(session._sample_task(None, None), session.preferences)
    for bad in ("", "{}", "[]", "1", "null", spec[:-5], spec.replace('"format":1', '"format":2')):
        with pytest.raises(SessionError):
            read_work(program, bad)
        with pytest.raises(SessionError):
            read_results(bad)
        with pytest.raises(SessionError):
            read_work(bad[:-1] or "x", spec)


# asyncio --------------------------------------------------------------------------------------------------------
def long_job(sets: int) -> ExecutionJob:
    circuit = Circuit(14)
    for layer in range(20):
        circuit.rx((layer + 1) * Parameter("t"), range(14)).cx(layer % 14, (layer + 3) % 14)
    with ExecutionSession(circuit, num_shots=10) as session:
        return session.submit_sample([{"t": float(k)} for k in range(sets)])


def test_awaiting_results_leaves_the_loop_free() -> None:
    async def main() -> tuple[list[Any], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticking = asyncio.create_task(tick())
        results = await asyncio.gather(*[long_job(30).result_async(300) for _ in range(3)])
        ticking.cancel()
        return results, ticks

    results, ticks = asyncio.run(main())
    assert [len(result) for result in results] == [30, 30, 30]
    assert ticks > 3


def test_awaiting_has_time_limits_and_can_be_given_up() -> None:
    job = long_job(100_000)

    async def main() -> None:
        with pytest.raises(JobTimeoutError, match="not done after 0.05 s"):
            await job.poll_async(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job.result_async(), 0.05)
        assert job.cancel()
        assert await job.poll_async(60) is JobStatus.CANCELLED

    asyncio.run(main())


def test_an_error_of_an_unknown_type_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class OddError(Exception):
        pass

    with ExecutionSession(Circuit(1)) as session:

        def broken(task: Any) -> Any:
            raise OddError("odd")

        monkeypatch.setattr(session._backend, "run", broken)
        job = session.submit_sample()
    with pytest.raises(JobFailedError, match="OddError: odd"):
        job.result(300)
    assert job.error == "odd"


def test_blocks_nested_too_deep_are_refused_clearly() -> None:
    def program() -> Any:
        circuit = Circuit(1, 1)
        body = circuit.block().x(0)
        for _ in range(300):
            outer = circuit.block()
            outer.if_else(Bits((0,)), body)
            body = outer
        return read_program(circuit.if_else(Bits((0,)), body))

    found = deep(program)
    try:
        text = program_text(found)  # some versions of Python have room for it
    except StoreError as error:
        assert "blocks inside blocks" in str(error)
    else:
        assert text == program_text(found)

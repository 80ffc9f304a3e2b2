"""The text that IonQ is sent, read by others, and its results when they are anything at all."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import small_engine as engine
from hypothesis import given, settings
from hypothesis import strategies as st
from ionq_service import gates_of, parse

pytest.importorskip("httpx2")

from qsim import Circuit, Simulator
from qsim.errors import QsimError
from qsim.gates import GATES, Gate
from session.backends.aqt import AQTBackend
from session.backends.aqt.payload import GATES as AQT_GATES
from session.backends.http_replies import Reply
from session.backends.ionq import IonQBackend, decoding
from session.backends.ionq.printing import QASM3_GATES, QIS_GATES, qasm3, qis
from session.backends.protocol import RawResult, RemoteRef
from session.backends.readout import readout
from session.errors import BadReply
from session.preferences import ExecutionPreferences
from session.preparation import rebase
from session.programs import read_program
from session.tasks import Task, TaskKind

NAMES = ["h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz", "p", "u", "r", "cx", "cy", "cz", "ch", "swap",
         "cp", "crx", "cry", "crz", "cu3", "rxx", "rzz", "ryy", "iswap", "ecr", "ccx", "cswap", "ccz"]  # fmt: skip


@st.composite
def circuits(draw: Any) -> Circuit:
    """Gates of many kinds on four qubits."""
    circuit = Circuit(4)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=10)):
        row = GATES[name]
        angles = [draw(st.floats(-7, 7, allow_nan=False)) for _ in range(row.num_params)]
        circuit.append(Gate(name, *angles), list(draw(st.permutations(range(4))))[: row.num_qubits])
    return circuit


def overlap(circuit: Circuit, state: Any) -> float:
    """With the state of the engine: 1 for the same but for a phase."""
    return float(abs(np.vdot(Simulator().statevector(circuit), state)))


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_the_text_makes_the_same_state(circuit: Circuit) -> None:
    made = rebase(circuit.copy().measure_all(), QASM3_GATES, merge=False)
    text = parse(qasm3(made, readout(made))[0])
    steps = [step for step in text.steps if step[0] != "measure"]
    assert abs(overlap(circuit, engine.run(text.qubits, steps)) - 1) < 1e-9


@settings(max_examples=60, deadline=None)
@given(circuits())
def test_the_list_of_gates_makes_the_same_state(circuit: Circuit) -> None:
    made = rebase(circuit, QIS_GATES, merge=False)
    assert abs(overlap(circuit, engine.run(4, gates_of(qis(made)))) - 1) < 1e-9


@pytest.mark.peer
@settings(max_examples=40, deadline=None)
@given(circuits())
def test_qiskit_reads_the_text(circuit: Circuit) -> None:
    pytest.importorskip("qiskit_qasm3_import")
    from qiskit import qasm3 as theirs
    from qiskit.quantum_info import Statevector

    made = rebase(circuit.copy().measure_all(), QASM3_GATES, merge=False)
    read = theirs.loads(qasm3(made, readout(made))[0])
    read.remove_final_measurements()
    assert abs(overlap(circuit, Statevector(read).data) - 1) < 1e-9


# results that are anything ------------------------------------------------------------------------------------------
def values() -> Any:
    """JSON of any kind, with the words of IonQ's formats in it."""
    words = st.sampled_from(
        ["shots", "registers", "c", "output_all", "histogram", "probabilities", "0", "1", "01", "x"]
    )
    leaf = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), words, st.just(1e308))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
        max_leaves=12,
    )


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*decoding.FORMATS, "ionq.native.v1"]), values(), st.booleans(), st.booleans(), st.booleans())
def test_results_are_counts_or_a_bad_reply(format: str, data: Any, text: bool, midway: bool, exact: bool) -> None:
    registers = (("c", 2),) if text else ()
    asked = decoding.Asked((0, 1), registers, None if midway else (0, 1), 10, 7, exact, 2)
    try:
        counts = decoding.read(format, data, asked)
    except BadReply:
        return
    assert all(0 <= outcome < 4 and isinstance(n, int) and n >= 0 for outcome, n in counts.items())


@settings(max_examples=100, deadline=None)
@given(st.one_of(values(), st.fixed_dictionaries({"results": st.lists(values(), max_size=2), "children": values()})))
def test_stored_replies_are_counts_or_a_bad_reply(data: Any) -> None:
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 7)
    program = read_program(Circuit(1))
    backend = IonQBackend(ExecutionPreferences(backend="ionq"))
    raw = RawResult(json.dumps(data).encode(), "application/json")
    with pytest.raises(BadReply):
        backend.decode(raw, backend.prepare(program, task), program, task)


def service_says(words: list[str]) -> Any:
    """JSON of any kind with the words of a service in it."""
    key = st.sampled_from(words)
    leaf = st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False), key
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(key, inner, max_size=4)),
        max_leaves=12,
    )


class Says:
    """In the place of an HTTP client: one reply to everything."""

    def __init__(self, data: Any, status: int) -> None:
        self.reply = Reply(status, {}, json.dumps(data).encode(), "GET", "/x")

    def get(self, *path: Any, **more: Any) -> Reply:
        return self.reply

    send = get


IONQ = ["id", "status", "completed", "failed", "failure", "code", "results", "child_job_ids", "jobs", "next", "metadata",
        "qsim_job", "ref", "backend", "simulator", "qubits", "ionq.result.shots.json.v2", "estimated_total_cost",
        "predicted_wait_time_ms", "submitted", decoding.AGGREGATE, "submitted_at"]  # fmt: skip
AQT = [
    "job",
    "job_id",
    "response",
    "status",
    "finished",
    "error",
    "message",
    "finished_count",
    "result",
    "available_qubits",
]


@settings(max_examples=100, deadline=None)
@given(service_says([*IONQ, *AQT]), st.sampled_from([200, 201, 208, 404]), st.sampled_from(["ionq", "aqt"]))
def test_whatever_a_service_says_is_an_answer_or_an_error_of_ours(data: Any, status: int, name: str) -> None:
    kind: Any = IonQBackend if name == "ionq" else AQTBackend
    backend = kind(ExecutionPreferences(backend=name, backend_options={"target": "lab/ibex"}))
    backend._http = backend._open = backend._quick = Says(data, status)
    ref, since = RemoteRef("x"), datetime(2026, 11, 25, tzinfo=UTC)
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 7)
    prepared = backend.prepare(read_program(Circuit(1)), task)
    for ask in (
        backend.capabilities, lambda: backend.submit(prepared, "ref"), lambda: backend.find("ref", since),
        lambda: backend.status(ref), lambda: backend.cancel(ref), lambda: backend.fetch(ref), lambda: backend.cost(prepared),
    ):  # fmt: skip
        with contextlib.suppress(QsimError):
            ask()


def test_angles_that_are_next_to_nothing() -> None:
    """The angle of a number whose imaginary part is the least that there is."""
    circuit = Circuit(2)
    for name in ("p", "rz", "rx"):
        getattr(circuit, name)(5e-324, 0)
    circuit.crx(5e-324, 0, 1).cp(-1e-323, 0, 1).rzz(1e-308, 0, 1)
    for gates in (QASM3_GATES, QIS_GATES, AQT_GATES):
        rebase(circuit, gates, merge=True)
        rebase(circuit, gates, merge=False, small_angles=True)

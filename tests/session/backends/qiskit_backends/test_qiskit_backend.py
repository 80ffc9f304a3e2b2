"""The Qiskit adapter on what runs offline here: Aer, GenericBackendV2, reference samplers, and jobs that misbehave."""

import json
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter, Simulator
from session import ExecutionPreferences, ExecutionSession, Pauli
from session.backends.protocol import CancelOutcome, RawResult, RemoteRef, RemoteState
from session.backends.qiskit import QiskitBackend, open_qiskit
from session.backends.qiskit import results as outcomes
from session.errors import ServiceRefused, ServiceUnavailable, SessionError, SubmitUnknown
from session.programs import read_program
from session.tasks import Task, TaskKind

pytest.importorskip("qiskit_aer")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Qiskit backend:UserWarning"
)  # GenericBackendV2 without qubit properties

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '


def aer() -> Any:
    from qiskit_aer import AerSimulator

    return AerSimulator()


def generic(**options: Any) -> Any:
    from qiskit.providers.fake_provider import GenericBackendV2

    line = [[k, k + 1] for k in range(4)]
    return GenericBackendV2(5, coupling_map=line, noise_info=False, seed=3, **options)


def statevector_sampler() -> Any:
    from qiskit.primitives import StatevectorSampler

    return StatevectorSampler(seed=11)


def backend_sampler() -> Any:
    from qiskit.primitives import BackendSamplerV2

    return BackendSamplerV2(backend=aer(), options={"seed_simulator": 11})


TARGETS = {
    "aer": aer,
    "generic": generic,
    "StatevectorSampler": statevector_sampler,
    "BackendSamplerV2": backend_sampler,
}
CANARIES = {
    "x on one of three": ("qubit[3] q; x q[2];", "100"),
    "partial": ("qubit[3] q; bit c; x q[2]; c = measure q[2];", "1"),
    "unequal": ("qubit[4] q; bit[3] low; bit high; bit[2] never; x q[3]; x q[1]; low[2] = measure q[1]; high = measure q[0]; low[0] = measure q[3];", "000101"),
    "crossed": ("qubit[3] q; bit[2] a; bit[9] b; x q[0]; b[8] = measure q[0]; a[1] = measure q[1]; b[0] = measure q[2];", "10000000000"),
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CANARIES)
def test_bits_are_where_they_belong(target: str, name: str) -> None:
    text, expected = CANARIES[name]
    with ExecutionSession(HEAD + text, backend=QiskitBackend(TARGETS[target]()), num_shots=20) as session:
        details = session.sample()
    assert details.counts == {expected: 20}
    with ExecutionSession(HEAD + text, num_shots=20) as session:
        assert details.parsed_counts == session.sample().parsed_counts


@pytest.mark.parametrize("target", ["aer", "BackendSamplerV2"])
def test_bits_measured_midway(target: str) -> None:
    text = """qubit[2] q; bit[2] c; bit[3] d; uint[3] k = 5; x q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; }
    c[1] = measure q[1]; reset q[0]; d[2] = measure q[0]; d[1] = measure q[1];"""
    with ExecutionSession(HEAD + text, backend=QiskitBackend(TARGETS[target]()), num_shots=20) as session:
        assert session.sample().counts == {"01011": 20}


def ansatz() -> Circuit:
    a = [Parameter(f"a{k}") for k in range(4)]
    circuit = Circuit(3).ry(a[0], 0).ry(a[1], 1).cx(0, 1).rz(a[2], 1).cx(1, 2).rx(a[3], 2).crz(0.7, 0, 2).h(1)
    return circuit.ccx(0, 1, 2).swap(0, 2)


PROGRAMS = {
    "bell": (Circuit(2).h(0).cx(0, 1), {}),
    "ghz": (Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3), {}),
    "ansatz": (ansatz(), {"a0": 0.4, "a1": 1.3, "a2": -0.8, "a3": 2.1}),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_distributions_are_the_engine_s(target: str, name: str) -> None:
    circuit, values = PROGRAMS[name]
    shots = 4000
    with ExecutionSession(circuit, backend=QiskitBackend(TARGETS[target]()), num_shots=shots, random_seed=5) as session:
        counts = session.sample(values or None).counts
    expected = Simulator().probabilities(circuit, values)
    seen = np.array([counts.get(format(k, f"0{circuit.num_qubits}b"), 0) for k in range(len(expected))])
    assert np.all(np.abs(seen - shots * expected) <= 5 * np.sqrt(shots * expected * (1 - expected)) + 1e-9)


@pytest.mark.parametrize("target", ["generic", "BackendSamplerV2"])
def test_estimates_are_the_engine_s(target: str) -> None:
    circuit = ansatz()
    operators = [
        Pauli.Z(0) * Pauli.Z(2) + 0.5 * Pauli.X(1) - 0.3 * Pauli.Y(0) * Pauli.Y(1) + 2,
        Pauli.X(0) * Pauli.X(1),
    ]
    sets = [{"a0": 0.4, "a1": 1.3, "a2": -0.8, "a3": 2.1}, {"a0": 2.0, "a1": 0.3, "a2": 0.8, "a3": 0.1}]
    own = QiskitBackend(TARGETS[target](), max_circuits=3)
    with ExecutionSession(circuit, backend=own, num_shots=4000, random_seed=5) as session:
        found = session.estimate(operators, sets)
    for results, values in zip(found, sets, strict=True):
        for result, operator in zip(results, operators, strict=True):
            exact = Simulator().expectation(circuit, operator, values)
            assert abs(result.value - exact) < 5 * result.standard_error
            assert result.metadata["num_shots"] == 4000


def test_readout_errors_are_measured_on_the_qubits_that_count_and_taken_out() -> None:
    from qiskit.transpiler import InstructionProperties

    class Noisy(type(generic())):  # type: ignore[misc]
        """Each qubit is read wrongly in its own way; everything else is exact."""

        def run(self, circuits: Any, **options: Any) -> Any:
            from qiskit_aer import AerSimulator
            from qiskit_aer.noise import NoiseModel, ReadoutError

            model = NoiseModel()
            for k in range(5):
                p, q = 0.02 + 0.06 * k, 0.05 + 0.03 * k
                model.add_readout_error(ReadoutError([[1 - p, p], [q, 1 - q]]), [k])
            seen.extend(circuits)
            return AerSimulator(noise_model=model).run(circuits, **options)

    seen: list[Any] = []
    target = Noisy(5, coupling_map=[[k, k + 1] for k in range(4)], noise_info=False, seed=3)
    for k in range(5):  # errors that make the transpiler choose other qubits than the first
        target.target.update_instruction_properties("measure", (k,), InstructionProperties(error=0.1 / (k + 1)))
    circuit = Circuit(3).ry(0.7, 0).cx(0, 2).rx(1.2, 1).cx(1, 2).cx(0, 1)
    operator = Pauli.Z(0) * Pauli.Z(2) + Pauli.Z(1) + 0.5 * Pauli.X(0) * Pauli.X(1)
    preferences = ExecutionPreferences(num_shots=40_000, random_seed=4, readout_mitigation=40_000)
    with ExecutionSession(circuit, backend=QiskitBackend(target), execution_preferences=preferences) as session:
        mitigated = session.estimate(operator)
    exact = Simulator().expectation(circuit, operator)
    assert abs(mitigated.value - exact) < 0.04
    measured = [
        {one.clbits[0]._index: circuit.find_bit(one.qubits[0]).index for one in circuit if one.name == "measure"}
        for circuit in seen
    ]
    assert len(measured) == 4 and all(one == measured[0] for one in measured)
    with ExecutionSession(circuit, backend=QiskitBackend(target), num_shots=40_000, random_seed=4) as session:
        assert abs(session.estimate(operator).value - exact) > 0.1


def test_an_estimator_estimates() -> None:
    from qiskit.primitives import StatevectorEstimator

    circuit = ansatz().measure_all()
    operators = [
        Pauli.Z(0) * Pauli.Z(2) + 0.5 * Pauli.X(1) - 0.3 * Pauli.Y(0) * Pauli.Y(1) + 2,
        Pauli.X(0) * Pauli.X(1),
    ]
    sets = [{"a0": 0.4, "a1": 1.3, "a2": -0.8, "a3": 2.1}, {"a0": 2.0, "a1": 0.3, "a2": 0.8, "a3": 0.1}]
    for own in (
        QiskitBackend(statevector_sampler(), estimator=StatevectorEstimator(seed=4)),
        QiskitBackend(generic(), estimator=True, max_circuits=1),
    ):
        with ExecutionSession(circuit, backend=own, num_shots=10_000, random_seed=5) as session:
            found = session.estimate(operators, sets)
        for results, values in zip(found, sets, strict=True):
            for result, operator in zip(results, operators, strict=True):
                exact = Simulator().expectation(ansatz(), operator, values)
                assert abs(result.value - exact) < 0.08 and result.metadata["method"] == "estimator"
    with pytest.raises(SessionError, match="estimator is a BaseEstimatorV2"):
        QiskitBackend(aer(), estimator="mine")


def test_a_session_takes_qiskit_s_objects_as_they_are() -> None:
    for target in (aer(), statevector_sampler()):
        with ExecutionSession(Circuit(2).x(1), backend=target, num_shots=10) as session:
            assert session.sample().counts == {"10": 10}


def test_the_same_seed_gives_the_same_counts() -> None:
    def counts() -> Any:
        with ExecutionSession(ansatz(), backend=QiskitBackend(aer()), num_shots=500, random_seed=8) as session:
            return [one.counts for one in session.sample([{"a0": 0.4, "a1": 1.3, "a2": -0.8, "a3": 2.1}] * 2)]

    assert counts() == counts()


# what the target cannot do ----------------------------------------------------------------------------------------
def test_refusals_come_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    target = generic()
    monkeypatch.setattr(type(target), "run", lambda *a, **k: pytest.fail("it was sent"))
    own = QiskitBackend(target, max_shots=1000)
    for text, shots, said in (
        ("qubit[6] q; x q[0];", 10, "5 qubits"),
        ("qubit q; x q;", 1001, "1,000 shots"),
        ("qubit q; bit c; c = measure q; if (c) { x q; }", 10, r"has no feed-forward: if \(line 1\)"),
    ):
        with (
            ExecutionSession(HEAD + text, backend=own, num_shots=shots) as session,
            pytest.raises(SessionError, match=said),
        ):
            session.sample()


def test_a_target_without_reset_is_told_by_name() -> None:
    from qiskit.circuit import Parameter as Theirs
    from qiskit.circuit.library import CZGate, Measure, RZGate, SXGate
    from qiskit.providers import BackendV2, Options
    from qiskit.transpiler import Target

    class Plain(BackendV2):
        def __init__(self) -> None:
            super().__init__(name="plain")
            self._target = Target(num_qubits=2)
            for gate in (CZGate(), SXGate(), RZGate(Theirs("a")), Measure()):
                self._target.add_instruction(gate)

        target = property(lambda self: self._target)
        max_circuits = property(lambda self: None)
        _default_options = classmethod(lambda cls: Options())  # type: ignore[arg-type]

        def run(self, *args: Any, **options: Any) -> Any:
            raise AssertionError("it was sent")

    text = HEAD + "qubit q; bit[2] c;\nc[0] = measure q;\nreset q; c[1] = measure q;"
    with (
        ExecutionSession(text, backend=QiskitBackend(Plain()), num_shots=5) as session,
        pytest.raises(SessionError, match=r"no reset \(line 3\)"),
    ):
        session.sample()


def test_only_qiskit_s_objects_are_taken() -> None:
    with pytest.raises(SessionError, match="BackendV2 or a SamplerV2, got str"):
        QiskitBackend("aer")
    with pytest.raises(SessionError, match="sampler is a BaseSamplerV2"):
        QiskitBackend(aer(), sampler=3)
    with pytest.raises(SessionError, match="optimization_level"):
        QiskitBackend(aer(), optimization_level=4)


# by name ----------------------------------------------------------------------------------------------------------
def named(**options: Any) -> ExecutionPreferences:
    return ExecutionPreferences(backend="qiskit", backend_options=options, num_shots=100, random_seed=1)


def test_preferences_name_a_provider() -> None:
    with ExecutionSession(Circuit(2).h(0).cx(0, 1), execution_preferences=named(provider="aer")) as session:
        assert set(session.sample().counts) == {"00", "11"}
    options = {"provider": "generic", "provider_options": {"num_qubits": 3}, "optimization_level": 3}
    assert open_qiskit(named(**options)).capabilities().num_qubits == 3


def test_names_that_are_none_are_refused() -> None:
    for options, said in (
        ({}, "needs backend_options with 'provider'"),
        ({"provider": "air"}, "Did you mean 'aer'"),
        ({"provider": "os.system"}, "one of aer"),
        ({"provider": "aer", "max_circuit": 3}, "Did you mean 'max_circuits'"),
        ({"provider": "ibm_fake", "target": "fake_x"}, "gives no backend|needs qiskit-ibm-runtime"),
    ):
        with pytest.raises(SessionError, match=said):
            open_qiskit(named(**options))


# jobs of providers ------------------------------------------------------------------------------------------------
class Job:
    """A job as a provider may make it."""

    def __init__(self, words: list[Any], result: Any = None, cancel: Any = True) -> None:
        self.words, self.given, self.cancelled = words, result, cancel

    def job_id(self) -> str:
        return "j1"

    def status(self) -> Any:
        return self.words.pop(0) if len(self.words) > 1 else self.words[0]

    def queue_position(self) -> Any:
        return 4

    def error_message(self) -> str:
        return "the fridge is warm"

    def cancel(self) -> Any:
        if isinstance(self.cancelled, Exception):
            raise self.cancelled
        return self.cancelled

    def result(self) -> Any:
        return self.given


def prepared_and_sent(job: Job, **options: Any) -> tuple[QiskitBackend, Any, Any]:
    own = QiskitBackend(aer(), **options)
    own._target.run = lambda circuits, **given: job
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 1)
    prepared = own.prepare(read_program(Circuit(2).x(1)), task)
    return own, prepared, own.submit(prepared, "ref")


def test_statuses_of_all_kinds() -> None:
    from qiskit.providers import JobStatus

    words = [JobStatus.QUEUED, "QUEUED", JobStatus.RUNNING, "Running", "Dreaming", JobStatus.ERROR]
    own, _, ref = prepared_and_sent(Job(list(words)))
    seen = [own.status(ref) for _ in words]
    assert [one.state.value for one in seen] == ["QUEUED", "QUEUED", "RUNNING", "RUNNING", "RUNNING", "FAILED"]
    assert seen[0].queue_position == 4 and seen[4].raw == "Dreaming" and seen[5].message == "the fridge is warm"


@pytest.mark.parametrize(
    "word, said, outcome",
    [
        ("RUNNING", True, CancelOutcome.REQUESTED), ("RUNNING", None, CancelOutcome.REQUESTED),
        ("RUNNING", False, CancelOutcome.UNSUPPORTED), ("RUNNING", NotImplementedError(), CancelOutcome.UNSUPPORTED),
        ("DONE", True, CancelOutcome.ALREADY_FINAL),
    ],
)  # fmt: skip
def test_cancelling(word: str, said: Any, outcome: CancelOutcome) -> None:
    own, _, ref = prepared_and_sent(Job([word], cancel=said))
    assert own.cancel(ref) is outcome


def test_a_job_is_found_again_only_by_what_can() -> None:
    _, prepared, ref = prepared_and_sent(Job(["DONE"]))
    other = QiskitBackend(aer())
    assert not other.capabilities().resumable
    with pytest.raises(SessionError, match="retrieve="):
        other.status(ref)
    real = aer().run(other._isa(prepared.payload), shots=10)
    again = QiskitBackend(aer(), retrieve=lambda job_id: real if job_id == "j1" else None)
    assert again.capabilities().resumable
    raw = again.fetch(ref)
    program, task = read_program(Circuit(2).x(1)), Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 1)
    assert again.decode(raw, prepared, program, task)[0].counts == {"10": 10}  # type: ignore[union-attr]


def test_a_job_that_is_refused_stops_those_before_it() -> None:
    first = Job(["RUNNING"])
    first.cancel = lambda: first.words.__setitem__(0, "CANCELLED")  # type: ignore[method-assign,assignment]
    sent = [first]

    def run(circuits: Any, **options: Any) -> Any:
        if not sent:
            raise RuntimeError("no budget is left")
        return sent.pop()

    own = QiskitBackend(aer(), max_circuits=1)
    own._target.run = run
    program = read_program(Circuit(1).rx(Parameter("t"), 0))
    prepared = own.prepare(program, Task(TaskKind.SAMPLE, np.array([[0.1], [0.2]]), True, 10, 1))
    with pytest.raises(ServiceRefused, match="budget"):  # a job of this process alone: nothing is on its way
        own.submit(prepared, "ref")
    assert first.words == ["CANCELLED"]
    sent.append(Job(["RUNNING"]))
    far = QiskitBackend(own._target, max_circuits=1, retrieve=lambda job_id: None)
    with pytest.raises(SubmitUnknown, match="budget"):
        far.submit(prepared, "ref")


def test_what_a_provider_raises_is_an_error_of_ours() -> None:
    def retrieve(job_id: str) -> Any:
        raise {"j1": KeyError("j1"), "j2": ConnectionError("away, Bearer canary-token-1234567890abcdef")}[job_id]

    own = QiskitBackend(aer(), retrieve=retrieve)
    with pytest.raises(ServiceRefused) as refused:
        own.status(RemoteRef("j1"))
    assert refused.value.status == 404
    with pytest.raises(ServiceUnavailable, match="ConnectionError: away") as away:
        own.fetch(RemoteRef("j2"))
    assert "canary-token" not in str(away.value)


def test_the_payload_is_the_same_each_time_and_holds_no_object() -> None:
    task = Task(TaskKind.SAMPLE, np.array([[0.5]]), False, 10, 1)
    made = [QiskitBackend(generic()).prepare(read_program(Circuit(1).rx(Parameter("t"), 0)), task) for _ in range(2)]
    assert made[0] == made[1] and json.loads(made[0].payload)["shots"] == [10]


@pytest.mark.parametrize(
    "body, said",
    [
        (b"", "damaged"), (b"[]", "damaged"), (b'{"counts": []}', "damaged"), (b'{"counts": [{"2": 1}]}', "does not fit"),
        (b'{"counts": [{"1 1": 1}]}', "does not fit"), (b'{"counts": [{"111": 1}]}', "does not fit"),
        (b'{"sampled": [{"registers": [["d", 2]], "outcomes": {"1": 1}}]}', "no register 'q'|no register 'c'"),
        (b'{"sampled": [{"registers": [["c", 1]], "outcomes": {"1": 1}}]}', "1 bits"),
        (b'{"sampled": [{"registers": 3, "outcomes": {"1": 1}}]}', "damaged"), (b"[" * 100_000, "damaged"),
    ],
)  # fmt: skip
def test_damaged_outcomes_are_told(body: bytes, said: str) -> None:
    own, prepared, _ = prepared_and_sent(Job(["DONE"]))
    program, task = read_program(Circuit(2).x(1)), Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 10, 1)
    with pytest.raises(SessionError, match=said):
        own.decode(RawResult(body, outcomes.MEDIA_TYPE), prepared, program, task)


def test_a_run_that_failed_is_an_error() -> None:
    class Failed:
        success, status, results = False, "it burned", ()

    own, _, ref = prepared_and_sent(Job(["DONE"], Failed()))
    with pytest.raises(SessionError, match="it burned"):
        own.fetch(ref)
    assert own.status(ref).state is RemoteState.COMPLETED


# submit safety ----------------------------------------------------------------------------------------------------
class Searchable:
    """IBM's service and sampler as far as tags go; jobs run on Aer."""

    def __init__(self) -> None:
        from types import SimpleNamespace

        from qiskit.primitives import BackendSamplerV2
        from qiskit_aer import AerSimulator

        owner = self
        self.found: list[Any] = []
        self.lost = 0  # answers that do not arrive

        class Sampler(BackendSamplerV2):  # type: ignore[misc]
            def run(self, pubs: Any, *, shots: Any = None) -> Any:
                job = super().run(pubs, shots=shots)
                job.tags = list(self.options.environment.job_tags)
                owner.found.append(job)
                if owner.lost:
                    owner.lost -= 1
                    raise ConnectionError("reset")
                return job

        made = type("IBMBackend", (AerSimulator,), {"__module__": "qiskit_ibm_runtime.ibm_backend"})
        self.backend = made()
        self.backend.service = self
        self.sampler = Sampler(backend=self.backend)
        self.sampler._options = SimpleNamespace(
            **vars(self.sampler.options), environment=SimpleNamespace(job_tags=["mine"])
        )

    def jobs(self, limit: Any = 10, job_tags: Any = ()) -> list[Any]:
        return [job for job in reversed(self.found) if set(job_tags) <= set(job.tags)][:limit]

    def job(self, job_id: str) -> Any:
        return next(job for job in self.found if job.job_id() == job_id)


def test_ibm_s_jobs_are_found_by_their_tags_and_only_when_all_are_there() -> None:
    service = Searchable()
    own = QiskitBackend(service.backend, sampler=service.sampler, max_circuits=1)
    assert own.capabilities().idempotency == "search" and own.capabilities().resumable
    program = read_program(Circuit(1).rx(Parameter("t"), 0))
    task = Task(TaskKind.SAMPLE, np.array([[0.0], [np.pi]]), True, 10, 1)
    prepared = own.prepare(program, task)
    ref = own.submit(prepared, "one")
    assert service.found[0].tags == ["mine", "qsim:one", "qsim-part:0/2"]
    assert service.sampler.options.environment.job_tags == ["mine"]
    other = QiskitBackend(service.backend, sampler=service.sampler, max_circuits=1)
    assert other.find("one") == ref and other.find("two") is None
    counts = [one.counts for one in other.decode(other.fetch(ref), prepared, program, task)]  # type: ignore[union-attr]
    assert counts == [{"0": 10}, {"1": 10}]
    service.lost = 1
    with pytest.raises(SubmitUnknown, match="reset"):
        own.submit(prepared, "three")
    assert own.find("three") is None  # one of two: not the whole task
    alone = own.prepare(program, task.part(0, 1))
    service.lost = 1
    with pytest.raises(SubmitUnknown):
        own.submit(alone, "four")
    assert own.find("four") is not None and len(service.found) == 4

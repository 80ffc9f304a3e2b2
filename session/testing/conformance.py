"""What whoever writes an adapter can check it with: a suite for pytest.

```python
from session.testing import AdapterConformance

class TestMyAdapter(AdapterConformance):
    canary = "canary-7f3a"                       # the credential that the adapter is given in these tests
    def make_backend(self):
        return MyBackend(ExecutionPreferences(backend="my", backend_options={"target": "simulator"}))
```
The adapter speaks to a service of the author's: a contract server on loopback, or a simulator. Every circuit has one
outcome or a distribution that is known exactly; a target with noise sets `tolerance`. What an adapter says that it cannot
do is left out, and the tests of the steps of a `RemoteBackend` are left out for one that is none.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from qsim.circuit import Circuit
from qsim.classical import Bits
from qsim.errors import QsimError
from qsim.parameters import Parameter
from qsim.pauli import Pauli
from session.backends.bound import BoundBackend
from session.backends.protocol import (
    API_VERSION,
    IDEMPOTENCY,
    Backend,
    CancelOutcome,
    Cost,
    Prepared,
    RawResult,
    RemoteBackend,
    RemoteRef,
    RemoteState,
    is_remote,
)
from session.backends.remote import run_remotely
from session.errors import SessionError
from session.programs import Program, read_program
from session.tasks import Task, TaskKind
from session.testing.secrets import find_canary, no_network


class AdapterConformance:
    """Tests of an adapter, to be subclassed as a class whose name begins with ``Test``."""

    #: Of each circuit; a target that takes fewer at most says so by its capabilities.
    shots = 200
    #: How far a share of shots may be from what it should be, besides chance: 0 without noise.
    tolerance = 0.0
    #: The credential that the adapter is given; it must be found nowhere.
    canary: str | None = None
    #: Seconds between two questions about a task, and until one must be done.
    wait, patience = 0.02, 120.0

    def make_backend(self) -> Backend:
        """A new adapter as after a restart; each has to reach the same service."""
        raise NotImplementedError("Give the suite an adapter: def make_backend(self).")

    def tasks_taken(self) -> int | None:
        """How many tasks the service has taken so far; None where that is not known."""
        return None

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        """Have the service give this word as the status of a task; False where the test has no such power."""
        return False

    def hold_tasks(self) -> bool:
        """Have the service leave tasks unfinished from now on; False where the test has no such power."""
        return False

    # bit order ----------------------------------------------------------------------------------------------
    def test_an_x_on_one_of_three_qubits_is_seen_on_that_one(self) -> None:
        """Qubit 0 is the rightmost character."""
        for qubit in range(3):
            self._expect(Circuit(3).x(qubit).measure_all(), format(1 << qubit, "03b"))

    def test_registers_of_unequal_size_keep_their_order(self) -> None:
        """The first declared is the rightmost, each with its bit 0 at its right."""
        circuit = Circuit(6)
        for name, size in (("a", 1), ("b", 2), ("c", 3)):
            circuit.add_clbits(size, name)
        circuit.x([0, 2, 5]).measure(range(6), range(6))
        self._expect(circuit, "100101", {"a": "1", "b": "10", "c": "100"})

    def test_a_qubit_is_measured_into_the_bit_that_is_said(self) -> None:
        """Qubit 0 into bit 2 and so on."""
        self._expect(Circuit(3, 3).x(0).measure([0, 1, 2], [2, 0, 1]), "100")

    def test_part_of_the_qubits_is_measured(self) -> None:
        """Bits are numbered by themselves, not by their qubits."""
        self._expect(Circuit(3, 2).x(2).measure([2, 1], [0, 1]), "01")
        self._expect(Circuit(3, 1).x([0, 2]).measure([1], [0]), "0")

    def test_what_is_never_measured_is_zero(self) -> None:
        """A bit of a register that no measurement writes; refused is as good."""
        self._expect(Circuit(2, 3).x([0, 1]).measure([0, 1], [0, 2]), "101", may_refuse=True)

    def test_a_program_without_measurements_is_measured_whole(self) -> None:
        """As everywhere in a session."""
        self._expect(Circuit(3).x(1), "010")

    def test_measurements_in_the_middle(self) -> None:
        """A qubit that is measured, changed and measured again, and one that is reset."""
        can = self.make_backend().capabilities()
        if not can.measures_midway:
            self._must_refuse(Circuit(1, 2).measure([0], [0]).x(0).measure([0], [1]))
            return
        self._expect(Circuit(1, 2).x(0).measure([0], [0]).x(0).measure([0], [1]), "01")
        self._expect(Circuit(2, 2).x([0, 1]).reset(0).measure([0, 1], [0, 1]), "10", may_refuse=True)

    def test_branches_on_measured_bits(self) -> None:
        """An x where a bit was 1."""
        circuit = Circuit(2, 2).x(0).measure([0], [0])
        circuit.if_else(Bits((0,)), circuit.block().x(1)).measure([1], [1])
        if self.make_backend().capabilities().feed_forward:
            self._expect(circuit, "11")
        else:
            self._must_refuse(circuit)

    # what is computed ---------------------------------------------------------------------------------------
    def test_parameter_sets_come_back_in_their_order(self) -> None:
        """Half turns and none, each with its own outcome."""
        theta = Parameter("theta")
        program = read_program(Circuit(2).rx(theta, 0).x(1))
        rows = [[0.0], [math.pi], [0.0], [math.pi], [math.pi]]
        found = self._run(program, self._task(TaskKind.SAMPLE, rows))
        assert [self._most(one) for one in found] == ["10", "11", "10", "11", "11"]

    def test_distributions_are_those_of_the_gates(self) -> None:
        """GHZ, and turns about each axis, within five standard deviations."""
        ghz = self._sampled(Circuit(3).h(0).cx(0, 1).cx(1, 2))
        self._close(ghz, {"000": 0.5, "111": 0.5})
        turned = Circuit(2).ry(1.1, 0).rz(0.7, 0).rx(0.4, 0).cz(0, 1).ry(2.0, 1)
        from qsim.simulator import Simulator

        exact = Simulator().probabilities(turned)
        self._close(self._sampled(turned), {format(k, "02b"): float(p) for k, p in enumerate(exact)})

    def test_estimates(self) -> None:
        """Signs and places of Pauli operators, and a constant."""
        can = self.make_backend().capabilities()
        if TaskKind.ESTIMATE not in can.operations:
            skip("the adapter makes no estimates")
        bell = read_program(Circuit(3).h(0).cx(0, 1).x(2))
        z, x, y = Pauli.Z, Pauli.X, Pauli.Y
        for operator, value in (
            (z(2), -1.0),
            (z(0) * z(1), 1.0),
            (x(0) * x(1), 1.0),
            (y(0) * y(1), -1.0),
            (z(2) + 3, 2.0),
        ):
            (found,) = self._run(bell, self._task(TaskKind.ESTIMATE, [[]], observables=(operator,)))
            assert abs(found.value - value) <= 1e-9 + 4 * self.tolerance, (operator, found)

    # capabilities -------------------------------------------------------------------------------------------
    def test_capabilities_are_consistent(self) -> None:
        """They say what it is, in words that are known, and what it was tested against."""
        backend = self.make_backend()
        can = backend.capabilities()
        assert can.is_remote == is_remote(backend), "is_remote does not say what the adapter is"
        assert getattr(type(backend), "api_version", API_VERSION) == API_VERSION
        assert can.idempotency in IDEMPOTENCY
        assert can.operations and all(isinstance(kind, TaskKind) for kind in can.operations)
        assert can.max_shots > 0 and (can.num_qubits is None or can.num_qubits > 0)
        assert isinstance(backend.name, str) and backend.name
        assert not can.is_remote or can.tested_against, "tested_against says nothing"

    def test_what_is_too_large_is_refused_before_it_is_sent(self) -> None:
        """Shots, qubits and sets above what the capabilities say."""
        can, before = self.make_backend().capabilities(), self.tasks_taken()
        if can.max_shots < 1 << 40:
            self._must_refuse(Circuit(1).x(0), num_shots=can.max_shots + 1)
        if can.num_qubits is not None:
            self._must_refuse(Circuit(can.num_qubits + 1).x(0))
        if can.max_sets is not None and can.max_sets < 100_000:
            theta = Parameter("theta")
            self._must_refuse(Circuit(1).rx(theta, 0), rows=[[0.0]] * (can.max_sets + 1))
        assert self.tasks_taken() == before, "something was sent"

    def test_operations_that_it_lacks_are_refused(self) -> None:
        """By an error of this package, not by whatever happens."""
        lacking = {TaskKind.STATE_VECTOR, TaskKind.GRADIENT} - self.make_backend().capabilities().operations
        for kind in lacking:
            observables = (Pauli.Z(0),) if kind is TaskKind.GRADIENT else ()
            self._must_refuse(Circuit(1).x(0), kind=kind, observables=observables)

    # the steps of a remote backend --------------------------------------------------------------------------
    def test_prepare_is_pure_and_offline(self) -> None:
        """The same bytes each time, also after a restart; what goes with them is JSON."""
        program, task = self._example()
        with no_network():
            made = [self._remote().prepare(program, task) for _ in range(2)]
            first = self._remote()
            made += [first.prepare(program, task), first.prepare(program, task)]
        assert all(one == made[0] for one in made), "prepare gives something else when it is called again"
        assert Prepared.from_about(made[0].payload, json.loads(json.dumps(made[0].about()))) == made[0]
        assert made[0].circuits >= 1 and isinstance(made[0].payload, bytes)

    def test_decode_is_pure_and_offline(self) -> None:
        """The same results each time, also after a restart and by what a store gives back."""
        program, task = self._example()
        prepared, ref = self._submitted(program, task)
        self._until_done(ref)
        raw = self._remote().fetch(ref)
        stored = Prepared.from_about(prepared.payload, json.loads(json.dumps(prepared.about())))
        with no_network():
            found = [self._remote().decode(raw, one, program, task) for one in (prepared, stored, stored)]
        shown = [[one.counts for one in results] for results in found]  # type: ignore[union-attr]
        assert shown[0] == shown[1] == shown[2]
        assert self._most(found[0][0]) == "01"

    def test_replies_that_are_none_are_errors_of_ours(self) -> None:
        """Empty, garbage, of another kind, and cut off in the middle; never a result."""
        program, task = self._example()
        prepared, ref = self._submitted(program, task)
        self._until_done(ref)
        raw = self._remote().fetch(ref)
        for body in (b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe\x00", raw.body[: len(raw.body) // 2]):
            try:
                found = self._remote().decode(RawResult(body, raw.media_type), prepared, program, task)
            except QsimError:
                continue
            except Exception as error:
                raise AssertionError(
                    f"decode of {body[:20]!r} raises {type(error).__name__}, no error of this package"
                ) from error
            raise AssertionError(f"decode of {body[:20]!r} gives {found}")

    def test_what_was_submitted_is_found_and_not_doubled(self) -> None:
        """By the class of idempotency that the adapter claims."""
        backend, (program, task) = self._remote(), self._example()
        kind, before = backend.capabilities().idempotency, self.tasks_taken()
        prepared = backend.prepare(program, task)
        client_ref = str(uuid.uuid4())
        assert backend.find(str(uuid.uuid4()), None) is None, "find finds what was never sent"
        ref = backend.submit(prepared, client_ref)
        again = self._remote()
        if kind in ("token", "client_id"):
            assert again.submit(prepared, client_ref).remote_id == ref.remote_id, (
                f"a {kind} that makes two tasks of one"
            )
        elif kind == "search":
            end = time.monotonic() + min(self.patience, backend.capabilities().grace_sec)
            while (found := again.find(client_ref, None)) is None and time.monotonic() < end:
                time.sleep(self.wait)
            assert found is not None and found.remote_id == ref.remote_id, "find does not find what was sent"
        taken = self.tasks_taken()
        assert before is None or taken == before + 1, f"one task became {taken}"
        self._until_done(ref)

    def test_a_new_task_is_a_new_task(self) -> None:
        """Two references are two tasks, of whatever the payload is."""
        backend, (program, task) = self._remote(), self._example()
        prepared = backend.prepare(program, task)
        first, second = (backend.submit(prepared, str(uuid.uuid4())) for _ in range(2))
        assert first.remote_id != second.remote_id
        for ref in (first, second):
            self._until_done(ref)

    def test_statuses(self) -> None:
        """A task ends as COMPLETED, with the service's word, also for an adapter that is new."""
        _, ref = self._submitted(*self._example())
        restored = RemoteRef(**json.loads(json.dumps(ref.to_dict())))
        self._until_done(restored)
        status = self._remote().status(restored)
        assert status.state is RemoteState.COMPLETED and status.raw, "the service's own word is not kept"

    def test_an_unknown_word_is_waited_for(self) -> None:
        """A status that a later version of the service may have."""
        _, ref = self._submitted(*self._example())
        if not self.make_service_say(ref, "reticulating"):
            skip("the suite cannot make this service say a word")
        status = self._remote().status(ref)
        assert not status.state.is_final and "reticulating" in status.raw

    def test_a_task_that_is_not_there(self) -> None:
        """An error of this package, for each question."""
        backend = self._remote()
        ref = RemoteRef(str(uuid.uuid4()), getattr(backend, "endpoint", ""), getattr(backend, "target", ""))
        for ask in (backend.status, backend.fetch):
            try:
                ask(ref)
            except QsimError:
                continue
            except Exception as error:
                raise AssertionError(f"{type(error).__name__}, no error of this package") from error
            raise AssertionError("a task that nobody sent has a status or a result")

    def test_cancelling(self) -> None:
        """What has ended cannot be cancelled, and an adapter that cancels nothing says so."""
        backend = self._remote()
        _, ref = self._submitted(*self._example())
        self._until_done(ref)
        wanted = CancelOutcome.ALREADY_FINAL if backend.capabilities().cancel else CancelOutcome.UNSUPPORTED
        assert backend.cancel(ref) is wanted

    def test_cancelling_what_runs(self) -> None:
        """It is asked for, and the task ends as CANCELLED."""
        backend = self._remote()
        if not backend.capabilities().cancel or not self.hold_tasks():
            skip("the adapter cancels nothing, or the suite cannot hold a task")
        _, ref = self._submitted(*self._example())
        assert backend.cancel(ref) is CancelOutcome.REQUESTED
        end = time.monotonic() + self.patience
        while not (status := self._remote().status(ref)).state.is_final and time.monotonic() < end:
            time.sleep(self.wait)
        assert status.state is RemoteState.CANCELLED, status

    def test_costs(self) -> None:
        """A `Cost` where the capabilities promise one, and None elsewhere."""
        backend = self._remote()
        found = backend.cost(backend.prepare(*self._example()))
        if backend.capabilities().cost:
            assert isinstance(found, Cost) and found.amount >= 0 and found.currency
        else:
            assert found is None

    def test_the_secret_is_nowhere(self) -> None:
        """In no reference, payload, reply, repr, variable of the adapter, or error."""
        canary, backend = self.canary or "", self._remote()
        if not canary:
            skip("the suite was given no canary")
        prepared, ref = self._submitted(*self._example())
        self._until_done(ref)
        status, raw = backend.status(ref), backend.fetch(ref)
        errors: list[BaseException] = []
        for ask in (backend.status, backend.fetch, backend.cancel):
            try:
                ask(RemoteRef("no-such-task", ref.endpoint, ref.target))
            except Exception as error:
                errors.append(error)
        texts = [repr(one) for one in (backend, vars(backend), prepared, ref, status, raw)]
        found = find_canary(
            canary, texts=[*texts, json.dumps(ref.to_dict()), raw.body], errors=errors, own_files=[__file__]
        )
        assert not found, f"the secret is in {', '.join(found)}"

    # how ----------------------------------------------------------------------------------------------------
    def _remote(self) -> RemoteBackend:
        backend: Any = self.make_backend()
        if not is_remote(backend):
            skip("the adapter runs tasks itself")
        return backend  # type: ignore[no-any-return]

    def _task(self, kind: TaskKind, rows: Sequence[Sequence[float]], **more: Any) -> Task:
        shots = more.pop("num_shots", min(self.shots, self.make_backend().capabilities().max_shots))
        values = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        return Task(kind, values, len(rows) > 1, shots, 11, **more)

    def _example(self) -> tuple[Program, Task]:
        return read_program(Circuit(2).x(0).measure_all()), self._task(TaskKind.SAMPLE, [[]])

    def _run(self, program: Program, task: Task) -> list[Any]:
        backend = self.make_backend()
        BoundBackend(backend, program).check(task)
        if not is_remote(backend):
            return list(backend.run(program, task))
        end = time.monotonic() + self.patience

        def sleep(seconds: float) -> None:
            assert time.monotonic() < end, "the service is not done in time"
            time.sleep(self.wait)

        return list(run_remotely(backend, program, task, sleep=sleep))  # type: ignore[arg-type]

    def _sampled(self, circuit: Circuit) -> Any:
        (found,) = self._run(read_program(circuit), self._task(TaskKind.SAMPLE, [[]]))
        return found

    def _expect(
        self, circuit: Circuit, key: str, outputs: dict[str, str] | None = None, *, may_refuse: bool = False
    ) -> None:
        try:
            found = self._sampled(circuit)
        except SessionError:
            if may_refuse:
                return
            raise
        assert self._most(found) == key, f"expected {key}, got {found.counts}"
        for name, bits in (outputs or {}).items():
            own = found.counts_of_output(name)
            assert max(own, key=own.__getitem__) == bits, f"expected {bits} in {name}, got {own}"

    def _most(self, found: Any) -> str:
        """The outcome that nearly all shots have."""
        key = str(max(found.counts, key=found.counts.__getitem__))
        assert found.counts[key] >= (1 - self.tolerance) * found.num_shots, found.counts
        return key

    def _close(self, found: Any, exact: dict[str, float]) -> None:
        shots = found.num_shots
        for key in {*found.counts, *exact}:
            p = exact.get(key, 0.0)
            off = abs(found.counts.get(key, 0) / shots - p)
            assert off <= 5 * math.sqrt(p * (1 - p) / shots) + 1 / shots + self.tolerance, (key, p, found.counts)

    def _must_refuse(self, circuit: Circuit, kind: TaskKind = TaskKind.SAMPLE, rows: Any = ((),), **more: Any) -> None:
        backend, program = self.make_backend(), read_program(circuit)
        try:
            BoundBackend(backend, program).check(self._task(kind, rows, **more))
        except QsimError:
            return
        raise AssertionError(f"{backend.name} says that it cannot do this, and takes it")

    def _submitted(self, program: Program, task: Task) -> tuple[Prepared, RemoteRef]:
        backend = self._remote()
        prepared = backend.prepare(program, task)
        return prepared, backend.submit(prepared, str(uuid.uuid4()))

    def _until_done(self, ref: RemoteRef) -> None:
        end = time.monotonic() + self.patience
        while not (status := self._remote().status(ref)).state.is_final:
            assert time.monotonic() < end, f"the service is not done in time: {status}"
            time.sleep(self.wait)
        assert status.state is RemoteState.COMPLETED, status


def skip(reason: str) -> None:
    """Leave a test out."""
    import pytest

    pytest.skip(reason)

"""Any Qiskit backend as a remote backend of a session: prepared offline, sent as jobs of its provider."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

from qsim.circuit import Circuit
from session.backends.experiments import calibrations_of, experiments, results_of
from session.backends.protocol import CancelOutcome, Capabilities, Cost, Prepared, RawResult, RemoteRef, RemoteStatus
from session.backends.qiskit import estimating, jobs, results, tags, targets
from session.backends.qiskit.circuits import (
    name_of,
    needed_operations,
    operation_names,
    registers_of,
    to_named_bits,
    transpiled,
    transpiled_alike,
    widths_of,
)
from session.backends.qiskit.kinds import (
    backend_of_sampler,
    is_backend,
    is_estimate,
    is_sampler,
    provider_sampler,
    set_seed,
)
from session.backends.remote import run_remotely
from session.backends.several import join_bodies, join_ids, joint_cancel, joint_status, split_bodies, split_ids
from session.circuit_json import circuit_from_json, circuit_to_json
from session.errors import SessionError
from session.preparation import check_task
from session.programs import Program, without_measurements
from session.results import Result
from session.tasks import Task, TaskKind

_KEPT = 8  # payloads whose transpiled circuits are kept, so that sending does not make them again
_SEEDS = 1 << 31


class QiskitBackend:
    """Runs tasks on a Qiskit `BackendV2`, or through a `SamplerV2`.

    Args:
        backend: a `BackendV2`, or a `BaseSamplerV2`, whose backend is then the target.
        sampler: a `BaseSamplerV2` to run with; None for the one that the backend's provider asks for, else `backend.run`.
        estimator: a `BaseEstimatorV2` that estimates are left to; True for the provider's own. None estimates from
            samples, terms measured together that agree qubit by qubit.
        retrieve: from a job's id to the job, in another process; None for what the provider has. Without one a job is
            lost when this process ends.
        max_circuits: of one job; None for what the backend says.
        max_shots: of one circuit; None for what the backend says.
        optimization_level: of Qiskit's transpiler, 0 to 3.
        seed_transpiler: so that the same program gives the same circuits.
        profile: the name of the profile that it was made from.
        run_options: of `backend.run`, or of the sampler's `run`, by name.

    Raises:
        SessionError: the object is none of Qiskit's backends or samplers.

    >>> from qiskit.providers.fake_provider import GenericBackendV2                        # doctest: +SKIP
    >>> from session import ExecutionSession                                               # doctest: +SKIP
    >>> with ExecutionSession(program, backend=QiskitBackend(GenericBackendV2(5))) as es:  # doctest: +SKIP
    ...     es.sample(num_shots=1000)
    """

    provider = "qiskit"
    preparation = {"merge": False}  # noqa: RUF012  # what an emulation of it does

    def __init__(
        self,
        backend: Any,
        *,
        sampler: Any = None,
        estimator: Any = None,
        retrieve: Callable[[str], Any] | None = None,
        max_circuits: int | None = None,
        max_shots: int | None = None,
        optimization_level: int = 1,
        seed_transpiler: int = 0,
        run_options: Mapping[str, Any] | None = None,
        profile: str = "",
    ) -> None:
        self.profile, self.endpoint = profile, ""
        if is_sampler(backend):
            sampler, backend = backend, backend_of_sampler(backend)
        if not is_backend(backend) and not (backend is None and sampler is not None):
            raise SessionError(f"A Qiskit backend is a BackendV2 or a SamplerV2, got {type(backend).__name__}.")
        if sampler is not None and not is_sampler(sampler):
            raise SessionError(f"A sampler is a BaseSamplerV2, got {type(sampler).__name__}.")
        if optimization_level not in (0, 1, 2, 3):
            raise SessionError(f"optimization_level is 0, 1, 2 or 3, got {optimization_level!r}.")
        self._target: Any = backend
        self._sampler = sampler if sampler is not None else provider_sampler(backend)
        self._estimator: Any = estimating.provider_estimator(backend) if estimator is True else estimator or None
        if self._estimator is not None and not estimating.is_estimator(self._estimator):
            raise SessionError(f"An estimator is a BaseEstimatorV2 or True, got {type(estimator).__name__}.")
        self._retrieve = retrieve or jobs.retriever(backend)
        self._max_circuits = max_circuits or targets.max_circuits(backend)
        self._max_shots = max_shots or targets.max_shots(backend)
        self._level, self._seed = optimization_level, seed_transpiler
        self._run_options = dict(run_options or {})
        self._can: Capabilities | None = None
        self._ready: dict[str, list[Any]] = {}  # sha256 of a payload -> transpiled circuits
        self._jobs: dict[str, Any] = {}  # by id: some providers find none again

    @property
    def name(self) -> str:
        """``qiskit:`` and what the backend calls itself."""
        return f"qiskit:{name_of(self._target or self._sampler)}"

    @property
    def target(self) -> str:
        """What the backend calls itself."""
        return name_of(self._target or self._sampler)

    @property
    def qiskit_backend(self) -> Any:
        """The `BackendV2`; None for a sampler that simulates by itself."""
        return self._target

    def capabilities(self) -> Capabilities:
        """What the backend says of itself."""
        if self._can is None:
            self._can = self._read_capabilities()
        return self._can

    def _read_capabilities(self) -> Capabilities:
        return targets.capabilities(
            self._target,
            resumable=self._retrieve is not None,
            idempotency="search" if self._searches else "none",
            shots=self._max_shots,
        )

    def check(self, program: Program, task: Task) -> None:
        """Raise when the target has no word for something, or Qiskit cannot rewrite a circuit for it."""
        can, missing = self.capabilities(), self._missing(program.circuit)
        if missing:  # then the refusal tells the line
            can = replace(
                can, feed_forward=missing == {"reset"} and can.feed_forward, mid_circuit="reset" not in missing
            )
        check_task(program, task, can, self.name)
        self.prepare(program, task.part(0, min(len(task.rows), 1)))

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set."""
        return run_remotely(self, program, task, sleep=_Patience())

    # the steps ----------------------------------------------------------------------------------------------
    def prepare(self, program: Program, task: Task) -> Prepared:
        """Bind, check, convert and transpile; the payload is circuits of ours as JSON, and how to transpile them."""
        payload: dict[str, Any] = {"optimization_level": self._level, "seed_transpiler": self._seed}
        if self._estimates(task):
            circuits = estimating.bound_circuits(program, task)
            shots, seed = [task.num_shots] * len(circuits), task.seed
            payload["estimator"] = {**estimating.described(task), "num_qubits": program.circuit.num_qubits}
        else:
            made = experiments(program, task)
            circuits, shots = [one.circuit for one in made], [one.shots for one in made]
            seed = made[0].seed if made else 0
            if calibrations_of(program, task):
                payload["head"] = len(without_measurements(program.circuit))
        missing = self._missing(circuits[0]) if circuits else ()
        if missing:
            raise SessionError(f"'{self.name}' has no operation '{min(missing)}', which the program needs.")
        if max(shots, default=0) > self._max_shots:
            raise SessionError(f"'{self.name}' takes at most {self._max_shots:,} shots, got {max(shots):,}.")
        same_shots = self._sampler is None and "estimator" not in payload
        payload |= {
            "circuits": [circuit_to_json(one) for one in circuits],
            "shots": shots,
            "batches": jobs.batches(shots, self._max_circuits, same_shots),
            "seed": seed % _SEEDS,
        }
        body = json.dumps(payload, sort_keys=True).encode()
        theirs = self._isa(body, circuits)
        registers = [[registers_of(ours), widths_of(own)] for ours, own in zip(circuits, theirs, strict=True)]
        bit_map = tuple(tuple(range(one.num_clbits)) for one in circuits)
        return Prepared(body, "application/json", len(circuits), bit_map, {"registers": registers})

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send each batch as a job of the provider's."""
        payload = json.loads(prepared.payload)
        circuits = self._isa(prepared.payload)
        ids: list[str] = []
        for number, batch in enumerate(payload["batches"]):
            chosen, shots = [circuits[k] for k in batch], [payload["shots"][k] for k in batch]
            try:
                with self._asking("Submission", submits=True), self._tagged(payload, client_ref, number):
                    if "estimator" in payload:
                        job = self._start_estimator(chosen, payload["estimator"])
                    else:
                        job = self._start(chosen, shots, payload["seed"] + number)
            except Exception:
                self._abandon(ids)
                raise
            ids.append(jobs.started(job))
            self._jobs[ids[-1]] = job
        return RemoteRef(join_ids(ids), "", name_of(self._target or self._sampler))

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """The jobs with this reference's tags, where the provider's service can be searched; else None."""
        if not self._searches:
            return None
        with self._asking("The search for jobs"):
            found = tags.search(self._target, client_ref)
        if found is None:
            return None
        ids = [jobs.id_of(job) for job in found]
        self._jobs.update(zip(ids, found, strict=True))
        return RemoteRef(join_ids(ids), "", self.target)

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where its jobs are."""
        with self._asking("Status"):
            return joint_status([jobs.status_of(self._job(job_id)) for job_id in split_ids(ref.remote_id)])

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask its jobs to stop."""
        with self._asking("Cancelling"):
            return joint_cancel([jobs.cancel(self._job(job_id)) for job_id in split_ids(ref.remote_id)])

    def cost(self, prepared: Prepared) -> Cost | None:
        """None: Qiskit has no prices."""
        return None

    def fetch(self, ref: RemoteRef) -> RawResult:
        """The outcomes of all circuits by register, as JSON: what Qiskit gives are objects, which are not stored."""
        bodies = []
        for job_id in split_ids(ref.remote_id):
            with self._asking("The result"):
                result = self._job(job_id).result()
            bodies.append(estimating.to_bytes(result) if is_estimate(result) else results.to_bytes(result))
        return join_bodies(bodies, results.MEDIA_TYPE)

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of outcomes by register."""
        payload = json.loads(prepared.payload)
        batches = payload["batches"]
        bodies = split_bodies(raw) if batches else []
        if len(bodies) != len(batches):
            raise SessionError(f"The task was sent as {len(batches)} jobs, and {len(bodies)} replies are stored.")
        if "estimator" in payload:
            return estimating.read(bodies, batches, task, self.name)
        found: dict[int, dict[int, int]] = {}
        for batch, body in zip(batches, bodies, strict=True):
            own = [prepared.details["registers"][k] for k in batch]
            for k, (ours, _), outcomes in zip(
                batch, own, results.read(body, [widths for _, widths in own]), strict=True
            ):
                found[k] = results.by_bits(outcomes, dict(ours))
        return results_of(program, task, [found[k] for k in sorted(found)], {"backend": self.name})

    # how ----------------------------------------------------------------------------------------------------
    def _missing(self, circuit: Circuit) -> set[str]:
        """What the circuit needs and no rewriting gives the target."""
        names = operation_names(self._target)
        return set() if names is None else needed_operations(circuit) - names

    def _isa(self, payload: bytes, circuits: Sequence[Circuit] | None = None) -> list[Any]:
        """The transpiled circuits of a payload; made once."""
        key = hashlib.sha256(payload).hexdigest()
        if key not in self._ready:
            data = json.loads(payload)
            own = circuits if circuits is not None else [circuit_from_json(one) for one in data["circuits"]]
            how = (self._target, data["optimization_level"], data["seed_transpiler"])
            if "head" in data:
                made = transpiled_alike(own, data["head"], *how)
            else:
                made = transpiled([to_named_bits(one) for one in own], *how)
            self._ready = {**dict(list(self._ready.items())[1 - _KEPT :]), key: made}
        return self._ready[key]

    def _estimates(self, task: Task) -> bool:
        wanted = task.kind is TaskKind.ESTIMATE and self._estimator is not None
        if wanted and task.mitigation_shots:
            raise SessionError(
                "An estimator mitigates errors in its own way, by its options; leave readout_mitigation out."
            )
        return wanted

    def _start_estimator(self, circuits: list[Any], wanted: Mapping[str, Any]) -> Any:
        return self._estimator.run(estimating.pubs(circuits, wanted, wanted["num_qubits"]))

    def _start(self, circuits: list[Any], shots: list[int], seed: int) -> Any:
        if self._sampler is not None:
            pubs = [(circuit, None, own) for circuit, own in zip(circuits, shots, strict=True)]
            set_seed(self._sampler, self._target, seed % _SEEDS)
            return self._sampler.run(pubs, **self._run_options)
        options: dict[str, Any] = {"shots": shots[0]}
        if hasattr(getattr(self._target, "options", None), "seed_simulator"):
            options["seed_simulator"] = seed % _SEEDS
        return self._target.run(circuits, **{**options, **self._run_options})

    @property
    def _searches(self) -> bool:
        return tags.can_search(self._target, self._sampler)

    def _tagged(self, payload: Mapping[str, Any], client_ref: str, number: int) -> AbstractContextManager[None]:
        primitive = self._estimator if "estimator" in payload else self._sampler
        if not tags.can_search(self._target, primitive):
            return nullcontext()
        return tags.tagged(primitive, client_ref, number, len(payload["batches"]))

    def _asking(self, what: str, submits: bool = False) -> AbstractContextManager[None]:
        return jobs.asking(f"{what} of '{self.name}'", submits=submits, is_local=self._retrieve is None)

    def _job(self, job_id: str) -> Any:
        if job_id not in self._jobs:
            if self._retrieve is None:
                raise SessionError(
                    f"Job {job_id} of '{self.name}' belongs to another process, and its provider finds no job again. Give "
                    "QiskitBackend a function: retrieve=."
                )
            self._jobs[job_id] = self._retrieve(job_id)
        return self._jobs[job_id]

    def _abandon(self, ids: Sequence[str]) -> None:
        """Stop the jobs of a task of which a later one was refused."""
        for job_id in ids:
            try:
                jobs.cancel(self._jobs[job_id])
            except Exception:  # the reason why the other was refused is the one to be told
                continue


class _Patience:
    """Waits for what may be a simulator in this process: a moment at first, then as long as it is asked to."""

    def __init__(self) -> None:
        self._next = 0.01

    def __call__(self, seconds: float) -> None:
        time.sleep(min(self._next, seconds))
        self._next *= 1.5

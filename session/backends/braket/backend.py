"""Amazon Braket: each circuit is a quantum task of its own, sent with a token that makes sending it again safe."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from session.backends.braket.client import BraketClient
from session.backends.braket.device import ACTION, Device, read_device
from session.backends.braket.dialect import COMMON, ROWS, print_circuit
from session.backends.braket.options import BraketOptions
from session.backends.braket.results import read_outcomes
from session.backends.experiments import experiments, results_of
from session.backends.profiles import resolve_profile
from session.backends.protocol import (
    CancelOutcome,
    Capabilities,
    Cost,
    Prepared,
    RawResult,
    RemoteRef,
    RemoteState,
    RemoteStatus,
    clock_slack,
)
from session.backends.remote import run_remotely
from session.backends.several import join_bodies, join_ids, joint_cancel, joint_status, split_bodies, split_ids
from session.errors import (
    BadReply,
    CredentialError,
    ServiceRefused,
    ServiceUnavailable,
    SessionError,
    SubmitUnknown,
)
from session.preferences import ExecutionPreferences
from session.preparation import check_task, rebase
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

#: What stands behind this adapter, and no more.
TESTED = (
    "contract: botocore 1.44.8's model of Braket (API 2019-09-01), amazon-braket-schemas 1.32 and "
    "amazon-braket-default-simulator 1.41 on loopback, moto 5.2 for S3; not run on the live service"
)
#: The tag that a task is found again by.
TAG = "qsim-client-ref"
_STATES = {
    "CREATED": RemoteState.QUEUED, "QUEUED": RemoteState.QUEUED, "RUNNING": RemoteState.RUNNING,
    "COMPLETED": RemoteState.COMPLETED, "FAILED": RemoteState.FAILED, "CANCELLING": RemoteState.CANCELLING,
    "CANCELLED": RemoteState.CANCELLED,
}  # fmt: skip
_PAGES = 20  # of 100 tasks, that a search reads at most
_KEY = re.compile(r"[^\x00-\x1f\\]{1,1024}")


def open_braket(preferences: ExecutionPreferences) -> BraketBackend:
    """The backend that preferences and their profile describe.

    Options are those of `BraketOptions`; where requests go is for a profile to say.
    """
    if preferences.noise is not None:
        raise SessionError("Backend 'braket' takes no noise model of this package. Use backend 'simulator'.")
    profile = resolve_profile(preferences, "braket")
    own = dict(preferences.backend_options)
    own.pop("profile", None)
    if "s3_endpoint" in own:
        raise SessionError(
            "backend_options never say where requests go; 's3_endpoint' belongs into a profile's options."
        )
    given = {**profile.options, **own, "target": profile.target, "endpoint": profile.endpoint}
    return BraketBackend(BraketOptions.read(given), profile=profile.name)


class BraketBackend:
    """Runs tasks on a device of Amazon Braket.

    Args:
        options: the device, and where results go.
        profile: the name of the profile that the options are from.
        client: for tests.

    >>> BraketBackend(BraketOptions(target="sv1", bucket="amazon-braket-mine")).name
    'braket:sv1'
    """

    provider = "braket"
    preparation = {"merge": False, "delays": False}  # noqa: RUF012  # what an emulation of it does

    def __init__(self, options: BraketOptions, *, profile: str = "", client: BraketClient | None = None) -> None:
        self._options = options
        self.profile = profile
        self._client = client or BraketClient(options)
        self._device: Device | None = None

    @property
    def name(self) -> str:
        """``braket:`` and the device's short name."""
        return f"braket:{self._options.target.rpartition('/')[2]}"

    @property
    def endpoint(self) -> str:
        """The origin that it speaks to."""
        if self._options.endpoint:
            return self._options.endpoint.rstrip("/")
        region = self._options.region
        return f"https://braket.{region}.amazonaws.com" if region else self._client.endpoint

    @property
    def target(self) -> str:
        """The device's ARN."""
        return self._options.target

    @property
    def options(self) -> BraketOptions:
        """What the user said."""
        return self._options

    def device(self) -> Device:
        """What the device says of itself; asked once."""
        if self._device is None:
            reply = self._client.call("get_device", {"deviceArn": self._options.target})
            self._device = read_device(reply)
        return self._device

    def capabilities(self) -> Capabilities:
        """What the device says of itself. Its compiler routes, so programs need not follow its connectivity."""
        device = self.device()
        return Capabilities(
            operations=frozenset((TaskKind.SAMPLE, TaskKind.ESTIMATE)),
            num_qubits=device.num_qubits,
            max_shots=device.shots[1],
            gates=self._gates(),
            connectivity=device.connectivity,
            accepts=frozenset(("braket",)),
            feed_forward=False,
            precision="shots",
            is_remote=True,
            idempotency="token",
            resumable=True,
            max_circuits=self._options.max_circuits,
            mid_circuit=False,
            cancel=True,
            cost=device.price is not None,
            tested_against=TESTED,
        )

    def check(self, program: Program, task: Task) -> None:
        """Raise when the device takes no programs now, or this one never."""
        device = self.device()
        if not device.takes_openqasm:
            raise SessionError(f"Braket's device '{device.name}' runs no OpenQASM programs ({ACTION}).")
        if device.status in ("OFFLINE", "RETIRED"):
            raise SessionError(f"Braket's device '{device.name}' is {device.status}; nothing was sent.")
        check_task(program, task, self.capabilities(), self.name, delays=False)
        self.prepare(program, task.part(0, min(len(task.rows), 1)))

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each parameter set."""
        return run_remotely(self, program, task)

    def cost(self, prepared: Prepared) -> Cost | None:
        """What the device's price by shot or by task comes to; None where it says none, or one by time."""
        price = self.device().price
        programs = json.loads(prepared.payload)
        amounts = {"shot": (sum(one["shots"] for one in programs), "shots"), "task": (len(programs), "tasks")}
        if price is None or price[1].lower() not in amounts:
            return None
        number, words = amounts[price[1].lower()]
        basis = f"{number:,} {words} at ${price[0]:g}, as the device says; AWS's price list may add a fee for each task"
        return Cost(price[0] * number, "USD", basis)

    # the steps ----------------------------------------------------------------------------------------------
    def prepare(self, program: Program, task: Task) -> Prepared:
        """Bind, rewrite in the device's gates and print; the payload is a list of programs with their shots.

        Offline: the gates are those of the option ``gates``, else what the device said when it was last asked, else what
        all of Braket's devices take.
        """
        made = experiments(program, task)
        if len(made) > self._options.max_circuits:
            raise SessionError(
                f"Backend '{self.name}' sends at most {self._options.max_circuits:,} circuits a call (option max_circuits), "
                f"each as a task of its own; this one has {len(made):,}."
            )
        low, high = Device.shots if self._device is None else self._device.shots
        programs, bits, gates = [], [], self._gates()
        for one in made:
            if not low <= one.shots <= high:
                raise SessionError(
                    f"Backend '{self.name}' takes {low:,} to {high:,} shots a circuit, got {one.shots:,}."
                )
            circuit = rebase(one.circuit, gates, merge=False)
            printed = print_circuit(circuit, measure_all=self._device is not None and self._device.measure_all)
            header = {"name": ACTION, "version": "1"}
            action = json.dumps({"braketSchemaHeader": header, "source": printed.source}, sort_keys=True)
            programs.append({"action": action, "shots": one.shots})
            bits.append([list(pair) for pair in printed.bits])
        bit_map = tuple(tuple(qubit for qubit, _ in sorted(own, key=lambda pair: pair[1])) for own in bits)
        return Prepared(json.dumps(programs).encode(), "application/json", len(made), bit_map, {"bits": bits})

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Create a task for each program, with the tokens that this reference gives, so that none is created twice."""
        arns: list[str] = []
        programs = json.loads(prepared.payload)
        for number, one in enumerate(programs):
            token = _token(client_ref, number)
            arguments = {
                "clientToken": token,
                "deviceArn": self._options.target,
                "shots": one["shots"],
                "outputS3Bucket": self._options.bucket,
                "outputS3KeyPrefix": self._options.prefix,
                "action": one["action"],
                "tags": {**self._options.tags, TAG: token},
            }
            if self._options.device_parameters:
                arguments["deviceParameters"] = json.dumps(self._options.device_parameters)
            try:
                reply = self._client.call("create_quantum_task", arguments, submits=True)
            except ServiceRefused:
                self._abandon(arns)
                raise
            except (ServiceUnavailable, CredentialError) as error:
                if not arns:
                    raise
                why = f"{len(arns)} of {len(programs)} tasks were created before this came: {error}"
                raise SubmitUnknown(why, retry_after_sec=getattr(error, "retry_after_sec", None)) from None
            arns.append(_arn(reply))
        return RemoteRef(join_ids(arns), self._client.region if arns else "", self._options.target)

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """The tasks with this reference's tags, when the first and all that follow it are there.

        Tasks that are missing are no harm: sending again with the same reference creates those alone.
        """
        found: dict[str, str] = {}
        earliest = clock_slack(since)
        for one in self._search():
            tags, created = one.get("tags"), one.get("createdAt")
            if earliest is not None and isinstance(created, datetime) and created < earliest:
                continue
            token = tags.get(TAG) if isinstance(tags, Mapping) else None
            if isinstance(token, str) and isinstance(one.get("quantumTaskArn"), str):
                found.setdefault(token, one["quantumTaskArn"])
        arns: list[str] = []
        while (token := _token(client_ref, len(arns))) in found:
            arns.append(found[token])
        return RemoteRef(join_ids(arns), self._client.region, self._options.target) if arns else None

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where its tasks are, and the last one's place in the queue."""
        return joint_status([_status(self._task(arn)) for arn in split_ids(ref.remote_id)])

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask for its tasks to be stopped."""
        return joint_cancel([self._cancel(arn) for arn in split_ids(ref.remote_id)])

    def fetch(self, ref: RemoteRef) -> RawResult:
        """The bytes of ``results.json`` of each task, from where Braket says that it put them."""
        bodies = []
        for arn in split_ids(ref.remote_id):
            task = self._task(arn)
            bucket, folder = task.get("outputS3Bucket"), task.get("outputS3Directory")
            if not isinstance(bucket, str) or not isinstance(folder, str) or not _KEY.fullmatch(folder):
                raise BadReply(f"Amazon Braket does not say where the result of task {arn} is.")
            bodies.append(self._client.read_object(bucket, f"{folder.rstrip('/')}/results.json"))
        return join_bodies(bodies, "application/json")

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of ``results.json``."""
        programs, bits = json.loads(prepared.payload), prepared.details["bits"]
        bodies = split_bodies(raw) if programs else []
        if len(bodies) != len(programs):
            raise SessionError(
                f"The task was sent as {len(programs)} of Braket's, and {len(bodies)} results are stored."
            )
        outcomes = [
            read_outcomes(body, own, one["shots"]) for body, own, one in zip(bodies, bits, programs, strict=True)
        ]
        return results_of(program, task, outcomes, {"backend": self.name})

    # how ----------------------------------------------------------------------------------------------------
    def _gates(self) -> frozenset[str]:
        if self._options.gates is not None:
            strange = [name for name in self._options.gates if name not in ROWS]
            if strange:
                raise SessionError(
                    f"gates has '{strange[0]}', which is none of those that are printed: {', '.join(ROWS)}."
                )
            return frozenset(ROWS[name] for name in self._options.gates)
        return COMMON if self._device is None else self._device.gates

    def _task(self, arn: str) -> dict[str, Any]:
        return self._client.call("get_quantum_task", {"quantumTaskArn": arn, "additionalAttributeNames": ["QueueInfo"]})

    def _search(self) -> Iterator[Mapping[str, Any]]:
        filters = [{"name": "deviceArn", "operator": "EQUAL", "values": [self._options.target]}]
        arguments: dict[str, Any] = {"filters": filters, "maxResults": 100}
        for _ in range(_PAGES):
            reply = self._client.call("search_quantum_tasks", arguments)
            yield from (one for one in reply.get("quantumTasks") or [] if isinstance(one, Mapping))
            if not reply.get("nextToken"):
                return
            arguments["nextToken"] = reply["nextToken"]

    def _cancel(self, arn: str) -> CancelOutcome:
        if _status(self._task(arn)).state.is_final:
            return CancelOutcome.ALREADY_FINAL
        token = hashlib.sha256(f"cancel {arn}".encode()).hexdigest()  # 64 characters, the same each time
        try:
            self._client.call("cancel_quantum_task", {"quantumTaskArn": arn, "clientToken": token})
        except ServiceRefused as error:
            if error.status == 409:  # it ended in between, or is being cancelled
                final = _status(self._task(arn)).state.is_final
                return CancelOutcome.ALREADY_FINAL if final else CancelOutcome.REQUESTED
            raise
        return CancelOutcome.REQUESTED

    def _abandon(self, arns: list[str]) -> None:
        """Stop the tasks of a call of which a later one was refused: nobody will ask for their results."""
        for arn in arns:
            try:
                self._cancel(arn)
            except (ServiceRefused, ServiceUnavailable, BadReply):  # why the other was refused is what is told
                continue


def _token(client_ref: str, number: int) -> str:
    """The token of one of a call's tasks: at most 64 characters, and the same for the same reference."""
    token = f"{client_ref}-{number}"
    return token if len(token) <= 64 else hashlib.sha256(token.encode()).hexdigest()


def _arn(reply: Mapping[str, Any]) -> str:
    arn = reply.get("quantumTaskArn")
    if not isinstance(arn, str) or not arn or "\n" in arn:
        raise SubmitUnknown("Amazon Braket took a task and did not say which it is.")
    return arn


def _status(task: Mapping[str, Any]) -> RemoteStatus:
    word, queue, reason = str(task.get("status") or ""), task.get("queueInfo"), task.get("failureReason")
    position = queue.get("position") if isinstance(queue, Mapping) else None
    number = int(position.lstrip(">")) if isinstance(position, str) and position.lstrip(">").isdecimal() else None
    message = reason if isinstance(reason, str) else ""
    return RemoteStatus.of(word, _STATES, message=message, queue_position=number)

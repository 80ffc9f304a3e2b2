"""Amazon Braket on loopback: what botocore's own model of the service says, enforced; programs run by AWS's simulator.

`BraketModel` reads ``service-2.json`` from the installed botocore and checks requests and replies against it, limits and
patterns included, which boto3 itself does not check. `BraketServer` serves the operations that the adapter needs; results
go to an S3 server (moto). Faults are planned before a request: see `Fault`.
"""

from __future__ import annotations

import datetime
import gzip
import json
import re
import socket
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ACCOUNT = "123456789012"
BUCKET = "amazon-braket-qsim-tests"
#: The credential that the tests give to boto3.
SECRET = "canary0SECRET0canary0SECRET0canary000000"
DEVICE = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
GATES = [
    "h",
    "x",
    "y",
    "z",
    "s",
    "si",
    "t",
    "ti",
    "v",
    "vi",
    "rx",
    "ry",
    "rz",
    "cnot",
    "cz",
    "swap",
    "zz",
    "phaseshift",
]


class ContractError(Exception):
    """A body that the model does not allow."""


class BraketModel:
    """The service model of botocore, as a validator."""

    def __init__(self) -> None:
        import botocore

        path = Path(botocore.__file__).parent / "data/braket/2019-09-01/service-2.json.gz"
        data = json.loads(gzip.decompress(path.read_bytes()))
        self.metadata, self.operations, self.shapes = data["metadata"], data["operations"], data["shapes"]
        self.routes = [
            (one["http"]["method"], re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(one["http"]["requestUri"])) + r"\Z"), name)
            for name, one in self.operations.items()
        ]  # fmt: skip

    def check(self, shape: str, value: Any, where: str = "") -> None:
        """Raise for a value that its shape does not allow; unknown members are refused."""
        rule = self.shapes[shape]
        kind = rule["type"]
        {
            "structure": self._structure, "list": self._list, "map": self._map, "string": self._string, "long": self._number,
            "integer": self._number, "timestamp": self._timestamp,
        }[kind](rule, value, where or shape)  # fmt: skip

    def _structure(self, rule: Any, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ContractError(f"{where} is no structure")
        for name in rule.get("required", []):
            if value.get(name) is None:
                raise ContractError(f"{where}.{name} is missing")
        for name, entry in value.items():
            if name not in rule["members"]:
                raise ContractError(f"{where}.{name} is unknown")
            self.check(rule["members"][name]["shape"], entry, f"{where}.{name}")

    def _list(self, rule: Any, value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise ContractError(f"{where} is no list")
        self._between(rule, len(value), where)
        for one in value:
            self.check(rule["member"]["shape"], one, where)

    def _map(self, rule: Any, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ContractError(f"{where} is no map")
        for key, entry in value.items():
            self.check(rule["key"]["shape"], key, where)
            self.check(rule["value"]["shape"], entry, where)

    def _string(self, rule: Any, value: Any, where: str) -> None:
        if not isinstance(value, str):
            raise ContractError(f"{where} is no string")
        self._between(rule, len(value), where)
        if "enum" in rule and value not in rule["enum"]:
            raise ContractError(f"{where} is none of {rule['enum']}")
        if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
            raise ContractError(f"{where} does not match {rule['pattern']}")

    def _number(self, rule: Any, value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ContractError(f"{where} is no whole number")
        self._between(rule, value, where)

    def _timestamp(self, rule: Any, value: Any, where: str) -> None:
        datetime.datetime.fromisoformat(value)

    def _between(self, rule: Any, value: int, where: str) -> None:
        if not rule.get("min", value) <= value <= rule.get("max", value):
            raise ContractError(f"{where} is {value}, not from {rule.get('min')} to {rule.get('max')}")

    def error(self, name: str) -> int:
        """The status of an error."""
        return int(self.shapes[name]["error"]["httpStatusCode"])


@dataclass
class Fault:
    """What goes wrong in the next call of an operation, so many times.

    `kind`: "reset" (the request is read and done, then the connection is cut), "reset-before" (nothing is done), "error"
    (an error of the model, by name), "garbage" (200 with no JSON), "word" (an unknown status).
    """

    operation: str
    kind: str
    times: int = 1
    error: str = "InternalServiceException"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class BraketServer:
    """The service: `url`, the `log` of (operation, input), and `tasks` by ARN."""

    s3: Any
    capabilities: dict[str, Any]
    model: BraketModel = field(default_factory=BraketModel)
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    #: How a task goes on, a word a question.
    course: tuple[str, ...] = ("QUEUED", "RUNNING", "COMPLETED")
    word: str = "DREAMING"  # a status that no model has, which a task may be given
    spoil: Any = None  # changes the bytes of a result; None of it: no result
    device_status: str = "ONLINE"
    seed: int = 5

    def reset(self) -> None:
        """Forget everything."""
        self.log, self.tasks, self.faults, self.spoil = [], {}, [], None
        self.course, self.device_status = BraketServer.course, "ONLINE"

    def __enter__(self) -> BraketServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                owner.answer(self, body)

            do_GET = do_POST = do_PUT = handle_one

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self._guard = threading.Lock()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [one for name, one in self.log if name == operation]

    # HTTP ---------------------------------------------------------------------------------------------------
    def answer(self, handler: Any, body: bytes) -> None:
        with self._guard:
            url = urlsplit(handler.path)
            found = [
                (name, match) for method, route, name in self.model.routes
                if method == handler.command and (match := route.match(url.path))
            ]  # fmt: skip
            if not found:
                return self._send(handler, 404, {"message": "no such operation"}, {})
            name, match = found[0]
            given = {key: unquote(value) for key, value in match.groupdict().items()}
            given |= {key: values for key, values in parse_qs(url.query).items()}
            given |= json.loads(body) if body else {}
            self.log.append((name, given))
            fault = next((one for one in self.faults if one.operation == name and one.times > 0), None)
            if fault is not None:
                fault.times -= 1
                if fault.kind == "reset-before":
                    return self._cut(handler)
                if fault.kind == "error":
                    return self._error(handler, fault.error, "planned", fault.headers)
            try:
                authorization = handler.headers.get("Authorization", "")
                if not re.match(
                    r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/[a-z0-9-]+/braket/aws4_request, ", authorization
                ):
                    return self._error(handler, "AccessDeniedException", "no signature", {})
                self.model.check(self.model.operations[name]["input"]["shape"], given)
                reply = getattr(self, f"_{name}")(given)
            except ContractError as error:
                return self._error(handler, "ValidationException", str(error), {})
            except KeyError as error:
                return self._error(handler, "ResourceNotFoundException", f"there is no {error}", {})
            if fault is not None and fault.kind == "reset":
                return self._cut(handler)
            if fault is not None and fault.kind == "garbage":
                return self._send(handler, 200, b"<html>not here</html>", {})
            if fault is not None and fault.kind == "word":
                reply["status"] = "DREAMING"
            elif reply.get("status") != self.word:
                self.model.check(self.model.operations[name]["output"]["shape"], reply)
            self._send(handler, self.model.operations[name]["http"]["responseCode"], reply, {})

    def _error(self, handler: Any, name: str, message: str, headers: dict[str, str]) -> None:
        self._send(handler, self.model.error(name), {"message": message}, {"x-amzn-ErrorType": name, **headers})

    def _send(self, handler: Any, status: int, body: Any, headers: dict[str, str]) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for key, value in {"Content-Type": "application/json", "x-amzn-RequestId": "r-1", **headers}.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _cut(self, handler: Any) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    # operations ---------------------------------------------------------------------------------------------
    def _GetDevice(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "deviceArn": given["deviceArn"], "deviceName": "SV1", "providerName": "Amazon Braket", "deviceType": "SIMULATOR",
            "deviceStatus": self.device_status, "deviceCapabilities": json.dumps(self.capabilities),
        }  # fmt: skip

    def _CreateQuantumTask(self, given: dict[str, Any]) -> dict[str, Any]:
        for task in self.tasks.values():
            if task["given"]["clientToken"] == given["clientToken"]:
                if task["given"] != given:
                    raise ContractError("this clientToken was used for another task")
                return {"quantumTaskArn": task["arn"]}
        check_action(given["action"], self.capabilities)
        arn = f"arn:aws:braket:us-east-1:{ACCOUNT}:quantum-task/{uuid.uuid4()}"
        self.tasks[arn] = {"arn": arn, "given": given, "status": "CREATED", "left": list(self.course)}
        return {"quantumTaskArn": arn}

    def _public(self, task: dict[str, Any]) -> dict[str, Any]:
        given = task["given"]
        directory = f"{given['outputS3KeyPrefix']}/{task['arn'].rpartition('/')[2]}"
        return {
            "quantumTaskArn": task["arn"], "status": task["status"], "deviceArn": given["deviceArn"], "shots": given["shots"],
            "outputS3Bucket": given["outputS3Bucket"], "outputS3Directory": directory, "createdAt": "2026-11-25T12:00:00+00:00",
            "tags": given.get("tags", {}),
        }  # fmt: skip

    def _GetQuantumTask(self, given: dict[str, Any]) -> dict[str, Any]:
        task = self.tasks[given["quantumTaskArn"]]
        if task["left"]:
            task["status"] = task["left"].pop(0)
            if task["status"] == "COMPLETED":
                self._write_result(task)
        reply = {**self._public(task), "deviceParameters": task["given"].get("deviceParameters", "{}")}
        if task["status"] == "FAILED":
            reply["failureReason"] = "the ion was lost"
        if "QueueInfo" in given.get("additionalAttributeNames", []) and task["status"] == "QUEUED":
            reply["queueInfo"] = {"queue": "QUANTUM_TASKS_QUEUE", "position": "7"}
        return reply

    def _CancelQuantumTask(self, given: dict[str, Any]) -> dict[str, Any]:
        task = self.tasks[given["quantumTaskArn"]]
        task["status"], task["left"] = "CANCELLING", ["CANCELLED"]
        return {"quantumTaskArn": task["arn"], "cancellationStatus": "CANCELLING"}

    def _SearchQuantumTasks(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = {one["name"]: one["values"] for one in given["filters"]}
        found = [
            self._public(task) for task in self.tasks.values() if task["given"]["deviceArn"] in wanted["deviceArn"]
        ]
        at, size = int(given.get("nextToken", 0)), 2  # small pages, so that paging is tried
        more = {"nextToken": str(at + size)} if at + size < len(found) else {}
        return {"quantumTasks": found[at : at + size], **more}

    def _write_result(self, task: dict[str, Any]) -> None:
        body = result_of(task, self.seed).encode()
        body = self.spoil(body) if self.spoil is not None else body
        if body is not None:
            public = self._public(task)
            self.s3.put_object(
                Bucket=public["outputS3Bucket"], Key=f"{public['outputS3Directory']}/results.json", Body=body
            )


# what a device makes of a program -------------------------------------------------------------------------------
def check_action(action: str, capabilities: dict[str, Any]) -> None:
    """Refuse what is no OpenQASM action by AWS's own schema, or has a statement or a gate that the device does not list."""
    from braket.ir.openqasm import Program
    from openqasm3 import ast, parse
    from pydantic.v1 import ValidationError

    try:
        source = Program.parse_raw(action).source
    except (ValidationError, ValueError) as error:
        raise ContractError(f"action: {error}") from None
    gates = set(capabilities["action"]["braket.ir.openqasm.program"]["supportedOperations"])
    kinds = (ast.QubitDeclaration, ast.ClassicalDeclaration, ast.QuantumMeasurementStatement, ast.QuantumGate)
    try:
        statements = parse(source).statements
    except Exception as error:
        raise ContractError(f"source: {error}") from None
    for one in statements:
        if not isinstance(one, kinds):
            raise ContractError(f"source: {type(one).__name__} is not supported")
        if isinstance(one, ast.QuantumGate) and (one.name.name not in gates or one.modifiers):
            raise ContractError(f"source: gate {one.name.name} is not supported")


def result_of(task: dict[str, Any], seed: int) -> str:
    """``results.json`` of a task: AWS's simulator runs the program, AWS's schema writes it."""
    import numpy as np
    from braket.default_simulator import StateVectorSimulator
    from braket.ir.openqasm import Program
    from braket.task_result import GateModelTaskResult

    np.random.seed(seed)
    given = task["given"]
    result = StateVectorSimulator().run(Program.parse_raw(given["action"]), shots=given["shots"])
    result.taskMetadata.id, result.taskMetadata.deviceId = task["arn"], given["deviceArn"]
    made = json.loads(GateModelTaskResult.parse_raw(result.json()).json(exclude_none=True))
    return json.dumps(made)


def simulator_capabilities() -> dict[str, Any]:
    """Capabilities of a simulator, checked by AWS's own schema."""
    from braket.device_schema.simulators import GateModelSimulatorDeviceCapabilities

    header = "braket.device_schema."
    data = {
        "braketSchemaHeader": {"name": header + "simulators.gate_model_simulator_device_capabilities", "version": "1"},
        "service": {
            "braketSchemaHeader": {"name": header + "device_service_properties", "version": "1"},
            "executionWindows": [{"executionDay": "Everyday", "windowStartHour": "00:00", "windowEndHour": "23:59:59"}],
            "shotsRange": [1, 100000],
            "deviceCost": {"price": 0.01, "unit": "shot"},
        },
        "action": {
            "braket.ir.openqasm.program": {
                "actionType": "braket.ir.openqasm.program", "version": ["1"], "supportedOperations": GATES,
                "supportedResultTypes": [],
            }
        },
        "paradigm": {
            "braketSchemaHeader": {"name": header + "simulators.gate_model_simulator_paradigm_properties", "version": "1"},
            "qubitCount": 34,
        },
        "deviceParameters": {},
    }  # fmt: skip
    made: dict[str, Any] = json.loads(GateModelSimulatorDeviceCapabilities.parse_raw(json.dumps(data)).json())
    return made

"""The vendors' own specifications, read at test time from the packages that carry them and never copied.

``QSIM_VENDOR_SPECS`` is a folder with downloaded packages (``pip download --no-deps --no-binary :all: ionq-core==0.2.0``),
``QSIM_VENDOR_VENVS`` one with an environment for each vendor's client (``ionq`` with ionq-core, ``aqt`` with
aqt-connector). What is not there is skipped, with a reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

#: Package -> version, file and sha256.
IONQ_CORE = (
    "0.2.0",
    "ionq_core-0.2.0.tar.gz",
    "ce5fe16963f696281bb2ffe8723605ee3890f324675137e86967123bfe5dbee3",
)
#: Version of aqt-connector, and sha256 of the sources of its models, in order of their paths.
AQT_CONNECTOR = ("0.5.0", "8fe335ace2b060f075fc851e85aa7e4aa1e1736bca385189e03c7eb258039ecc")


def _folder(variable: str) -> Path:
    value = os.environ.get(variable, "").strip()
    if not value:
        pytest.skip(f"{variable} is not set: see vendor_specs.py")
    return Path(value).expanduser()


# IonQ -------------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def ionq_openapi() -> dict[str, Any]:
    """IonQ's OpenAPI file as it is."""
    version, name, digest = IONQ_CORE
    path = _folder("QSIM_VENDOR_SPECS") / name
    if not path.exists():
        pytest.skip(f"there is no {name} (ionq-core {version}) in QSIM_VENDOR_SPECS")
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest, f"{path} is not the pinned {name}"
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"{name.removesuffix('.tar.gz')}/openapi.json")
        assert file is not None
        spec: dict[str, Any] = json.load(file)
    return spec


def overlaid(node: Any) -> Any:
    """A specification in which ``nullable`` beside ``allOf`` has the effect that is meant: null, or all of these.

    Under OpenAPI 3.0.3 it has none, and then the vendor's own examples are invalid.
    """
    if isinstance(node, list):
        return [overlaid(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: overlaid(value) for key, value in node.items()}
    if made.get("nullable") is True and "allOf" in made:
        return {"anyOf": [{"allOf": made.pop("allOf")}, {"enum": [None], "nullable": True}], **made}
    return made


class OpenApi:
    """Validates requests and replies by an OpenAPI file; both give a text that is empty when all is well."""

    def __init__(self, spec: dict[str, Any]) -> None:
        openapi_core = pytest.importorskip("openapi_core")
        self.spec = spec
        self.api = openapi_core.OpenAPI.from_dict(spec)
        self.base = spec["servers"][0]["url"]

    def _pair(self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        from openapi_core.testing import MockRequest

        origin = self.base[: self.base.index("/", 8)]
        sent = {k: v for k, v in headers.items() if k.lower() not in ("content-length", "host", "content-type")}
        return MockRequest(
            origin, method.lower(), self.base[len(origin) :] + path, args=query, headers=sent, data=body or None
        )

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes, query: Any = None) -> str:
        """What is wrong with a request."""
        return _said(lambda: self.api.validate_request(self._pair(method, path, headers, body, query or {})))

    def reply(self, method: str, path: str, status: int, data: Any) -> str:
        """What is wrong with a reply."""
        from openapi_core.testing import MockResponse

        request = self._pair(method, path, {"authorization": "apiKey x"}, b"", {})
        made = MockResponse(data=json.dumps(data).encode(), status_code=status, content_type="application/json")
        return _said(lambda: self.api.validate_response(request, made))

    def schema(self, name: str, data: Any) -> str:
        """What is wrong with data by a schema of the components."""
        from openapi_schema_validator import OAS30Validator
        from referencing import Registry
        from referencing.jsonschema import DRAFT4

        registry = Registry().with_resource("urn:spec", DRAFT4.create_resource(self.spec))
        validator = OAS30Validator({"$ref": f"urn:spec#/components/schemas/{name}"}, registry=registry)
        return "; ".join(error.message for error in validator.iter_errors(data))


def _said(call: Any) -> str:
    from openapi_core.exceptions import OpenAPIError

    try:
        call()
    except OpenAPIError as error:
        causes = [str(one) for one in getattr(error.__cause__, "schema_errors", ())]
        return f"{type(error).__name__}: {error} {error.__cause__ or ''} {'; '.join(causes)[:2000]}"
    return ""


# environments -----------------------------------------------------------------------------------------------------
def vendor_python(name: str) -> Path:
    """The interpreter of a vendor's environment."""
    path = _folder("QSIM_VENDOR_VENVS") / name / "bin" / "python"
    if not path.exists():
        pytest.skip(f"there is no environment '{name}' in QSIM_VENDOR_VENVS")
    return path


def run_vendor(name: str, script: str, *arguments: str) -> Any:
    """What a script prints as JSON, run by a vendor's interpreter without this project on its path."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(vendor_python(name)), "-c", script, *arguments],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


_MODELS = """
import hashlib, importlib.metadata, json, pathlib, sys
import aqt_connector
from aqt_connector.models.arnica.request_bodies.jobs import SubmitJobRequest
from aqt_connector.models.arnica.response_bodies.jobs import ResultResponse, SubmitJobResponse
from aqt_connector.models.arnica.response_bodies.resources import ResourceDetails
SubmitJobRequest.model_rebuild()
known = {m.__name__: m for m in (SubmitJobRequest, SubmitJobResponse, ResultResponse, ResourceDetails)}
root = pathlib.Path(aqt_connector.__file__).parent / "models"
digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(root.rglob("*.py")))).hexdigest()
about = {"version": importlib.metadata.version("aqt-connector"), "sha256": digest,
         "schemas": {name: model.model_json_schema() for name, model in known.items()}}
print(json.dumps(about), flush=True)
for line in sys.stdin:
    name, data = json.loads(line)
    try:
        made = known[name].model_validate_json(json.dumps(data))
        left = made.model_dump(mode="json", exclude_unset=True)
        same = json.loads(json.dumps(left)) == data
        answer = "" if same else f"the model keeps {json.dumps(left)[:500]}"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"[:2000] or "invalid"
    print(json.dumps(answer), flush=True)
"""


class AqtModels:
    """Validates by the models of aqt-connector, which run in their own environment."""

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        self._process = subprocess.Popen(
            [str(vendor_python("aqt")), "-c", _MODELS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.about = self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def check(self, model: str, data: Any) -> str:
        """What is wrong with data by a model; empty when all is well and nothing is in it that the model has no field for."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([model, data]) + "\n")
        self._process.stdin.flush()
        return str(self._read())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


def aqt_models() -> Iterator[AqtModels]:
    """For a fixture."""
    models = AqtModels()
    version, digest = AQT_CONNECTOR
    assert models.about["version"] == version, f"aqt-connector {models.about['version']} is not the pinned {version}"
    assert models.about["sha256"] == digest, "the models of aqt-connector are not the pinned ones"
    yield models
    models.close()

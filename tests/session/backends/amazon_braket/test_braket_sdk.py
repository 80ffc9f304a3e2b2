"""Amazon's SDK is the third party: it speaks to the same server, and reads a task that this package's adapter made.

`QSIM_VENDOR_VENVS` is a folder with an environment ``braket`` (amazon-braket-sdk).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Circuit
from session.programs import read_program
from session.tasks import Task, TaskKind

pytest.importorskip("boto3")
from braket_server import BUCKET, DEVICE

pytestmark = [pytest.mark.slow, pytest.mark.peer]


def test_the_vendor_s_own_client_agrees(backend: Any, service: Any, s3_url: str) -> None:
    folder = os.environ.get("QSIM_VENDOR_VENVS")
    python = Path(folder or "none") / "braket" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        pytest.skip("set QSIM_VENDOR_VENVS to a folder with an environment 'braket'")
    program = read_program(Circuit(3).x(2).h(0).cx(0, 1).measure_all())
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 40, 1)
    prepared = backend.prepare(program, task)
    ref = backend.submit(prepared, "for-the-sdk")
    environment = {**os.environ, "AWS_ENDPOINT_URL_S3": s3_url, "PYTHONPATH": ""}
    driver = Path(__file__).with_name("sdk_driver.py")
    done = subprocess.run(
        [python, driver, service.url, DEVICE, BUCKET, ref.remote_id], env=environment, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["counts"] == {"101": 20} and seen["cancelled"] and seen["device"] == "SV1"
    [details] = backend.decode(backend.fetch(ref), prepared, program, task)
    assert {key[::-1]: n for key, n in seen["ours"].items()} == details.counts  # Braket writes the first qubit first

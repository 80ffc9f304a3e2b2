"""The same adapter in the environments of vendors, whose packages do not go together: fake devices and offline simulators.

`QSIM_VENDOR_VENVS` is a folder with a virtual environment for each: ``ibm`` (qiskit-ibm-runtime, qiskit-aer), ``iqm``
(iqm-client[qiskit]) and ``aqt`` (qiskit-aqt-provider), each with this package's own dependencies.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qsim import Simulator
from session.programs import read_program, without_measurements

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
#: environment, provider, target, and how far its noise takes a distribution from the engine's (total variation).
RUNS = [
    ("aqt", "aqt_offline", "ideal", 0.0), ("aqt", "aqt_offline", "noisy", 0.06), ("ibm", "ibm_fake", "fake_sherbrooke", 0.15),
    ("ibm", "ibm_fake", "fake_manila", 0.15), ("iqm", "iqm_fake", "adonis", 0.25), ("iqm", "iqm_fake", "deneb", 0.25),
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.peer]


@pytest.fixture(scope="module", params=RUNS, ids=lambda one: f"{one[1]}-{one[2]}")
def run(request: pytest.FixtureRequest) -> tuple[dict[str, Any], float]:
    folder = os.environ.get("QSIM_VENDOR_VENVS")
    if not folder:
        pytest.skip("set QSIM_VENDOR_VENVS to a folder of vendors' environments")
    name, provider, target, noise = request.param
    python = Path(folder) / name / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        pytest.skip(f"there is no environment '{name}' in QSIM_VENDOR_VENVS")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, str(HERE / "vendor_driver.py"), provider, target],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), noise


def distance(counts: dict[str, int], program: str, values: Any) -> float:
    """Total variation between counts and the engine's probabilities."""
    circuit = _gates(program)
    exact = Simulator().probabilities(circuit, values or {})
    shots = sum(counts.values())
    return sum(abs(counts.get(format(k, f"0{circuit.num_qubits}b"), 0) / shots - p) for k, p in enumerate(exact)) / 2


def test_bits_are_where_they_belong(run: tuple[dict[str, Any], float]) -> None:
    counts = run[0]["canary"]
    assert run[0]["canaries"] >= 10
    assert max(counts, key=counts.__getitem__) == "010" and counts["010"] > 0.75 * sum(counts.values())


@pytest.mark.parametrize("name", ["bell", "ghz", "ansatz"])
def test_distributions_are_the_engine_s(run: tuple[dict[str, Any], float], name: str) -> None:
    sys.path.insert(0, str(HERE))
    try:
        import vendor_driver as driver
    finally:
        sys.path.remove(str(HERE))
    found, noise = run
    counts = found[name] if isinstance(found[name], list) else [found[name]]
    values = driver.VALUES if name == "ansatz" else [None]
    for one, own in zip(counts, values, strict=True):
        # 2000 shots over 16 outcomes: sqrt(16 / 2000) / 2 is the expected distance at most, and thrice that is never seen
        assert distance(one, getattr(driver, name.upper()), own) < noise + 0.07
    if name == "ansatz":
        for way in ("estimate", "estimator"):
            for (value, error), own in zip(found[way], values, strict=True):
                exact = Simulator().expectation(_gates(driver.ANSATZ), driver.OBSERVABLE, own)
                assert abs(value - exact) < 5 * error + 2 * noise


def _gates(program: str) -> Any:
    return without_measurements(read_program(program).circuit)

"""Runs this package's Qiskit adapter in the environment of a provider, and prints what came back as JSON.

Usage: python vendor_driver.py PROVIDER [TARGET] with the package on PYTHONPATH.
"""

import json
import sys
import warnings

from session import ExecutionPreferences, ExecutionSession, Pauli
from session.backends.qiskit import QiskitBackend, open_qiskit
from session.testing.canary import canaries, problems_of

CANARY = """OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[2] low; bit high;
x q[2]; low[1] = measure q[2]; high = measure q[0]; low[0] = measure q[1];"""
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
GHZ = 'OPENQASM 3.0; include "stdgates.inc"; qubit[4] q; bit[4] c; h q[0]; cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3]; c = measure q;'
ANSATZ = """OPENQASM 3.0; include "stdgates.inc"; input array[float[64], 4] a; qubit[3] q; bit[3] c;
ry(a[0]) q[0]; ry(a[1]) q[1]; cx q[0], q[1]; rz(a[2]) q[1]; cx q[1], q[2]; rx(a[3]) q[2]; crz(0.7) q[0], q[2]; h q[1]; c = measure q;"""
VALUES = [{"a": [0.4, 1.3, -0.8, 2.1]}, {"a": [2.4, -0.3, 0.9, 0.5]}]
OBSERVABLE = 0.5 * Pauli.Z(0) * Pauli.Z(2) + Pauli.X(1) - 0.3 * Pauli.Y(0) * Pauli.Y(1)
SHOTS = 2000


def run_all_canaries(backend: QiskitBackend) -> int:
    """This package's canaries of bit order that the target can run, estimates left out; how many there were."""
    there = set(backend.qiskit_backend.target.operation_names)
    chosen = [one for one in canaries(backend.capabilities()) if "reset" not in one.program or "reset" in there]
    for one in chosen:
        with ExecutionSession(one.program, backend, num_shots=400, random_seed=3) as session:
            made = session.sample(list(one.parameters)) if one.parameters else [session.sample()]
        problems = problems_of(
            one, made, 0.55 if one.num_qubits <= 5 else 0.2
        )  # ten noisy readouts are seldom all right
        assert not problems, problems
    return len(chosen)


def run(provider: str, target: str) -> dict[str, object]:
    """Everything that the tests compare."""
    options = {"provider": provider, "target": target, "max_circuits": 3}
    preferences = ExecutionPreferences(backend="qiskit", backend_options=options, num_shots=SHOTS, random_seed=11)
    found: dict[str, object] = {}
    for name, program, values in (
        ("canary", CANARY, None),
        ("bell", BELL, None),
        ("ghz", GHZ, None),
        ("ansatz", ANSATZ, VALUES),
    ):
        with ExecutionSession(program, execution_preferences=preferences) as session:
            made = session.sample(values)
            found[name] = [one.counts for one in made] if isinstance(made, list) else made.counts
    with ExecutionSession(ANSATZ, execution_preferences=preferences) as session:
        found["estimate"] = [[one.value, one.standard_error] for one in session.estimate(OBSERVABLE, VALUES)]
    found["canaries"] = run_all_canaries(open_qiskit(preferences))
    with_estimator = preferences.updated(backend_options={**options, "estimator": True})
    with ExecutionSession(ANSATZ, execution_preferences=with_estimator) as session:
        made = session.estimate(OBSERVABLE, VALUES)
        assert all(one.metadata["method"] == "estimator" for one in made)
        found["estimator"] = [[one.value, one.standard_error] for one in made]
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(run(*[*sys.argv[1:], ""][:2])))

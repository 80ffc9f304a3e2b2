"""What pyqasm says of a program: a second opinion, in a process of its own.

pyqasm is known to hang on hostile programs and to change settings of the whole process, so it is never imported here: it
runs in a child process with limits of time and memory, and its answer is compared with ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from parsers import QasmError, loads
from qsim.circuit import Barrier, Circuit, Delay, Measure
from qsim.gates import Gate
from qsim.linalg import apply_matrix

#: Seconds and bytes that it may take, and qubits and operations up to which unitaries are compared.
SECONDS, MEMORY, QUBITS, OPERATIONS = 20.0, 2 << 30, 8, 5000

_CHILD = """
import json, logging, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
except (ImportError, ValueError, OSError):
    pass
try:
    import pyqasm
except ImportError:
    print(json.dumps({{"missing": True}}))
    sys.exit()
logging.disable(logging.CRITICAL)
text = sys.stdin.buffer.read().decode()
try:
    module = pyqasm.loads(text)
    module.unroll()
    print(json.dumps({{"qubits": module.num_qubits, "bits": module.num_clbits, "text": pyqasm.dumps(module)}}))
except RecursionError:
    print(json.dumps({{"error": "RecursionError"}}))
except Exception as error:
    cause = error.__cause__ or error
    said = " ".join(str(error).split()) or " ".join(str(cause).split())
    print(json.dumps({{"error": type(error).__name__ + (": " + said if said else "")}}))
"""


@dataclass
class Opinion:
    """What pyqasm says: whether it unrolls a program, why not, the numbers it gives and the unrolled text."""

    ok: bool
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without the text."""
        return {key: value for key, value in asdict(self).items() if key != "text"}


def second_opinion(text: str, timeout: float = SECONDS) -> Opinion:
    """What pyqasm makes of a program, within `timeout` seconds and 2 GiB."""
    child = [sys.executable, "-I", "-c", _CHILD.format(memory=MEMORY)]
    try:
        done = subprocess.run(child, input=text.encode(), capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Opinion(False, f"it took longer than {timeout:g} s and was stopped")
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Opinion(False, f"it ended without an answer (exit code {done.returncode})")
    if answer.get("missing"):
        return Opinion(False, 'it is not installed: pip install "pyqasm>=1.3"')
    if "error" in answer:
        return Opinion(False, answer["error"][:500])
    facts = {"qubits": answer["qubits"], "bits": answer["bits"]}
    try:
        counts = loads(answer["text"]).count_ops()
    except QasmError as error:
        return Opinion(True, f"its output cannot be read: {error.message}"[:500], facts)
    facts.update(operations=sum(counts.values()), measurements=counts.get("measure", 0))
    return Opinion(True, "", facts, answer["text"])


def compare(circuit: Circuit | None, opinion: Opinion) -> str:
    """One sentence: whether the two readings are of one program."""
    if circuit is None:
        return "both refuse it" if not opinion.ok else "pyqasm reads it, we do not"
    if not opinion.ok:
        return "we read it, pyqasm does not"
    if not opinion.text:
        return "not compared: " + opinion.error
    theirs = loads(opinion.text)
    if circuit.num_qubits != theirs.num_qubits:
        return f"DIFFERENT: we have {circuit.num_qubits} qubits, pyqasm {theirs.num_qubits}"
    for name, one in (("ours", circuit), ("pyqasm's", theirs)):
        if one.is_dynamic or one.parameters:
            return f"not compared: {name} depends on measurements or parameters"
        if one.num_qubits > QUBITS or len(one) > OPERATIONS:
            return f"not compared: more than {QUBITS} qubits or {OPERATIONS:,} operations"
    if _measurements(circuit) != _measurements(theirs):
        return "DIFFERENT: other measurements"
    overlap = np.vdot(_unitary(circuit), _unitary(theirs)) / (1 << circuit.num_qubits)
    off = abs(abs(overlap) - 1)
    if off < 1e-9:
        return "the same: equal unitaries up to a global phase, which pyqasm does not keep"
    return f"DIFFERENT: the overlap of the two unitaries is {abs(overlap):.6f}"


def _measurements(circuit: Circuit) -> list[tuple[int, int]]:
    """Pairs of qubit and place among the bits of registers."""
    shown = [bit for register in circuit.clbit_registers for bit in register.indices]
    pairs = [(i.qubits[0], i.clbits[0]) for i in circuit if isinstance(i.operation, Measure)]
    return sorted((qubit, shown.index(bit)) for qubit, bit in pairs if bit in shown)


def _unitary(circuit: Circuit) -> Any:
    result = np.eye(1 << circuit.num_qubits, dtype=np.complex128)
    for instruction in circuit:
        if isinstance(instruction.operation, Gate):
            result = apply_matrix(result, instruction.operation.matrix(), instruction.qubits, circuit.num_qubits)
        else:
            assert isinstance(instruction.operation, (Measure, Barrier, Delay))
    return result

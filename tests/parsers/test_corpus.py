"""Real programs: each is read, or refused for a reason that was looked at by hand."""

import csv
import functools
import re

import numpy as np
import pytest
from corpus import corpus_root, loaded, programs

from parsers import QasmError
from qsim.classical import IfElse
from qsim.gates import Gate
from qsim.linalg import apply_matrix

pytestmark = pytest.mark.filterwarnings("ignore::parsers.QasmWarning")

#: Part of a path -> words of the error: programs that are wrong, or that say what is not supported.
REFUSED = {
    # wrong programs
    "vqe_uccsd_n4/": "no quantum register 'q'",
    "vqe_uccsd_n6/": "no quantum register 'q'",
    "vqe_uccsd_n8/": "no quantum register 'q'",
    "/invalid/": "",
    "teleport_minimal.qasm": "ends with ';'",
    "units/teleportation.qasm": "ends with ';'",
    "staq/misc/bad.qasm": "one size",
    # a dialect of its own
    "staq/misc/": "",
}

#: Programs up to this size are read in every test run; the others in the slow one.
LARGEST = 100_000
_VERSION_2 = re.compile(r"^\s*OPENQASM\s+2", re.MULTILINE)
#: Of the refused ones, those whose reason is looked at in every test run.
REASONS = {
    "vqe_uccsd_n4/": "no quantum register 'q'",
    "staq/misc/bad.qasm": "one size",
    "staq/misc/oracle_example.qasm": "",
    "staq/misc/multi-ancilla_test.qasm": "ancilla",
    "staq/misc/test.qasm": "dirty",
    "missing_semicolon.qasm": "'OPENQASM 2.0;'",
    "gate_no_found.qasm": "no gate called 'w'",
    "test-bad-version.qasm": "OpenQASM 3",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", programs())
def test_read_or_refused_with_a_place(path):
    try:
        loaded(path)
    except QasmError as error:
        assert len(error.message) > 15
        assert error.line is not None
        for part, words in REFUSED.items():
            if part in str(path):
                assert words in error.message
                break


# with what a MANIFEST.tsv in the folder (columns file, qubits, qasm_version, qiskit) knows of the programs ------------
def sized(small):
    """The programs of one side of the size limit."""
    chosen = []
    for parameter in programs():
        path = parameter.values[0]
        if path is None or (path.stat().st_size <= LARGEST) == small:
            chosen.append(parameter)
    return chosen


def name_of(path):
    return path.relative_to(corpus_root()).as_posix()


@functools.cache
def manifest():
    """What is known of a program, by its name; empty without a manifest."""
    table = corpus_root() / "MANIFEST.tsv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


def check(path):
    known = manifest().get(name_of(path), {})
    valid = known.get("qasm_version", "").startswith("2") and known.get("qiskit") == "ok"
    try:
        circuit = loaded(path)
    except QasmError as error:
        assert not valid, str(error)
        assert error.message
        if error.line is not None:
            assert error.line >= 1 and (error.column or 0) >= 1
        return
    for part, words in REASONS.items():
        assert part not in name_of(path), f"must be refused: {words}"
    if valid and known["qubits"].isdigit():
        assert circuit.num_qubits == int(known["qubits"])


@pytest.mark.parametrize("path", sized(small=True))
def test_program_is_read_or_refused(path):
    check(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sized(small=False))
def test_large_program_is_read_or_refused(path):
    check(path)


@pytest.mark.parametrize("part", REASONS)
def test_reason_of_a_refusal(part):
    if corpus_root() is None:
        pytest.skip("no corpus: set QSIM_CORPUS to a folder of .qasm files")
    paths = [parameter.values[0] for parameter in programs() if part in name_of(parameter.values[0])]
    if not paths:
        pytest.skip("not in this corpus")
    for path in paths:
        with pytest.raises(QasmError) as info:
            loaded(path)
        assert REASONS[part] in info.value.message


#: The examples of the OpenQASM 3 specification that are refused, with words of the first reason; all others are read.
EXAMPLES_REFUSED = {
    "arrays.qasm": "there is no my_defined_uints[4]",
    "cphase.qasm": "'q' is not declared",
    "dd.qasm": "Gate 'u' is not in stdgates.inc",
    "defcal.qasm": "defcalgrammar",
    "gateteleport.qasm": "'extern vote'",
    "msd.qasm": "is a subroutine",
    "scqec.qasm": "'extern zfirst'",
    "t1.qasm": "'extern tabulate'",
    "varteleport.qasm": "is a subroutine",
    "vqe.qasm": "'extern get_parameter'",
}


def examples():
    """The specification's own examples."""
    return [p for p in programs() if p.values[0] is None or "openqasm-spec/examples" in p.values[0].as_posix()]


@pytest.mark.parametrize("path", examples())
def test_examples_of_the_specification_are_read_or_refused_for_a_true_reason(path):
    reason = EXAMPLES_REFUSED.get(path.name)
    if reason is None:
        loaded(path)
        return
    with pytest.raises(QasmError) as caught:
        loaded(path)
    assert any(reason in error.message for error in caught.value.errors)


@pytest.mark.peer
@pytest.mark.parametrize("path", sized(small=True))
def test_unitary_is_that_of_qiskit(path):
    qasm2 = pytest.importorskip("qiskit.qasm2", reason="Qiskit is not installed")
    from qiskit.quantum_info import Operator

    text = path.read_text(encoding="utf-8", errors="replace")
    if not _VERSION_2.search(text):
        pytest.skip("not OpenQASM 2")
    try:
        ours = loaded(path)
    except QasmError:
        pytest.skip("refused")
    if ours.num_qubits > 6:
        pytest.skip("more than 6 qubits")
    names = set(ours.count_ops())
    if "reset" in names or any(isinstance(i.operation, IfElse) for i in ours):
        pytest.skip("no unitary")
    theirs = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS, include_path=[str(path.parent)])
    theirs.data = [i for i in theirs.data if i.operation.name not in ("measure", "barrier")]
    expected = Operator(theirs).data
    found = np.eye(1 << ours.num_qubits, dtype=complex)
    for instruction in ours:
        if isinstance(instruction.operation, Gate):
            found = apply_matrix(found, instruction.operation.matrix(), instruction.qubits, ours.num_qubits)
    overlap = np.vdot(expected, found)
    np.testing.assert_allclose(found, overlap / abs(overlap) * expected, atol=1e-9)

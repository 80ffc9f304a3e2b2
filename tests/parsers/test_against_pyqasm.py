"""Programs of the corpus as pyqasm unrolls them, where it is right: the same unitary up to a global phase.

Where it is known to be wrong (docs/interop.md) is listed by what the text has; anything else that differs is a fault of
one of the two.
"""

import importlib.util
import re

import pytest
from corpus import loaded, programs

from parsers import QasmError
from session.second_opinion import compare, second_opinion

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(importlib.util.find_spec("pyqasm") is None, reason="pyqasm is not installed"),
]
#: What pyqasm gets wrong, by a pattern of the program's text.
WRONG = {
    "registers in a gate on two qubits": r"\bc[a-z]+\s+[a-z_]\w*\s*,\s*[a-z_]\w*\s*(?:\[|;)",
    "inv of a controlled rotation": r"inv\s*@\s*(?:cp|cu|crx|cry|crz)",
    "the power ^ of OpenQASM 2": r"\^",
    "a division of integers": r"\(\s*\d+\s*/\s*\d+\s*\)",
}


@pytest.mark.parametrize("path", programs(largest=3000))
def test_the_same_where_pyqasm_is_right(path):
    try:
        circuit = loaded(path)
    except QasmError:
        pytest.skip("refused here")
    if circuit.is_dynamic or circuit.parameters or circuit.num_qubits > 6:
        pytest.skip("not compared")
    text = path.read_text(encoding="utf-8", errors="replace")
    said = compare(circuit, second_opinion(text, timeout=10))
    if said.startswith("DIFFERENT"):
        reasons = [why for why, pattern in WRONG.items() if re.search(pattern, text)]
        assert reasons, said
        pytest.skip(f"pyqasm is wrong: {reasons[0]}")
    if not said.startswith("the same"):
        pytest.skip(said)

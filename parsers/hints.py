"""What was probably meant: names of gates in other notations, and forms of statements that OpenQASM 3 has not."""

from __future__ import annotations

import re
from collections.abc import Collection

from qsim.errors import suggestion

_GATES = {
    "cnot": "cx", "not": "x", "toffoli": "ccx", "ccnot": "ccx", "fredkin": "cswap", "hadamard": "h", "i": "id",
    "identity": "id", "pauli_x": "x", "pauli_y": "y", "pauli_z": "z", "sdag": "sdg", "tdag": "tdg", "si": "sdg",
    "ti": "tdg", "v": "sx", "vi": "sxdg", "phaseshift": "p", "cphaseshift": "cp", "phase": "p", "cphase": "cp",
    "xx": "rxx", "zz": "rzz", "cv": "csx", "mct": "mcx",
}  # fmt: skip


def gate_hint(name: str, gates: Collection[str]) -> str:
    """A sentence that names the gate that was probably meant, or nothing.

    >>> gate_hint("CNOT", ["cx", "ccx"])
    " Did you mean 'cx'?"
    """
    if len(name) > 80:
        return ""
    for meant in (_GATES.get(name.lower(), ""), name.lower(), name.upper()):
        if meant in gates and meant != name:
            return f" Did you mean '{meant}'?"
    return suggestion(name, gates)


_TYPE = r"(?:int|uint|float|angle|bool|bit|complex|duration)"
#: The beginning of a statement that cannot be read, and what to say about it.
_FORMS = [(re.compile(pattern, re.DOTALL), hint) for pattern, hint in (
    (r"for\s+\w+\s+in\b", "The variable of a loop has a type: 'for int i in [0:3] { ... }'."),
    (r"for\s*\(|for\b[^;{]*\bin\s+\w+\s*\(", "A loop has the form 'for int i in [0:3] { ... }', with both ends."),
    (r"(?:if|while)\s*\([^;{)]*\bmeasure\b", "A condition holds no measurement. Measure into a bit first: 'bit b = measure q;'."),
    (r"(?:if|while)\s*\([^;{]*?[^=!<>]=[^=]", "Values are compared with '=='; '=' assigns."),
    (r"(?:if|while|switch)\s+[^(\s]", "What is tested stands in brackets: 'if (c == 1) { ... }'."),
    (r"if\s*\(.*\)\s*then\b", "There is no 'then'; a branch has the form 'if (c == 1) { ... } else { ... }'."),
    (r"(?:elif|elsif|elseif)\b", "A second condition has the form 'else if (c == 2) { ... }'."),
    (r"case\b[^;{]*:|default\s*:", "A case has the form 'case 1 { ... }', without ':' and 'break'."),
    (r"case\b|default\b", "It belongs inside 'switch (n) { case 1 { ... } default { ... } }'."),
    (rf"(?:const\s+)?(?:qubit|{_TYPE})\s+\w+\s*\[", "The size stands before the name: 'qubit[2] q;', 'array[int[8], 3] a;'."),
    (r"gate\s+\w+\s*\(\s*(?:int|uint|float|angle)\b", "The parameters of a gate are names without types: 'gate g(a) q { ... }'."),
    (r"def\s+\w+\s*\(\s*const\b", "An array is passed as 'readonly array[int[8], #dim = 1] a' or 'mutable array[...] a'."),
    (r"def\s+\w+\s*\(\s*\w+\s*[,)]", "The arguments of a subroutine have types: 'def f(qubit q, int n) -> bit { ... }'."),
    (r"(?:inv|ctrl|negctrl|pow)\b(?:\s*\([^;{]*?\))?\s+[A-Za-z_$]", "A modifier is followed by '@': 'ctrl @ x a, b;'."),
    (r"pow\s*@", "pow has an exponent: 'pow(2) @ x q;'."),
    (r"(?:inv|ctrl|negctrl|pow)\b[^;]*@\s*(?:measure|reset|barrier)\b", "Modifiers belong to gates only."),
    (r"(?:inv|ctrl|negctrl|pow)\b[^;]*@\s*[\w$]+\s*(?:\[[^;]*\])?\s*;", "After '@' come a gate and its qubits: 'ctrl @ x a, b;'."),
    (r"delay\s+[^\[\s]|delay\s*\(", "The time of a delay stands in square brackets: 'delay[100ns] q;'."),
    (r"input\s+(?:qubit|qreg)\b", "Inputs are classical: 'input float a;'."),
    (r"(?:input|output)\b[^;]*=", "An input or output is declared without a value: 'output bit c;'."),
    (r"include\b", "The name of an included file stands in quotation marks: 'include \"stdgates.inc\";'."),
    (r"OPENQASM\b", "The version line is the first statement, and there is one only: 'OPENQASM 3.0;'."),
    (r"let\s+\w+\s*=\s*\{", "Registers are joined with '++': 'let a = q[0] ++ q[2];'."),
    (r"\w+\s*(?:\+\+|--)\s*;|(?:\+\+|--)", "One is added with 'n += 1;'."),
    (rf"{_TYPE}(?:\s*\[[^;]*?\])?\s+\w+\s*=\s*\"", "Quotation marks hold bits, zeros and ones: 'bit[4] b = \"0101\";'."),
    (r"measure\s+[^;>]*,|measure\s+[^;]*->[^;]*,", "A measurement has the form 'c = measure q;', one of each."),
    (r"\w+\s*\([^;{]*?\)\s*,", "No ',' stands between the parameters and the qubits: 'rx(pi) q;'."),
    (r"opaque\b", "'opaque' belongs to OpenQASM 2; in version 3 a gate has a body."),
    (r"\w+\s*(?:\([^;{]*?\)\s*|\s)[\w$]+(?:\s*\[[^\];]*\])?\s+(?!else\b)[\w$]+\s*[\[;,]",
     "Operands are separated by ','; is one missing before it, or a ';'?"),
)]  # fmt: skip


def form_hint(statement: str) -> str | None:
    """What to say about a statement that cannot be read; None when nothing fits."""
    for pattern, hint in _FORMS:
        if pattern.match(statement):
            return hint
    return None

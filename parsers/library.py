"""The gate names that the standard include files bring, as rows of the engine's gate table."""

from __future__ import annotations

from qsim.gates import GATES, GateRow

#: OpenQASM 2: `qelib1.inc` of the specification, with what Qiskit's version adds.
QELIB1_NAMES: dict[str, str] = {
    **{name: name for name in (
        "id x y z h s sdg t tdg sx sxdg p rx ry rz u2 u cx cz cy ch ccx crx cry crz cp cu3 cu swap cswap csx u0 "
        "rxx rzz rccx rc3x c3x c3sqrtx c4x"
    ).split()},
    "u1": "p", "u3": "u", "cu1": "cp",
}  # fmt: skip
#: Names that exporters write into OpenQASM 2 without defining them; accepted as an extension.
QELIB1_EXTRAS: dict[str, str] = {
    **{name: name for name in "r ryy rzx iswap dcx ecr cs csdg ccz xx_plus_yy xx_minus_yy".split()},
    "c3sx": "c3sqrtx", "mcx": "c3x",
}  # fmt: skip
#: OpenQASM 3: `stdgates.inc`. Its u2 and u3 have determinant 1; `CX` is cx.
STDGATES_NAMES: dict[str, str] = {
    **{name: name for name in (
        "p x y z h s sdg t tdg sx rx ry rz cx cy cz cp crx cry crz ch swap ccx cswap cu id"
    ).split()},
    "CX": "cx", "phase": "p", "cphase": "cp", "u1": "p", "u2": "u2_su2", "u3": "u3_su2",
}  # fmt: skip


def rows(names: dict[str, str]) -> dict[str, GateRow]:
    """The table rows by the names of a dialect.

    >>> rows(STDGATES_NAMES)["u2"].name
    'u2_su2'
    """
    return {name: GATES[row] for name, row in names.items()}

"""Gates of Qiskit's library, and rows of the gate table: which is which."""

from __future__ import annotations

#: Name in Qiskit -> row. `mcx` is there by its number of qubits.
ROWS: dict[str, str] = {
    **{name: name for name in (
        "h x y z s sdg t tdg sx sxdg id p rx ry rz r u u2 cx cy cz ch cs csdg csx cp crx cry crz cu cu3 swap iswap dcx "
        "ecr rxx ryy rzz rzx xx_plus_yy xx_minus_yy ccx ccz cswap rccx"
    ).split()},
    "u1": "p", "u3": "u", "cu1": "cp", "c3sx": "c3sqrtx", "rcccx": "rc3x", "global_phase": "gphase",
}  # fmt: skip
#: Row -> class of `qiskit.circuit.library`.
CLASSES: dict[str, str] = {
    "h": "HGate", "x": "XGate", "y": "YGate", "z": "ZGate", "s": "SGate", "sdg": "SdgGate", "t": "TGate",
    "tdg": "TdgGate", "sx": "SXGate", "sxdg": "SXdgGate", "id": "IGate", "p": "PhaseGate", "rx": "RXGate",
    "ry": "RYGate", "rz": "RZGate", "r": "RGate", "u": "UGate", "u2": "U2Gate", "cx": "CXGate", "cy": "CYGate",
    "cz": "CZGate", "ch": "CHGate", "cs": "CSGate", "csdg": "CSdgGate", "csx": "CSXGate", "cp": "CPhaseGate",
    "crx": "CRXGate", "cry": "CRYGate", "crz": "CRZGate", "cu": "CUGate", "cu3": "CU3Gate", "swap": "SwapGate",
    "iswap": "iSwapGate", "dcx": "DCXGate", "ecr": "ECRGate", "rxx": "RXXGate", "ryy": "RYYGate", "rzz": "RZZGate",
    "rzx": "RZXGate", "xx_plus_yy": "XXPlusYYGate", "xx_minus_yy": "XXMinusYYGate", "ccx": "CCXGate",
    "ccz": "CCZGate", "cswap": "CSwapGate", "rccx": "RCCXGate", "c3x": "C3XGate", "c3sqrtx": "C3SXGate",
    "rc3x": "RC3XGate", "c4x": "C4XGate",
}  # fmt: skip

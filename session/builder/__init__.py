"""A small traced front end: Python functions under ``@qfunc`` that `synthesize` turns into a `QuantumProgram`."""

from session.builder.errors import BuilderError
from session.builder.functions import QFunc, qfunc, synthesize
from session.builder.gates import (
    CCX,
    CCZ,
    CH,
    CPHASE,
    CRX,
    CRY,
    CRZ,
    CSWAP,
    CSX,
    CX,
    CY,
    CZ,
    ISWAP,
    PHASE,
    RX,
    RXX,
    RY,
    RYY,
    RZ,
    RZX,
    RZZ,
    SDG,
    SWAP,
    SX,
    SXDG,
    TDG,
    H,
    I,
    R,
    S,
    T,
    U,
    X,
    Y,
    Z,
)  # fmt: skip
from session.builder.statements import (
    allocate,
    apply_to_all,
    bind,
    control,
    free,
    hadamard_transform,
    if_,
    inplace_prepare_int,
    invert,
    power,
    prepare_int,
    repeat,
    within_apply,
)
from session.builder.types import SIGNED, UNSIGNED, CArray, CBool, CInt, CReal, Input, Output, QCallable
from session.builder.variables import QArray, QBit, QNum

__all__ = [
    "CCX", "CCZ", "CH", "CPHASE", "CRX", "CRY", "CRZ", "CSWAP", "CSX", "CX", "CY", "CZ", "ISWAP", "PHASE", "RX", "RXX",
    "RY", "RYY", "RZ", "RZX", "RZZ", "SDG", "SIGNED", "SWAP", "SX", "SXDG", "TDG", "UNSIGNED", "BuilderError", "CArray",
    "CBool", "CInt", "CReal", "H", "I", "Input", "Output", "QArray", "QBit", "QCallable", "QFunc", "QNum", "R", "S", "T",
    "U", "X", "Y", "Z", "allocate", "apply_to_all", "bind", "control", "free", "hadamard_transform", "if_",
    "inplace_prepare_int", "invert", "power", "prepare_int", "qfunc", "repeat", "synthesize", "within_apply",
]  # fmt: skip

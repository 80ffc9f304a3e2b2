"""Bounds on what a program may ask for, each checked before the time or the memory is spent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much an (untrusted) program may ask for.

    >>> Limits(qubits=30).qubits
    30
    """

    #: Size of the source text in bytes.
    source_bytes: int = 256 * 1024 * 1024
    #: Brackets, braces and operators inside one another.
    nesting: int = 200
    #: Operators of one expression of OpenQASM 3, as far as it has no commas.
    operators: int = 30_000
    #: Gates after loops are unrolled, registers broadcast and definitions counted out.
    operations: int = 3_000_000
    #: Rounds of all compile-time loops together; a round of a loop takes some ten microseconds to unroll.
    loop_trips: int = 100_000
    #: Rounds of all compile-time while loops together; a longer one hardly ever ends.
    while_trips: int = 10_000
    #: Statements in loops and subroutines, as often as they are unrolled: a gate counts 1, an assignment
    #: 12, any other 20.
    statements: int = 300_000
    #: Subroutine calls inside one another.
    call_depth: int = 100
    qubits: int = 100_000
    clbits: int = 1_000_000
    #: Elements of a classical array.
    array_elements: int = 1_000_000
    #: Bits of an integer at compile time.
    integer_bits: int = 4096
    #: Characters of a name or of a number.
    token_length: int = 1024

"""Text drawings: exact output for each kind of operation, and honest limits."""

from __future__ import annotations

import math
import textwrap

import pytest

from qsim import Circuit, Gate, Parameter
from qsim.classical import Bits, ClassicalOperation, Literal
from qsim.drawing import MAX_COLUMNS, MAX_QUBIT_LINES, draw
from qsim.gates import GATES


def drawn(circuit: Circuit, expected: str, max_width: int | None = None) -> None:
    assert draw(circuit, max_width) == textwrap.dedent(expected).strip("\n")


def test_bell_with_measurements() -> None:
    drawn(Circuit(2).h(0).cx(0, 1).measure_all(), """
        q_0: ─H─●─M───
                │ ║
        q_1: ───X─╫─M─
                  ║ ║
          c: ═════0═1═
    """)  # fmt: skip


def test_controls_cross_lines_between_them_and_zero_controls_are_hollow() -> None:
    circuit = Circuit(3).cx(0, 2).append(Gate("x").control(1, 0).control(), [0, 1, 2])
    drawn(circuit, """
        q_0: ─●─●─
              │ │
        q_1: ─┼─○─
              │ │
        q_2: ─X─X─
    """)  # fmt: skip


def test_swap_reset_and_barrier() -> None:
    drawn(Circuit(3).cswap(1, 0, 2).barrier(0, 1).reset(2), """
        q_0: ─╳──░──
              │  ░
        q_1: ─●──░──
              │
        q_2: ─╳─|0>─
    """)  # fmt: skip


def test_boxes_number_their_qubits_in_the_gates_order() -> None:
    bell = Circuit(2, name="bell").h(0).cx(0, 1).to_gate()
    drawn(Circuit(3).append(Gate(bell), [2, 0]), """
        q_0: ─┤1     ├─
              │ bell │
        q_1: ─┼──────┼─
              │      │
        q_2: ─┤0     ├─
    """)  # fmt: skip


def test_symmetric_boxes_have_no_numbers_and_mark_controls_inside() -> None:
    circuit = Circuit(3).append(Gate("rzz", math.pi / 2).control(), [1, 0, 2])
    drawn(circuit, """
        q_0: ─┤          ├─
              │ RZZ(π/2) │
        q_1: ─┤●         ├─
              │          │
        q_2: ─┤          ├─
    """)  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "label"),
    [
        (Gate("rx", 0.5), "RX(0.5)"),
        (Gate("rx", 2 * Parameter("t")), "RX(2*t)"),
        (Gate("rx", math.pi * Parameter("t") + 1), "RX(π*t+1)"),
        (Gate("p", -3 * math.pi / 4), "P(-3π/4)"),
        (Gate("sdg"), "S†"),
        (Gate("x").power(0.5), "X^0.5"),
        (Gate("u", 0.1, 0.2, 0.3), "U(0.1,0.2,0.3)"),
        (Gate(Circuit(1, name="mine").h(0).to_gate()).inverse(), "mine†"),
    ],
)
def test_labels(gate: Gate, label: str) -> None:
    assert draw(Circuit(1).append(gate, [0])) == f"q_0: ─{label}─"


def test_unitary_is_called_u_or_by_its_name() -> None:
    assert draw(Circuit(1).unitary([[0, 1], [1, 0]], 0).unitary([[0, 1], [1, 0]], 0, name="flip")) == "q_0: ─U─flip─"


def test_controlled_phase_without_target_stands_on_a_control() -> None:
    drawn(Circuit(2).append(Gate("gphase", 0.25).control(2), [0, 1]), """
        q_0: ────●────
                 │
        q_1: ─P(0.25)─
    """)  # fmt: skip


def test_feed_forward_is_in_brackets_joined_to_the_register_it_reads() -> None:
    circuit = Circuit(2)
    circuit.add_clbits(1, "a")
    circuit.add_clbits(2, "b")
    circuit.h(0).measure(0, 1)
    circuit.if_else(ClassicalOperation("==", (Bits((1, 2)), Literal(1))), circuit.block().x(1), circuit.block().h(1))
    drawn(circuit, """
        q_0: ─H─M────────────────────────
                ║
        q_1: ───╫─[if b==1:─X─|else:─H─]─
                ║     ║
          a: ═══║═════║══════════════════
                ║     ║
          b: ═══0═════╩══════════════════
    """)  # fmt: skip


def test_loops_switches_assignments_and_jumps_are_drawn() -> None:
    circuit = Circuit(1, 2)
    body = circuit.block().x(0).if_else(Bits((1,)), circuit.block().break_loop())
    circuit.while_loop(Bits((0,)), body).switch(Bits((0, 1)), [((0, 1), circuit.block().x(0))], circuit.block().end())
    circuit.assign([0], ClassicalOperation("^", (Bits((0,)), Literal(1))))
    text = draw(circuit)
    for part in ("[while c[0]:─X─[if c[1]:─break─]─]", "[if c==0,1:─X─|else:─end─]", "c[0]=c[0]^1"):
        assert part in text


def test_wraps_at_a_width_and_loses_nothing() -> None:
    circuit = Circuit(2).h([0, 1]).cx(0, 1)
    for k in range(20):
        circuit.rx(k / 8 + 1, k % 2).cx(0, 1)
    text = draw(circuit, 40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("RX(") == 20
    assert text.count("●") == draw(circuit).count("●") == 21
    assert text.count("»") == 2 * (text.count("\n\n"))


def test_every_table_gate_is_drawn() -> None:
    for row in GATES.values():
        circuit = Circuit(5).append(row.name, range(row.num_qubits), *[0.1] * row.num_params)
        lines = draw(circuit).splitlines()
        assert len(lines) == (9 if row.num_qubits else 10)  # a global phase is a line of its own
        assert row.num_qubits == 0 or any(set(line[5:]) - set("─ │") for line in lines)


def test_global_phase_and_empty_circuits() -> None:
    assert draw(Circuit()) == "(an empty circuit)"
    assert draw(Circuit(1)) == "q_0: ─"
    assert draw(Circuit(1).gphase(math.pi / 3)) == "q_0: ─\nglobal phase: π/3"


def test_huge_circuits_are_truncated_and_counted() -> None:
    long = Circuit(1).x([0] * (MAX_COLUMNS + 7))
    assert draw(long).endswith("… 7 more operations not drawn")
    wide = Circuit(2_000).h(range(2_000)).measure_all()
    text = draw(wide)
    assert f"… {2_000 - MAX_QUBIT_LINES:,} more qubits share the line ⋮" in text
    assert f"… {2 * (2_000 - MAX_QUBIT_LINES):,} more operations not drawn" in text
    assert text.count("H") == MAX_QUBIT_LINES

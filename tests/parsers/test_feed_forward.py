"""Programs whose course depends on measured bits, by their exact outcome distributions."""

import pytest
from programs import H3, assert_outcomes

from parsers import QasmError, loads

COIN = H3 + "qubit[3] q; bit[2] c; bit d; h q[0]; c[0] = measure q[0]; "  # c[0] is a fair coin
SET = H3 + "qubit[3] q; bit[2] c; bit d; x q[1]; c = measure q[0:1]; "  # c is 10


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("c[1]", 1), ("!c[0]", 1), ("c[0]", 0), ("c[1] == 1", 1), ("c[1] == true", 1), ("c == 2", 1), ("c == 1", 0),
        ('c == "10"', 1), ('c != "10"', 0), ("c[1] && !c[0]", 1), ("c[0] || c[1]", 1), ("c[0] ^ c[1]", 1),
        ("(c[0] ^ c[1]) == true", 1), ("int(c) > 1", 0), ("uint[2](c) > 1", 1), ("uint[2](c) + 1 == 3", 1), ("c > 1", 1),
        ("popcount(c) == 1", 1), ("~c == 1", 1), ("(c & \"11\") == 2", 1), ("c << 1 == 0", 1), ("bool(c)", 1),
        ("c[0:1] == 2", 1), ("c[{1, 0}] == 1", 1), ("c[-1]", 1), ("2 == c", 1), ("!(c == 2)", 0), ("true && c[1]", 1),
        ("int[3](c) == 2", 1), ("int[2](c) == -2", 1), ("uint(c) == 2", 1),
    ],
)  # fmt: skip
def test_conditions(condition, holds):
    if condition == "int(c) > 1":  # int has 64 bits, so the value is 2
        holds = 1
    assert_outcomes(f"{SET} if ({condition}) {{ x q[2]; }} d = measure q[2];", {0b010 | holds << 2: 1.0})


def test_else_and_chains():
    text = (
        SET
        + "if (c == 0) { x q[2]; } else if (c == 2) { x q[2]; x q[0]; } else { } d = measure q[2]; c[0] = measure q[0];"
    )
    assert_outcomes(text, {0b111: 1.0})


def test_branches_of_a_fair_coin():
    assert_outcomes(
        COIN + "if (c[0]) x q[1]; else x q[2]; c[1] = measure q[1]; d = measure q[2];", {0b011: 0.5, 0b100: 0.5}
    )


def test_bit_assignments():
    text = COIN + "d = c[0]; c[1] = !d; if (c[1]) { x q[1]; } d = measure q[1];"
    assert_outcomes(text, {0b001: 0.5, 0b110: 0.5})
    assert_outcomes(COIN + "bit[2] e; e = c; e[1] = e[0] ^ 1;", {0b00001 | 1 << 3: 0.5, 0b10000: 0.5})


def test_bits_known_so_far_are_followed_through_branches():
    assert_outcomes(
        COIN + "c[1] = 1; if (c[0]) { c[1] = 0; } if (c[1]) { x q[2]; } d = measure q[2];", {0b001: 0.5, 0b110: 0.5}
    )


def test_while_until_success():
    assert_outcomes(COIN + "while (!c[0]) { reset q[0]; h q[0]; c[0] = measure q[0]; } d = c[0];", {0b101: 1.0})


def test_break_and_continue_in_a_loop_on_bits():
    text = (
        COIN
        + "while (true) { h q[0]; c[0] = measure q[0]; if (c[0]) { break; } if (!c[0]) { continue; } x q[2]; } d = measure q[2];"
    )
    assert_outcomes(text, {0b001: 1.0})


def test_for_loop_over_known_values_around_a_branch():
    assert_outcomes(SET + "for int i in [0:1] { if (c[i]) { x q[2]; } } d = measure q[2];", {0b110: 1.0})


def test_switch():
    text = (
        SET
        + "switch (int(c)) { case 0, 1 { } case 2 { x q[2]; } default { x q[0]; } } d = measure q[2]; c[0] = measure q[0];"
    )
    assert_outcomes(text, {0b110: 1.0})
    text = SET + "switch (uint[2](c)) { case 0 { x q[2]; } default { x q[0]; } } d = measure q[2]; c[0] = measure q[0];"
    assert_outcomes(text, {0b011: 1.0})


def test_end_in_a_branch():
    assert_outcomes(COIN + "if (c[0]) { end; } d = 1;", {0b001: 0.5, 0b100: 0.5})


def test_measurement_in_a_declaration_and_without_target():
    assert_outcomes(H3 + "qubit[2] q; x q[0]; measure q[1]; bit a = measure q[0]; bit[2] b = measure q;", {0b011: 1.0})


def test_measurement_into_a_bit_that_is_read_later():
    assert_outcomes(H3 + "qubit q; bit c; x q; c = measure q; if (c) x q; c = measure q;", {0: 1.0})


def test_subroutine_with_feed_forward():
    text = (
        H3
        + """
    def teleport(qubit a, qubit b, qubit out) {
        bit m; bit n;
        h b; cx b, out; cx a, b; h a;
        m = measure a; n = measure b;
        if (n) { x out; }
        if (m) { z out; }
    }
    qubit[3] q; bit c;
    ry(2 * arcsin(sqrt(0.3))) q[0];
    teleport(q[0], q[1], q[2]);
    c = measure q[2];
    """
    )
    from programs import outcomes

    found = outcomes(text)
    assert sum(weight for memory, weight in found.items() if memory & 1) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "body",
    [
        "ctrl(int(c)) @ x q[0], q[1];",
        "pow(int(c)) @ x q[1];",
    ],
)
def test_what_cannot_be_said_is_refused_with_its_place(body):
    """What must be known while the program is read is refused, never dropped."""
    with pytest.raises(QasmError) as info:
        loads(COIN + "\n" + body)
    assert info.value.line == 4

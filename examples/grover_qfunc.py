"""Grover's search written with quantum functions: which signed numbers x with one fraction bit solve 2 x = -3?

Run it with ``python examples/grover_qfunc.py``.
"""

from __future__ import annotations

from session import (
    SIGNED,
    ExecutionSession,
    H,
    Output,
    QArray,
    QBit,
    QNum,
    X,
    Z,
    allocate,
    apply_to_all,
    control,
    hadamard_transform,
    power,
    qfunc,
    synthesize,
    within_apply,
)

SIZE = 5
SOLUTION = -1.5


@qfunc
def oracle(x: QNum) -> None:
    """A sign on the solution, by a control on every qubit of x but the last, and on that by the gate itself."""
    helper = QBit("helper")
    allocate(helper)
    within_apply(lambda: (X(helper), H(helper)), lambda: control(x == SOLUTION, lambda: X(helper)))


@qfunc
def reflect(q: QArray) -> None:
    """A sign on |0...0>."""
    within_apply(lambda: apply_to_all(X, q), lambda: control(q[0 : SIZE - 1], lambda: Z(q[SIZE - 1])))


@qfunc
def step(x: QNum) -> None:
    """One iteration: the oracle and the reflection about the uniform superposition."""
    oracle(x)
    within_apply(lambda: hadamard_transform(x), lambda: reflect(x))


@qfunc
def main(x: Output[QNum[SIZE, SIGNED, 1]]) -> None:
    allocate(x)
    hadamard_transform(x)
    power(4, lambda: step(x))


if __name__ == "__main__":
    program = synthesize(main)
    print(program)
    with ExecutionSession(program, num_shots=1000, random_seed=1) as session:
        details = session.sample()
        print(details.dataframe.head(3))
        session.set_measured_state_filter("x", lambda x: x > 0)
        print(f"{session.sample().num_shots} of 1000 shots have x > 0")

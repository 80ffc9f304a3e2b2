"""What a target cannot do is refused before anything is sent, by name and line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from parsers import loads
from parsers.places import places
from qsim import Circuit, Gate
from session import ExecutionSession, SessionError
from session.backends.emulated import emulate
from session.backends.protocol import Capabilities
from session.preparation import TargetError, bind_rows, check_target, check_task
from session.programs import read_program
from session.tasks import Task, TaskKind

DYNAMIC = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q[0];
c[0] = measure q[0];
if (c[0]) {
  x q[1];
  reset q[2];
}
reset q[0];
cx q[0],
   q[1];
c[0] = measure q[1];
"""


def can(**changes: object) -> Capabilities:
    values = {"operations": frozenset([TaskKind.SAMPLE]), "feed_forward": False, **changes}
    return Capabilities(**values)  # type: ignore[arg-type]


def problems(text: str, target: Capabilities, **options: object) -> list[str]:
    with pytest.raises(TargetError) as caught:
        check_target(loads(text), target, name="ion", source=text, **options)  # type: ignore[arg-type]
    assert isinstance(caught.value, SessionError)
    return str(caught.value).split("\n")


def test_everything_that_a_target_cannot_do_is_told_with_its_line() -> None:
    found = problems(DYNAMIC, can())
    assert "has no feed-forward: if (line 7)" in found[0]
    assert "ion has no reset (line 11)" in found[1]
    assert "gate 'cx' acts on qubit 0 after it was measured (line 12)" in found[2]
    assert "bit 0 is written again (line 14)" in found[3]


def test_bodies_of_branches_are_looked_into() -> None:
    found = problems(DYNAMIC, can(feed_forward=True, gates=frozenset(["u", "swap", "x"])))
    assert len(found) == 1 and "cannot do gate 'cx' (line 12): none of its gates (swap, u, x) entangles" in found[0]


def test_lines_in_loops_subroutines_and_old_programs() -> None:
    text = "OPENQASM 3.0;\nqubit[2] q;\ndef f(qubit a) {\n  reset a;\n}\nfor int i in [0:1] {\n  f(q[i]);\n}\n"
    assert ["(line 4)" in one for one in problems(text, can())] == [True]  # both rounds, told once
    old = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n\nmeasure q -> c;\nif (c == 1)\n x q[0];\n'
    assert "if (line 7)" in problems(old, can())[0]


def test_without_a_text_operations_are_numbered() -> None:
    with pytest.raises(TargetError, match=r"this target has no reset \(operation 1\)"):
        check_target(Circuit(1).h(0).reset(0), can())


def test_qubits_shots_and_gates() -> None:
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nctrl(2) @ x q[0], q[1], q[2];\n'
    found = problems(text, can(num_qubits=2, max_shots=10, gates=frozenset(["cx", "rz"])), shots=11)
    assert found[0] == "ion has 2 qubits, and the program needs 3."
    assert found[1] == "ion takes at most 10 shots, got 11."
    assert "cannot do gate 'ctrl @ ctrl @ x' (line 4): its gates (cx, rz) do not make every one-qubit gate." in found[2]


def test_gates_of_the_target_alone() -> None:
    target = can(gates=frozenset(["cnot", "rz", "u"]))
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\ncx q[0], q[1];\nh q[0];\n'
    check_target(loads(text), target)
    assert problems(text, target, exact_gates=True) == ["ion has no gate 'h' (line 5); it has cnot, rz, u."]


def test_connectivity() -> None:
    target = can(connectivity=frozenset([(0, 1), (1, 2)]))
    circuit = Circuit(3).cx(1, 0).cz(0, 2).ccx(0, 1, 2)
    check_target(circuit, target)
    with pytest.raises(TargetError) as caught:
        check_target(circuit, target, coupled=True)
    first, second = caught.value.problems
    assert "no coupling of qubits 0 and 2, which gate 'cz' acts on (operation 1)" in first
    assert "has no coupling of qubits 0 and 2, which gate 'ccx' takes (operation 2)" in second


def test_snapshots_are_of_simulations() -> None:
    with pytest.raises(TargetError, match="has no snapshots"):
        check_target(Circuit(1).save_statevector(), can())


def test_delays_where_there_are_none() -> None:
    text = "OPENQASM 3.0;\nqubit q;\ndelay[100ns] q;\n"
    check_target(loads(text), can())
    assert problems(text, can(), delays=False) == ["ion has no delay: 100ns (line 3). Leave it out."]


def test_mid_circuit_measurement_without_branches() -> None:
    circuit = Circuit(1, 2).h(0).measure(0, 0).reset(0).measure(0, 1)
    check_target(circuit, can(feed_forward=True))
    with pytest.raises(TargetError):
        check_target(circuit, can())


def test_angles_that_are_measured_are_refused_where_gates_are_rebased() -> None:
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nc = measure q;\n'
        "int[8] n = int[2](c);\nrx(n * 0.5) q[0];\n"
    )
    found = problems(text, can(feed_forward=True, gates=frozenset(["u", "cx"])))
    assert "has no gate whose angle depends on a measurement (line 7)" in found[0]
    check_target(loads(text), can(feed_forward=True))


def test_a_long_list_is_cut() -> None:
    circuit = Circuit(20).reset(range(20))
    with pytest.raises(TargetError, match="There are 10 more"):
        check_target(circuit, can())


def test_places_of_long_programs_take_little_time() -> None:
    lines = [f"rx({k}*0.1) q[{k % 5}];" for k in range(2000)]
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[5] q;\n' + "\n".join(lines)
    found = places(text)
    assert found.find((1999,)) == ("<string>", 2003)
    assert found.find((5000,)) is None


def test_rows_are_bound_and_branches_on_parameters_taken() -> None:
    text = """OPENQASM 3.0;
include "stdgates.inc";
input float a;
input int n;
qubit q;
bit c;
if (n == 1) { rx(a) q; } else { reset q; }
c = measure q;
"""
    program = read_program(text)
    rows, batched = program.bind([{"a": 0.5, "n": 1}, {"a": 0.7, "n": 2}])
    task = Task(TaskKind.SAMPLE, rows, batched, 10, 1)
    first, second = bind_rows(program, task)
    assert first.count_ops() == {"rx": 1, "measure": 1} and first[0].operation == Gate("rx", 0.5)
    assert second.count_ops() == {"reset": 1, "measure": 1}
    check_task(program, task.part(0, 1), can(), "ion")
    with pytest.raises(TargetError, match="ion has no reset"):
        check_task(program, task, can(), "ion")
    assert np.array_equal(task.rows, rows)


def test_a_session_refuses_by_line_before_anything_runs() -> None:
    class Ion:
        name = "ion"

        def capabilities(self) -> Capabilities:
            return can()

        def check(self, program: object, task: object) -> None:
            raise AssertionError("never asked")

        run = check

    with ExecutionSession(DYNAMIC, Ion()) as session, pytest.raises(TargetError, match=r"if \(line 7\)"):  # type: ignore[arg-type]
        session.sample()


def test_lines_of_branches_that_parameters_decide() -> None:
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float t;\nqubit[2] q;\nbit[2] c;\nx q[0];\nif (t > 1) {\n  x q[1];\n'
        "} else {\n  if (t > 0) {\n    x q[1];\n    reset q[0];\n  }\n}\nreset q[1];\nc = measure q;\n"
    )
    backend = emulate(gates=["u", "cx"], feed_forward=False, label="ion")
    with ExecutionSession(text, backend) as session, pytest.raises(TargetError) as caught:
        session.sample({"t": 0.5})
    assert [re.search("line [0-9]+", one)[0] for one in caught.value.problems] == ["line 12", "line 15"]  # type: ignore[index]
    with ExecutionSession(text, backend) as session, pytest.raises(TargetError) as caught:
        session.sample({"t": 2.0})
    assert [re.search("line [0-9]+", one)[0] for one in caught.value.problems] == ["line 15"]  # type: ignore[index]


def test_lines_of_included_files_are_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "lib.inc").write_text("def clear(qubit a) {\n  x a;\n  reset a;\n}\n")
    text = 'OPENQASM 3.0;\ninclude "lib.inc";\nqubit q;\nbit c;\nclear(q);\nc = measure q;\nreset q;\n'
    text = text.replace("OPENQASM 3.0;\n", 'OPENQASM 3.0;\ninclude "stdgates.inc";\n')
    program = read_program(text, include_dirs=[str(tmp_path)])
    backend = emulate(gates=["u", "cx"], feed_forward=False, label="ion")
    with ExecutionSession(program, backend) as session, pytest.raises(TargetError) as caught:
        session.sample()
    first, second = caught.value.problems
    assert "line 3 of '" in first and "lib.inc'" in first and "(line 8)" in second

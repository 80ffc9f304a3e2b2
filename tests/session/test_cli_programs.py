"""``qsim convert`` and ``qsim check``."""

import importlib.util
import io
import json
import sys

import numpy as np
import oracle
import pytest

from parsers import loads
from session.cli import main
from session.second_opinion import Opinion, compare, second_opinion

H3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = H3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"


@pytest.fixture
def bell(tmp_path):
    path = tmp_path / "bell.qasm"
    path.write_text(BELL)
    return path


def test_convert_to_each_version(bell, capsys):
    for version in ("2.0", "3.0", "3.1"):
        assert main(["convert", str(bell), "--to", version]) == 0
        text = capsys.readouterr().out
        assert text.startswith(f"OPENQASM {version};")
        assert list(loads(text)) == list(loads(BELL))


def test_convert_a_file_into_itself_and_into_another(bell, tmp_path, capsys):
    target = tmp_path / "out.qasm"
    assert main(["convert", str(bell), "--to", "2.0", "--output", str(target)]) == 0
    assert main(["convert", str(bell), "--to", "3.0", "-o", str(bell), "--standalone"]) == 0
    assert capsys.readouterr().out == ""
    assert list(loads(target.read_text())) == list(loads(BELL))
    assert "include" not in bell.read_text()
    np.testing.assert_allclose(oracle.statevector(loads(bell.read_text())), oracle.statevector(loads(BELL)), atol=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bell.qasm", "out.qasm"]


def test_convert_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BELL.encode())))
    assert main(["convert", "-", "--to", "2.0"]) == 0
    assert capsys.readouterr().out.startswith("OPENQASM 2.0;")


def test_convert_binds_parameters(tmp_path, capsys):
    path = tmp_path / "a.qasm"
    path.write_text(H3 + "input float a; input array[float, 2] p; qubit q; rx(a) q; ry(p[1]) q;")
    assert main(["convert", str(path), "--to", "2.0", "--set", "a=pi/2", "--set", "p=0,1"]) == 0
    assert "rx(pi/2) q[0];\nry(1.0) q[0];" in capsys.readouterr().out
    for wrong, words in (("b=1", "no parameter 'b'"), ("p=1", "takes 2 values"), ("a=1,2", "takes one value")):
        assert main(["convert", str(path), "--to", "2.0", "--set", wrong]) == 1
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, words",
    [
        (H3 + "input float a; qubit q; rx(a) q;", "OpenQASM 2 has no parameters"),
        (H3 + "qubit q; bit c; while (!c) { h q; c = measure q; }", "no WhileLoop"),
        (H3 + "qubit q; hh q;", "Did you mean 'h'"),
        ("", "is empty"),
    ],
)
def test_convert_says_what_version_2_lacks(text, words, tmp_path, capsys):
    path = tmp_path / "a.qasm"
    path.write_text(text)
    assert main(["convert", str(path), "--to", "2.0", "-o", str(tmp_path / "b.qasm")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "b.qasm").exists()


def test_convert_wrong_usage(bell, tmp_path, capsys):
    assert main(["convert", str(bell)]) == 2
    assert main(["convert", str(bell), "--to", "4.0"]) == 2
    assert main(["convert", str(tmp_path / "none.qasm"), "--to", "3.0"]) == 1
    assert main(["convert", str(bell), "--to", "3.0", "-o", str(tmp_path)]) == 1
    assert main(["convert", str(bell), "--to", "3.0", "-o", str(tmp_path / "no" / "a.qasm")]) == 1
    assert main(["convert", str(bell), "--to", "2.0", "--standalone"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_convert_notes_what_is_left_out(tmp_path, capsys):
    path = tmp_path / "a.qasm"
    path.write_text(H3 + "qubit q; delay[3ns] q; delay[4ns] q;")
    assert main(["convert", str(path), "--to", "2.0"]) == 0
    assert capsys.readouterr().err == "note: OpenQASM 2 has no delay; delays are left out.\n"


# the second opinion ---------------------------------------------------------------------------------------------
pyqasm = pytest.mark.skipif(importlib.util.find_spec("pyqasm") is None, reason="pyqasm is not installed")


def checked(capsys, path, *options):
    code = main(["check", str(path), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


@pyqasm
def test_check_shows_both_readings(bell, capsys):
    assert main(["check", str(bell)]) == 0
    shown = capsys.readouterr().out
    assert "pyqasm" in shown and "the same: equal unitaries" in shown
    code, said = checked(capsys, bell)
    assert code == 0 and said["qsim"]["operations"] == 4 and said["pyqasm"]["facts"]["measurements"] == 2


@pyqasm
@pytest.mark.peer
@pytest.mark.parametrize(
    "body, comparison",
    [
        ("qubit[2] q; qubit[2] r; cx q, r;", "DIFFERENT"),  # pyqasm takes consecutive pairs
        ("qubit[2] q; inv @ cp(0.3) q[0], q[1];", "DIFFERENT"),
        ("qubit q; rx(7/2) q;", "DIFFERENT"),
        ("input float a; qubit q; rx(a) q;", "we read it, pyqasm does not"),
        ("qubit[2] q; cu(0.1, 0.2, 0.3, 0.4) q[0], q[1];", "the same"),
        ("qubit q; bit c; c = measure q; if (c) x q;", "we read it, pyqasm does not"),
        ("qubit q; hh q;", "both refuse it"),
    ],
)
def test_check_where_pyqasm_is_right_and_where_it_is_wrong(body, comparison, tmp_path, capsys):
    path = tmp_path / "a.qasm"
    path.write_text(H3 + body)
    code = main(["check", str(path), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["comparison"].startswith(comparison), said
    assert code == (1 if comparison == "both refuse it" else 0)


@pyqasm
@pytest.mark.peer
def test_check_stops_a_reading_that_hangs():
    assert "was stopped" in second_opinion(H3 + "qubit q; while (true) { x q; }", timeout=3).error


def test_an_answer_that_cannot_be_compared():
    assert compare(loads(BELL), Opinion(True, "its output cannot be read: x")).startswith("not compared")
    assert compare(None, Opinion(True)) == "pyqasm reads it, we do not"
    assert compare(loads(BELL), Opinion(True, text=H3 + "qubit[3] q;")).startswith("DIFFERENT: we have 2 qubits")
    assert compare(loads(BELL), Opinion(True, text=H3 + "qubit[2] q; h q[0];")) == "DIFFERENT: other measurements"

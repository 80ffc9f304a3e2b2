"""``qsim plan`` and ``qsim run --state-file``: what they print, and one clear message for every bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qsim.distributed.rates import Rates
from session.cli import main
from session.cli_plan import read_size
from session.errors import SessionError

Capture = pytest.CaptureFixture[str]


def program(num_qubits: int, layers: int = 2, end: str = "c = measure q;\n") -> str:
    """Rotations and chains of CX in OpenQASM 3."""
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{num_qubits}] q;", f"bit[{num_qubits}] c;"]
    for layer in range(layers):
        lines += [f"ry({0.3 + layer + k}) q[{k}]; rz({0.1 * k}) q[{k}];" for k in range(num_qubits)]
        lines += [f"cx q[{k}], q[{k + 1}];" for k in range(num_qubits - 1)]
    return "\n".join(lines) + "\n" + end


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of several sizes, an engine that counts as compiled, and rates that nobody waits for."""
    for n in (4, 12, 16, 34, 45):
        (tmp_path / f"p{n}.qasm").write_text(program(n))
    (tmp_path / "open.qasm").write_text(
        program(10).replace("qubit[10]", "input float t;\nqubit[10]", 1).replace("ry(0.3)", "ry(t)")
    )
    (tmp_path / "branch.qasm").write_text(program(10, end="c[0] = measure q[0];\nif (c[0]) x q[1];\nc = measure q;\n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("session.cli.kernels_ready", lambda: True)
    for module in ("rates", "file_simulator"):
        monkeypatch.setattr(f"qsim.distributed.{module}.measured", lambda *_, **__: Rates.assumed())
    return tmp_path


def test_a_plan_for_one_number_of_nodes(capsys: Capture) -> None:
    assert main(["plan", "p34.qasm", "--nodes", "8", "--ranks-per-node", "2", "--memory", "64GB"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["34", "qubits", "8", "nodes"]
    facts = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "16, 30 qubits local" in facts["ranks"]
    assert "32.13 GiB" in facts["memory a node"]
    for name in ("passes", "moved in memory", "exchanged between nodes", "time computing", "time in all"):
        assert name in facts
    assert "network: 12.5 GB/s, assumed" in out and "exchange within a node: 5 GB/s, assumed" in out


def test_a_plan_in_json_at_45_qubits(capsys: Capture) -> None:
    assert (
        main(["plan", "p45.qasm", "--nodes", "4096", "--network-bandwidth", "25GB", "--precision", "single", "--json"])
        == 0
    )
    facts = json.loads(capsys.readouterr().out)
    assert (facts["qubits"], facts["ranks"], facts["local_qubits"]) == (45, 4096, 33)
    assert facts["rates"]["network"] == {"value": 25e9, "unit": "bytes/s", "source": "given"}
    assert facts["seconds"]["total"] > 0


def test_a_table_over_numbers_of_nodes(capsys: Capture) -> None:
    assert main(["plan", "p34.qasm", "--nodes", "1..8", "--memory", "64GiB"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines[2:6]]
    assert [row[0] for row in rows] == ["1", "2", "4", "8"]
    assert ["does not fit" in line for line in lines[2:6]] == [True, True, True, False]
    assert main(["plan", "p4.qasm", "--nodes", "4..32", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [row["nodes"] for row in table] == [4, 8, 16, 32]
    assert "Use fewer ranks" in table[-1]["error"]


def test_parameters_may_be_open(capsys: Capture) -> None:
    assert main(["plan", "open.qasm", "--nodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranks"] == 2
    assert main(["plan", "open.qasm", "--nodes", "2", "--set", "t=pi/2", "--json"]) == 0
    assert main(["plan", "open.qasm", "--nodes", "2", "--set", "x=1"]) == 1
    assert "no parameter 'x'" in capsys.readouterr().err


def test_a_plan_for_a_state_in_a_file(capsys: Capture, files: Path) -> None:
    assert main(["plan", "p16.qasm", "--state-file", ".", "--memory", "1GB", "--disk-bandwidth", "500MB"]) == 0
    out = capsys.readouterr().out
    assert "1 MiB" in out and "one in memory at a time" in out
    assert "reading: 0.5 GB/s, given" in out
    assert not list(files.glob("*.npy"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p16.qasm", "--nodes", "3"], "power of two"),
        (["p16.qasm", "--nodes", "0"], "power of two"),
        (["p16.qasm", "--nodes", "x"], "Nodes are given as a number"),
        (["p16.qasm", "--nodes", "2", "--ranks-per-node", "6"], "Take 4 or 8"),
        (["p4.qasm", "--nodes", "16"], "Use fewer ranks"),
        (["branch.qasm", "--nodes", "2"], "resets, branches"),
        (["p45.qasm", "--nodes", "64", "--memory", "128GB"], "Take 8,192 nodes"),
        (["p16.qasm", "--nodes", "2", "--memory", "lots"], "A size is a number of bytes"),
        (["p16.qasm", "--nodes", "2", "--network-bandwidth", "0"], "at least one byte"),
        (["p16.qasm", "--nodes", "2", "--state-file", "."], "one node"),
        (["p16.qasm", "--state-file", "nowhere/at/all"], "no folder"),
        (["p45.qasm", "--state-file", ".", "--memory", "2GB"], "of memory at least"),
        (["none.qasm", "--nodes", "2"], "no file"),
    ],
)
def test_bad_plans_are_one_message(arguments: list[str], message: str, capsys: Capture) -> None:
    assert main(["plan", *arguments]) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("error: ") and not out


def test_a_run_in_a_file_counts_what_a_run_in_memory_counts(capsys: Capture, files: Path) -> None:
    shots = ["--shots", "500", "--seed", "3", "--json"]
    for precision in ("double", "single"):
        assert main(["run", "p12.qasm", "--precision", precision, *shots]) == 0
        here = json.loads(capsys.readouterr().out)
        assert main(["run", "p12.qasm", "--precision", precision, "--state-file", ".", "--memory", "2GB", *shots]) == 0
        there = json.loads(capsys.readouterr().out)
        assert here["counts"] == there["counts"]
    assert not list(files.glob("*.npy"))


def test_a_kept_state_is_an_array(capsys: Capture, files: Path) -> None:
    arguments = ["run", "open.qasm", "--set", "t=0.5", "--state-file", "state.npy", "--keep-state", "--shots", "10"]
    assert main(arguments) == 0
    assert "kept in 'state.npy'" in capsys.readouterr().err
    kept = np.load(files / "state.npy", mmap_mode="r")
    assert kept.shape == (1 << 10,) and abs(np.vdot(kept, kept) - 1) < 1e-12
    assert main(arguments) == 1
    assert "does not overwrite" in capsys.readouterr().err


def test_an_estimate_in_a_file_is_that_in_memory(capsys: Capture, files: Path) -> None:
    arguments = ["estimate", "p12.qasm", "--observable", "X0*X11 + 0.5*Z3", "--json"]
    assert main(arguments) == 0
    here = json.loads(capsys.readouterr().out)
    assert main([*arguments, "--state-file", "."]) == 0
    there = json.loads(capsys.readouterr().out)
    for name in ("value", "variance"):
        assert abs(here[name] - there[name]) < 1e-12
    assert main([*arguments, "--state-file", ".", "--shots", "100"]) == 1
    assert "Leave out --shots" in capsys.readouterr().err
    assert main(["estimate", "p12.qasm", "--observable", "Z20", "--state-file", "."]) == 1
    assert not list(files.glob("*.npy"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--memory", "2GB"], "Add --state-file"),
        (["--keep-state"], "Add --state-file"),
        (["--state-file", ".", "--method", "mps"], "--method does not go with it"),
        (["--state-file", ".", "--backend-option", "a=1"], "--backend-option does not go with it"),
        (["--state-file", ".", "--backend", "simulator"], "--backend does not go with it"),
        (["--state-file", ".", "--submit"], "Leave out --submit"),
        (["--state-file", "nowhere/at/all"], "no folder"),
        (["--state-file", ".", "--memory", "many"], "A size is a number"),
        (["--state-file", ".", "--shots", "0"], "number of shots"),
    ],
)
def test_bad_runs_are_one_message(arguments: list[str], message: str, capsys: Capture) -> None:
    assert main(["run", "p12.qasm", *arguments]) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("error: ") and not out


def test_a_branching_program_and_a_missing_parameter_are_told(capsys: Capture) -> None:
    assert main(["run", "branch.qasm", "--state-file", "."]) == 1
    assert "resets, branches" in capsys.readouterr().err
    assert main(["run", "open.qasm", "--state-file", "."]) == 1
    assert "'t'" in capsys.readouterr().err


def test_sizes_are_read() -> None:
    assert read_size("2GB") == 2 * 10**9 and read_size("2 GiB") == 2 << 30 and read_size("1.5k") == 1500
    for text in ("", "2 pounds", "-1GB", "1iB", "0"):
        with pytest.raises(SessionError):
            read_size(text)

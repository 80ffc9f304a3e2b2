"""The command line: what each command prints, and one clear message and exit code for every bad input."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from session.cli import main

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n'
ANSATZ = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float theta;\nqubit[2] q;\n'
    "ry(theta) q[0];\ncx q[0], q[1];\nrz(2 * theta) q[1];\n"
)
WIDE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[60] q;\nh q;\n'
EXAMPLES = Path(__file__).parents[2] / "examples"

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, made the current one, and an engine that counts as compiled."""
    for name, text in {"bell.qasm": BELL, "ansatz.qasm": ANSATZ, "wide.qasm": WIDE, "empty.qasm": " \n"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "zero.qasm").write_bytes(b"OPENQASM 2.0;\x00\x01")
    (tmp_path / "latin.qasm").write_bytes(b"// caf\xe9\n")
    (tmp_path / "typo.qasm").write_text(BELL.replace("h q[0]", "hh q[0]"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("session.cli.kernels_ready", lambda: True)
    return tmp_path


def test_run_prints_aligned_text_in_a_pipe(capsys: Capture) -> None:
    assert main(["run", "bell.qasm", "--shots", "1000", "--seed", "1"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["bitstring", "c", "counts", "probability"]
    assert sorted(line.split()[0] for line in lines[1:]) == ["00", "11"]
    assert sum(int(line.split()[2]) for line in lines[1:]) == 1000
    assert len({len(line) for line in lines}) == 1
    assert err == ""


def test_run_prints_bars_on_a_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", "bell.qasm", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert "█████" in out
    assert "2,048 shots, seed 1" in out


def test_run_as_json_repeats_with_its_seed(capsys: Capture) -> None:
    assert main(["run", "ansatz.qasm", "--set", "theta=pi/2", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert set(first["counts"]) == {"00", "11"}
    assert first["num_shots"] == 2048
    assert first["outputs"] == {"q": [0, 1]}
    assert first["parameters"] == {"theta": math.pi / 2}
    for threads in ("1", "2"):
        options = ["--set", "theta=pi/2", "--seed", str(first["seed"]), "--json", "--threads", threads]
        assert main(["run", "ansatz.qasm", *options]) == 0
        assert json.loads(capsys.readouterr().out) == first


def test_run_says_when_it_adds_measurements(capsys: Capture) -> None:
    assert main(["run", "ansatz.qasm", "--set", "theta=0"]) == 0
    assert "no measurement" in capsys.readouterr().err


def test_run_in_single_precision_and_top(capsys: Capture) -> None:
    assert main(["run", "bell.qasm", "--precision", "single", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "1 more row;" in err


def test_standard_input(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BELL.encode())))
    assert main(["run", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_shots"] == 2048


def test_a_cold_engine_is_announced(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr("session.cli.kernels_ready", lambda *_: False)
    monkeypatch.setattr("session.cli.warm_up", lambda name="": compiled.append(name))
    assert main(["run", "bell.qasm"]) == 0
    assert capsys.readouterr().err == "compiling the engine for this machine (one time, half a minute) ...\n"
    monkeypatch.setattr("qsim.first_runs.worth_it", lambda *_, **__: True)  # a small circuit does not wait
    assert main(["run", "bell.qasm"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["warmup"]) == 0
    assert "compiled in" in capsys.readouterr().out
    assert compiled == ["", "double", "single"]
    assert main(["warmup", "--precision", "single"]) == 0
    assert compiled[3:] == ["single"]
    assert "in single precision" in capsys.readouterr().err


def test_warming_up_without_a_cache_is_an_error(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("session.cli.can_keep_kernels", lambda: False)
    assert main(["warmup"]) == 1
    assert "Set QSIM_CACHE_DIR" in capsys.readouterr().err


def test_estimate(capsys: Capture) -> None:
    options = ["estimate", "ansatz.qasm", "--observable", "Z0*Z1 + 0.5*Z0", "--set", "theta=1"]
    assert main([*options, "--json"]) == 0
    exact = json.loads(capsys.readouterr().out)
    assert exact["value"] == pytest.approx(1 + 0.5 * math.cos(1))
    assert exact["standard_error"] == 0
    assert main(options) == 0
    assert re.search(r"^standard error +0 \(exact\)$", capsys.readouterr().out, re.M)
    assert main([*options, "--shots", "1000", "--seed", "3", "--json"]) == 0
    sampled = json.loads(capsys.readouterr().out)
    assert abs(sampled["value"] - exact["value"]) < 5 * sampled["standard_error"]
    assert sampled["metadata"]["num_shots"] == 1000


def test_statevector(capsys: Capture) -> None:
    assert main(["statevector", "bell.qasm", "--json"]) == 0
    amplitudes = json.loads(capsys.readouterr().out)["amplitudes"]
    assert amplitudes == {"00": pytest.approx([0.5**0.5, 0]), "11": pytest.approx([0.5**0.5, 0])}
    assert main(["statevector", "bell.qasm"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "00"


def test_info(capsys: Capture) -> None:
    assert main(["info", "ansatz.qasm"]) == 0
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert facts["qubits"] == "2"
    assert facts["gates"] == "3"
    assert facts["parameters"] == "theta"
    assert facts["operations"] == "ry 1, cx 1, rz 1"
    assert main(["info", "wide.qasm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"] > 1 << 63


def test_draw(capsys: Capture) -> None:
    assert main(["draw", "bell.qasm"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "q_0: ─H─●─M───"
    assert main(["draw", "ansatz.qasm", "--width", "20"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 20


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"qsim \d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.qasm")), ids=lambda path: path.stem)
def test_examples_run(example: Path, capsys: Capture) -> None:
    settings = {
        "vqe_ansatz": ["--set", "angles=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8", "--set", "scale=1"],
        "teleport": ["--set", "theta=pi/3"],
    }
    assert main(["run", str(example), "--json", "--seed", "1", *settings.get(example.stem, [])]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert sum(counts.values()) == 2048
    if example.stem == "grover":
        assert counts["101"] > 1800
    if example.stem == "teleport":
        assert all(bitstring[0] == "0" for bitstring in counts)
    assert main(["draw", str(example)]) == 0


# what is refused -----------------------------------------------------------------------------------------------
BAD = [
    (["run", "bell.qasm", "--shots", "0"], r"number of shots is a whole number from 1 .* got 0"),
    (["run", "bell.qasm", "--shots", "-5"], "number of shots"),
    (["run", "."], r"'\.' is a directory; give an OpenQASM file. It has ansatz.qasm"),
    (["run", "zero.qasm"], "is a binary file"),
    (["run", "latin.qasm"], "UTF-8 text; 'latin.qasm' is not, at byte 6"),
    (["run", "empty.qasm"], "'empty.qasm' is empty"),
    (["run", "bel.qasm"], r"no file 'bel.qasm'. Did you mean 'bell.qasm'\?"),
    (["run", "nowhere/bell.qasm"], "no file 'nowhere/bell.qasm'"),
    (["run", "a\0b"], "cannot be read"),
    (["run", "wide.qasm", "--method", "statevector"], r"60 qubits needs 16 EiB .* available"),
    (["statevector", "wide.qasm"], "60 qubits needs"),
    (["estimate", "wide.qasm", "--observable", "Z0", "--method", "statevector"], "60 qubits needs"),
    (["run", "typo.qasm"], r"typo.qasm:5:1: .*'hh'.*\n  hh q\[0\];\n  \^"),
    (["run", "ansatz.qasm"], "missing: 'theta'. Give them with --set"),
    (["run", "ansatz.qasm", "--set", "thet=1"], "Did you mean 'theta'"),
    (["run", "bell.qasm", "--set", "theta=1"], "OpenQASM 2 has no inputs"),
    (["run", "ansatz.qasm", "--set", "theta"], "--set name=value"),
    (["run", "ansatz.qasm", "--set", "=1"], "--set name=value"),
    (["run", "ansatz.qasm", "--set", "theta="], "--set name=value"),
    (["run", "ansatz.qasm", "--set", "theta=1", "--set", "theta=2"], "set twice"),
    (["run", "ansatz.qasm", "--set", "theta=1,2"], "'theta' is given a real number"),
    (["run", "bell.qasm", "--threads", "0"], "threads"),
    (["run", "bell.qasm", "--seed", "-1"], "seed"),
    (["estimate", "bell.qasm", "--observable", "Z0*Q1"], r"column 4(.|\n)*\^"),
    (["estimate", "bell.qasm", "--observable", "Z5"], "it has 6, the program 2"),
    (["estimate", "bell.qasm", "--observable", "1j*Z0"], "Hermitian"),
    (["estimate", "bell.qasm", "--observable", "Z0", "--shots", "1"], "at least 2"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_errors_of_the_user_are_one_message_and_exit_code_1(args: list[str], message: str, capsys: Capture) -> None:
    assert main(args) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert re.search(message, err), err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "text", ["x", "1+", "__import__('os')", "1e999", "1/0", "pi.real", "True", "2**3", "(" * 500, "'a'"]
)
def test_values_are_arithmetic_only(text: str, capsys: Capture) -> None:
    assert main(["run", "ansatz.qasm", "--set", f"theta={text}"]) == 1
    assert "finite number, or arithmetic" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["run"],
        ["runn", "x"],
        ["run", "x", "--shots", "a"],
        ["run", "x", "--precision", "half"],
        ["estimate", "bell.qasm"],
    ],
)
def test_wrong_usage_is_exit_code_2(args: list[str], capsys: Capture) -> None:
    assert main(args) == 2
    assert "Usage: qsim" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file(files: Path, capsys: Capture) -> None:
    (files / "bell.qasm").chmod(0)
    assert main(["run", "bell.qasm"]) == 1
    assert "cannot be read: Permission denied" in capsys.readouterr().err


def test_interrupts_are_exit_code_130(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("session.cli.ExecutionSession.sample", interrupted)
    assert main(["run", "bell.qasm"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


# whole processes -------------------------------------------------------------------------------------------------
def test_a_pipe_closed_early_is_no_traceback(files: Path) -> None:
    (files / "many.qasm").write_text(WIDE.replace("60", "16"))
    command = [sys.executable, "-m", "session", "run", "many.qasm", "--shots", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 141
    assert "Traceback" not in err and "Exception" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_control_c_while_reading_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        @property
        def buffer(self) -> Interrupted:
            return self

        def read(self, size: int) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert main(["run", "-"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_importing_the_session_loads_nothing_heavy() -> None:
    code = "import sys, session; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )
    heavy = {"numba", "pandas", "matplotlib", "openqasm3", "antlr4", "rich", "click", "scipy"}
    adapters = {
        "httpx2",
        "tenacity",
        "boto3",
        "qiskit",
        "keyring",
        "ssl",
        "pytest",
        "session.testing",
        "session.backends.http",
    }
    assert not (heavy | adapters) & set(loaded.stdout.split())


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}

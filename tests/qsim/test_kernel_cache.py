"""Where compiled kernels are kept: what the key covers, folders that cannot be used, damage, processes at once."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import qsim
from qsim import warmup
from qsim.kernels import jit
from qsim.warmup import kernels_ready, warm_up

pytestmark = pytest.mark.skipif(jit.numba.config.DISABLE_JIT, reason="nothing is compiled")
as_root = hasattr(os, "getuid") and os.getuid() == 0


def plus_one(x):
    return x + 1


def run():
    """Run a kernel as a new process would: how often it was loaded and how often compiled."""
    compiled = jit.kernel()(plus_one)
    assert compiled(41) == 42
    return sum(compiled.stats.cache_hits.values()), sum(compiled.stats.cache_misses.values())


LOADED, COMPILED = (1, 0), (0, 1)


@pytest.fixture
def use(monkeypatch):
    """Make a folder the parent of the cache, in this process."""

    def choose(parent):
        monkeypatch.setenv("QSIM_CACHE_DIR", str(parent))
        jit.cache_folder.cache_clear()
        return jit.cache_folder()

    yield choose
    jit.cache_folder.cache_clear()


@pytest.fixture
def folder(use, tmp_path):
    return use(tmp_path / "a" / "b")


def files(folder):
    """The kernels that a folder holds."""
    return [path for path in folder.iterdir() if path.name != ".lock"]


def kept(folder):
    """The files of a folder with what is in them."""
    return {path.name: path.read_bytes() for path in files(folder)}


def test_a_kernel_is_compiled_once_into_one_private_file(folder):
    assert run() == COMPILED
    before = kept(folder)
    assert len(before) == 1
    assert run() == LOADED
    assert kept(folder) == before
    if os.name != "nt":
        for path in (folder, *folder.iterdir()):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077


# the key --------------------------------------------------------------------------------------------------------
def test_the_key_covers_versions_and_the_processor(monkeypatch):
    keys = {jit._key()}
    binding = jit.llvmlite.binding
    for target, name, value in [
        (jit, "__version__", "0.0.0.dev7"),
        (jit.numba, "__version__", "9.9.9"),
        (jit.llvmlite, "__version__", "9.9.9"),
        (jit.sys, "version", "3.99"),
        (jit.platform, "machine", lambda: "abacus"),
        (binding, "get_host_cpu_name", lambda: "abacus"),
        (binding, "get_host_cpu_features", lambda: binding.FeatureMap({"beads": True})),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            keys.add(jit._key())
    assert len(keys) == 8
    assert jit._key() in keys
    assert jit.__version__ == qsim.__version__


def test_the_key_covers_every_file_with_kernels(monkeypatch, tmp_path):
    package = tmp_path / "qsim"
    shutil.copytree(Path(qsim.__file__).parent, package)
    monkeypatch.setattr(jit, "__file__", str(package / "kernels" / "jit.py"))
    keys = {jit._key()}
    with_kernels = [path for path in package.rglob("*.py") if "@kernel" in path.read_text(encoding="utf-8")]
    assert len(with_kernels) > 5
    for count, path in enumerate([*with_kernels, package / "kernels" / "opcodes.py"], 2):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
        keys.add(jit._key())
        assert len(keys) == count
    (package / "kernels" / "opcodes.py").rename(package / "kernels" / "codes.py")
    keys.add(jit._key())
    assert len(keys) == count + 1


# folders that cannot be used ------------------------------------------------------------------------------------
def test_a_place_where_no_folder_can_be_made(use, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for parent in (file, file / "below", "/dev/null", "/proc/none/such", tmp_path / ("x" * 300)):
        assert use(parent) is None
        assert run() == COMPILED
        assert not kernels_ready()
        warm_up()
    assert file.read_text() == ""


@pytest.mark.skipif(not as_root and os.name == "nt", reason="permissions")
def test_a_folder_that_others_can_write_to_is_not_used(folder, use):
    parent = folder.parent.parent
    assert run() == COMPILED
    folder.chmod(0o777)
    assert use(parent) is None and run() == COMPILED
    folder.chmod(0o770)
    assert use(parent) is None and run() == COMPILED
    folder.chmod(0o700)
    assert use(parent) == folder and run() == LOADED
    folder.chmod(0o755)  # others may read it
    assert use(parent) == folder and run() == LOADED


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_a_link_in_the_place_of_the_folder_is_not_followed(folder, use, tmp_path):
    assert run() == COMPILED
    moved = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(moved)
    assert use(folder.parent.parent) is None and run() == COMPILED


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_a_file_that_others_can_write_to_is_not_run_but_replaced(folder):
    assert run() == COMPILED
    (path,) = files(folder)
    path.chmod(0o666)
    assert run() == COMPILED
    assert run() == LOADED
    assert not stat.S_IMODE(path.stat().st_mode) & 0o022


@pytest.mark.skipif(not as_root, reason="only root gives files away")
def test_a_folder_or_file_of_somebody_else_is_not_used(folder, use):
    assert run() == COMPILED
    (path,) = files(folder)
    os.chown(path, 12345, 12345)
    assert run() == COMPILED
    assert run() == LOADED
    os.chown(folder, 12345, 12345)
    assert use(folder.parent.parent) is None and run() == COMPILED


def test_a_read_only_folder_is_read(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(jit.tempfile, "mkstemp", refuse)  # root is not stopped by permissions
        assert run() == COMPILED and run() == COMPILED
        assert not kept(folder)
    assert run() == COMPILED
    monkeypatch.setattr(jit.tempfile, "mkstemp", refuse)
    assert run() == LOADED


@pytest.mark.skipif(as_root or os.name == "nt", reason="permissions do not stop root")
def test_permissions(folder, use):
    folder.chmod(0o500)
    try:
        assert run() == COMPILED and not kept(folder)
        folder.chmod(0)
        assert use(folder.parent.parent) is None and run() == COMPILED and not kernels_ready()
    finally:
        folder.chmod(0o700)


def test_a_full_disk_leaves_nothing_behind(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(jit.os, "replace", refuse)
        assert run() == COMPILED
    assert not kept(folder)


def test_a_folder_that_is_removed_meanwhile(folder):
    assert run() == COMPILED
    shutil.rmtree(folder)
    assert run() == COMPILED and run() == COMPILED


@pytest.mark.skipif(os.name == "nt", reason="homes")
def test_a_user_without_a_home(monkeypatch, tmp_path):
    import pwd

    def unknown(*_):
        raise KeyError("no such user")

    for name in ("QSIM_CACHE_DIR", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    jit.cache_folder.cache_clear()
    try:
        assert jit.cache_folder() is None and run() == COMPILED
    finally:
        jit.cache_folder.cache_clear()
    assert not list(tmp_path.iterdir())  # no folder of the name "~"


def test_a_relative_folder_stays_where_it_was(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = use("here")
    assert folder.is_relative_to(tmp_path)
    monkeypatch.chdir("/")
    assert run() == COMPILED and run() == LOADED


# damage ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:40],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: b"garbage" * 1000,
        lambda data: bytes(len(data)),
    ],
)
def test_a_damaged_file_is_compiled_again(folder, damage):
    assert run() == COMPILED
    (path,) = files(folder)
    path.write_bytes(damage(path.read_bytes()))
    assert run() == COMPILED
    assert run() == LOADED


def test_a_file_that_is_another_kernels_is_not_run(folder):
    def plus_two(x):
        return x + 2

    other = jit.kernel()(plus_two)
    assert other(40) == 42
    (wrong,) = files(folder)
    assert run() == COMPILED
    (right,) = set(files(folder)) - {wrong}
    shutil.copy(wrong, right)
    assert run() == COMPILED and run() == LOADED


def test_a_claim_that_is_never_released_is_not_waited_for_long(folder, monkeypatch):
    monkeypatch.setattr(jit, "_lock_byte", lambda path, release: False)
    monkeypatch.setattr(jit, "_patience", 0.05)
    assert run() == COMPILED and run() == LOADED


def test_a_folder_in_the_place_of_a_file(folder):
    assert run() == COMPILED
    (path,) = files(folder)
    path.unlink()
    path.mkdir()
    assert run() == COMPILED and run() == COMPILED


def test_contents_that_do_not_unpickle_are_compiled_again(folder):
    assert run() == COMPILED
    (path,) = files(folder)
    for payload in (b"", b"no pickle", b"N."):
        jit._write(path, payload)
        assert run() == COMPILED
        assert run() == LOADED


# processes ------------------------------------------------------------------------------------------------------
SMALL = """
import sys
from qsim.kernels import jit

@jit.kernel(inner=True)
def square(x):
    return x * x

@jit.kernel()
def norm(x, y):
    return square(x) + square(y)

print("ready", flush=True)
sys.stdin.readline()
print(norm(3, 4), norm(1.5, 2.0), sum(norm.stats.cache_misses.values()))
"""

ENGINE = """
import sys
from qsim import Circuit, Pauli, Simulator
print("ready", flush=True)
sys.stdin.readline()
sim = Simulator()
bell = Circuit(2).h(0).cx(0, 1)
print(sim.statevector(bell).round(3).tolist(), sim.expectation(bell, Pauli.Z(0) * Pauli.Z(1)).__round__(9),
      sim.sample(bell.measure_all(), 100, seed=1))
"""


def start_at_once(program, count, parent):
    """What processes print that begin to compile at the same time."""
    environment = {**os.environ, "QSIM_CACHE_DIR": str(parent)}
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
        )
        for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        results = [process.communicate(timeout=1200) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, results, strict=True)] == [
        (0, "")
    ] * count
    return [output for output, _ in results]


def test_processes_start_at_once_with_an_empty_cache(tmp_path):
    first = start_at_once(SMALL, 3, tmp_path / "cache")
    if os.name != "nt":  # each of the two signatures is compiled by one process, and loaded by two
        assert sum(int(output.split()[-1]) for output in first) == 2
    first += start_at_once(SMALL, 1, tmp_path / "cache")
    assert {tuple(output.split()[:2]) for output in first} == {("25", "6.25")} and first[3].endswith(" 0\n")
    (folder,) = (tmp_path / "cache" / "kernels").iterdir()
    assert not [name for name in os.listdir(folder) if name.endswith(".part")]


@pytest.mark.slow
def test_16_processes_start_at_once_with_an_empty_cache(tmp_path):
    outputs = start_at_once(ENGINE, 16, tmp_path / "cache")
    assert len(set(outputs)) == 1 and "1.0 {'00': 53, '11': 47}" in outputs[0]
    (folder,) = (tmp_path / "cache" / "kernels").iterdir()
    # They did their first runs with NumPy; the next process finds that the engine is there, and needs its kernels.
    assert start_at_once(ENGINE, 1, tmp_path / "cache") == outputs[:1]
    before = kept(folder)
    assert start_at_once(ENGINE, 2, tmp_path / "cache") == outputs[:2]
    assert kept(folder) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_while_another_thread_compiles(tmp_path):
    program = """
import os, threading, warnings
warnings.simplefilter("ignore")
from qsim.kernels import jit

def made(k):
    namespace = {"jit": jit}
    exec(f"@jit.kernel()\\ndef f(x):\\n    return x * x + {k}\\n", namespace)
    return namespace["f"]

stop = threading.Event()
def compile_on():
    k = 0
    while not stop.is_set():
        k += 1
        assert made(k)(3) == 9 + k

made(0)(1)
thread = threading.Thread(target=compile_on)
thread.start()
for round in range(4):
    child = os.fork()
    if child == 0:
        os._exit(0 if made(7)(2) == 11 else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
print("good")
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "QSIM_CACHE_DIR": os.devnull}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, "good\n", "")


# warming up -----------------------------------------------------------------------------------------------------
EVERYTHING = """
import numpy as np
from qsim import Circuit, Gate, Parameter, Pauli, Simulator
from qsim.classical import Bits
from qsim.gates import GATES

random = np.random.default_rng(5)

def angles(gate):
    return random.uniform(0, 6, gate.num_params).tolist()

def qubits(n, count):
    return random.permutation(n)[:count].tolist()

def all_gates(n):
    circuit = Circuit(n)
    for gate in [gate for gate in GATES.values() if gate.num_qubits <= n] * 2:
        circuit.append(gate.name, qubits(n, gate.num_qubits), *angles(gate))
        if 0 < gate.num_qubits < n:
            controlled = Gate(gate.name, *angles(gate)).control(1).power(0.5)
            circuit.append(controlled, qubits(n, gate.num_qubits + 1))
    for size in range(1, min(n, 5) + 1):
        matrix = np.linalg.qr(random.normal(size=(1 << size, 1 << size)) + 1j)[0]
        circuit.unitary(matrix, qubits(n, size))
    return circuit

def few_kinds(n):
    yield Circuit(n)
    yield Circuit(n).x(0)
    yield Circuit(n).h(range(n)).rz(0.3, 0)
    yield Circuit(n).rz(0.3, range(n)).gphase(0.1)
    if n > 1:
        yield Circuit(n).swap(0, n - 1)
        yield Circuit(n).cx(0, n - 1).cz(0, 1)

def dynamic(n):
    circuit = Circuit(n, n).h(range(n)).measure(0, 0).reset(0).h(0)
    body = circuit.block().x(n - 1).rz(0.2, 0)
    return circuit.if_else(Bits((0,)), body).measure(range(n), range(n))

for precision in ("double", "single"):
    for threads, tile_bits in ((1, None), (2, None), (2, 6)):
        sim = Simulator(precision, threads=threads, _tile_bits=tile_bits)
        for n in (1, 2, 5, 9, 15):
            for circuit in [all_gates(n), *few_kinds(n)]:
                sim.statevector(circuit)
                sim.probabilities(circuit)
                sim.probabilities(circuit, qubits=[n - 1])
                sim.moments(circuit, [Pauli.Z(0), 0.5 * Pauli.X(n - 1) + Pauli.Y(0)])
                if n < 6:
                    sim.unitary(circuit)
            sim.sample(all_gates(n).measure_all(), 1000, seed=1)
            sim.sample(Circuit(n, 1).h(0).measure(0, 0), 1000, seed=1)
            theta, phi = Parameter("theta"), Parameter("phi")
            symbolic = Circuit(n).rx(theta, 0).rz(2 * theta + phi, 0).u(phi, theta * phi, 0.1, n - 1)
            sim.expectation(symbolic, Pauli.Z(0), {"theta": 0.1, "phi": 0.2})
            sim.statevector(symbolic, np.zeros((3, 2)))
            sim.sample(dynamic(n), 100, seed=2)
"""


def test_who_starts_together_waits_for_one_that_compiles(folder, monkeypatch):
    compiled = []

    def compile_all(precision):
        compiled.append(precision)
        time.sleep(0.05)

    monkeypatch.setattr(warmup, "_compile", compile_all)
    monkeypatch.setattr(warmup, "_compile_running", lambda precision: None)
    for precision in ("double", "single"):
        threads = [threading.Thread(target=warm_up, args=(precision,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert kernels_ready(precision)
    warm_up()
    assert compiled == ["double", "single"] or os.name == "nt"


def test_warming_up_survives_what_goes_wrong(folder, monkeypatch):
    compiled = []
    monkeypatch.setattr(warmup, "_compile_running", compiled.append)
    monkeypatch.setattr(warmup, "_compile_planning", lambda: compiled.append("planning"))
    monkeypatch.setattr(warmup.sys, "executable", "/none/such")
    warm_up()
    assert compiled == ["planning", "double", "double"] and kernels_ready()

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(warmup, "_compile_planning", interrupt)
    with pytest.raises(KeyboardInterrupt):
        warm_up("single")
    assert not kernels_ready("single")
    for wrong in (warm_up, kernels_ready):
        with pytest.raises(qsim.QsimError, match="'double' or 'single'"):
            wrong("half")


@pytest.mark.slow
def test_warming_up_leaves_nothing_to_compile(tmp_path):
    environment = {**os.environ, "QSIM_CACHE_DIR": str(tmp_path)}
    warm = "import qsim; [qsim.warm_up(p) for p in ('double', 'single')]; assert qsim.kernels_ready('single')"
    subprocess.run([sys.executable, "-c", warm], env=environment, check=True, timeout=1200)
    (folder,) = (tmp_path / "kernels").iterdir()
    before = set(kept(folder))
    subprocess.run([sys.executable, "-c", EVERYTHING], env=environment, check=True, timeout=1200)
    assert sorted(set(kept(folder)) - before) == []

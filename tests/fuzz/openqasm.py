"""Coverage-guided fuzzing of the OpenQASM readers, with atheris: `python tests/fuzz/openqasm.py --dialect 3 --minutes 30`.

A program is read or refused with `QasmError`, soon; one that is read can be written and read again. Whatever else
happens is kept in the folder, one file for each kind, and makes the command fail. The reading runs in a process of its
own that is started again after a hang.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from seeds import BODIES2, BODIES3, HEAD2, HEAD3, WORDS  # noqa: E402

_TOKEN = re.compile(r"\"[^\"\n]*\"|[^\W\d]\w*|\d[\w.]*|\s+|->|\*\*|\+\+|<<|>>|&&|\|\||[=!<>+*/-]=|.", re.DOTALL)
SLOW = 2.0  # seconds of the processor


def _kind(word: str) -> str:
    return "name" if word[:1].isalpha() else "number" if word[:1].isdigit() else "space" if word.isspace() else "sign"


def mutated(data: bytes, max_size: int, seed: int, bodies: list[str], mutate_bytes) -> bytes:
    """A program with some of its words replaced, removed, repeated, or with statements of another put in."""
    rng = random.Random(seed)
    if rng.random() < 0.1:
        return mutate_bytes(data, max_size)
    tokens = _TOKEN.findall(data.decode("utf-8", "ignore"))
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        at = rng.randrange(len(tokens) + 1)
        end = min(len(tokens), at + rng.choice((1, 1, 2, 4, 10)))
        what = rng.random()
        if what < 0.35 and at < len(tokens):  # another word of its kind
            same = [word for word in WORDS if _kind(word) == _kind(tokens[at])]
            tokens[at] = rng.choice(same or WORDS)
        elif what < 0.45:
            tokens[at : at + 1] = [rng.choice(WORDS)]
        elif what < 0.55:
            tokens[at:at] = [rng.choice(WORDS), " "]
        elif what < 0.65:
            del tokens[at:end]
        elif what < 0.75:
            to = rng.randrange(len(tokens) + 1)
            tokens[to:to] = tokens[at:end]
        elif what < 0.8 and tokens:
            other = rng.randrange(len(tokens))
            at = min(at, len(tokens) - 1)
            tokens[at], tokens[other] = tokens[other], tokens[at]
        else:
            part = _TOKEN.findall(rng.choice(bodies))
            start = rng.randrange(len(part))
            tokens[at:at] = part[start : start + rng.choice((3, 8, 20, 60))]
    return "".join(tokens).encode("utf-8", "ignore")[:max_size]


class Target:
    """What is done with each program, and what is found."""

    def __init__(self, folder: Path) -> None:
        from parsers import Limits, QasmError, dumps, loads
        from qsim.errors import QsimError

        self.folder = folder
        self.limits = Limits(
            operations=3000, loop_trips=500, qubits=200, clbits=2000, array_elements=2000, call_depth=20
        )
        self.loads, self.dumps, self.refused, self.refused_writing = loads, dumps, QasmError, QsimError
        self.runs = self.read = 0
        self.kinds: set[str] = set()
        self.started = time.monotonic()
        self.reported = self.started

    def __call__(self, data: bytes) -> None:
        text = data.decode("utf-8", "ignore")
        self.runs += 1
        started = time.process_time()
        try:
            circuit = self.loads(text, limits=self.limits)
        except self.refused as error:
            if error.line is None:
                self.keep(text, "no place: " + re.sub(r"\d+|'[^']*'", "", error.message)[:60])
        except BaseException as error:
            self.found(text, "read", error)
        else:
            self.read += 1
            self.write(text, circuit)
        if time.process_time() - started > SLOW:
            self.keep(text, f"slow {text[:40]!r}")
        now = time.monotonic()
        if now - self.reported > 10:
            self.report(now)

    def write(self, text: str, circuit) -> None:
        try:
            written = self.dumps(circuit)
        except self.refused_writing:
            return
        except BaseException as error:
            self.found(text, "write", error)
            return
        try:
            again = self.loads(written)
            if again.num_qubits != circuit.num_qubits:  # bits without a name may get one, and more bits
                raise AssertionError("other qubits when read again")
        except BaseException as error:
            self.found(text, "read again", error)

    def found(self, text: str, doing: str, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        places = [
            f"{Path(f.filename).name}:{f.name}" for f in frames if "parsers" in f.filename or "qsim" in f.filename
        ]
        message = re.sub(r"\d+|'[^']*'", "", str(error).split("\n")[0])[:50] if doing == "read again" else ""
        self.keep(text, f"{doing}: {type(error).__name__} {message} at {places[-1:] or ''}", traceback.format_exc())

    def keep(self, text: str, kind: str, details: str = "") -> None:
        if kind in self.kinds:
            return
        self.kinds.add(kind)
        name = hashlib.sha1(kind.encode()).hexdigest()[:10]
        path = self.folder / f"found-{name}.qasm"
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            (self.folder / f"found-{name}.txt").write_text(f"{kind}\n{details}", encoding="utf-8")
            print(f"FOUND {kind} ({path.name})", flush=True)

    def report(self, now: float) -> None:
        self.reported = now
        line = json.dumps({"runs": self.runs, "read": self.read, "seconds": round(now - self.started)})
        (self.folder / f"runs-{int(self.started * 1000)}.json").write_text(line)


def search(dialect: int, folder: Path, seconds: int) -> None:
    """Fuzz in this process until the time is up."""
    import atheris

    with atheris.instrument_imports(include=["parsers"]):
        target = Target(folder)
        for version in (2, 3):  # what is imported at first use
            target.loads('OPENQASM 2.0; include "qelib1.inc"; qreg q[1];' if version == 2 else "int n = 1 + 1;")
        target.dumps(target.loads("qubit q;"))
    warnings.simplefilter("ignore")
    head, bodies = (HEAD2, BODIES2) if dialect == 2 else (HEAD3, BODIES3)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(~seed)
        if rng.random() < 0.3:  # what the search keeps are wrong programs mostly; these get further
            data = (head + " ".join(rng.sample(bodies, rng.choice((1, 2))))).encode()
        return mutated(data, max_size, seed, bodies, atheris.Mutate)

    options = [f"-max_total_time={seconds}", "-timeout=120", "-rss_limit_mb=2500", "-max_len=2000", "-len_control=0"]
    options += [f"-artifact_prefix={folder}/", "-verbosity=0", "-print_final_stats=0", "-reload=0"]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], target, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialect", type=int, choices=(2, 3), default=3)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--folder", type=Path, default=Path("fuzz"), help="what was found, and programs worth keeping")
    parser.add_argument("--search", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = given.folder.resolve() / f"openqasm{given.dialect}"
    if given.search:
        search(given.dialect, folder, given.search)
        return 0
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    head, bodies = (HEAD2, BODIES2) if given.dialect == 2 else (HEAD3, BODIES3)
    for k, body in enumerate(bodies):
        (folder / "corpus" / f"seed-{k}").write_text(head + body, encoding="utf-8")
    end = time.monotonic() + 60 * given.minutes
    while (left := int(end - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--dialect", str(given.dialect), "--folder", str(given.folder)]
        subprocess.run([*command, "--search", str(max(1, left))], check=False)
        time.sleep(1)
    runs = [json.loads(path.read_text()) for path in folder.glob("runs-*.json")]
    found = [path.read_text().split("\n")[0] for path in folder.glob("found-*.txt")]
    hangs = [path.name for path in folder.glob("timeout-*")] + [path.name for path in folder.glob("oom-*")]
    print(f"{sum(r['runs'] for r in runs):,} programs in {sum(r['seconds'] for r in runs):,} s, "
          f"{sum(r['read'] for r in runs):,} of them read; found: {len(found) + len(hangs)}")  # fmt: skip
    print("\n".join(found + hangs))
    return 1 if found or hangs else 0


if __name__ == "__main__":
    sys.exit(main())

"""Ours and every installed peer on the same circuits, interleaved in one process, best of several rounds.

Kernels are warm, planning is not: each timed run of ours gets a circuit built anew, parsing excluded, and ends with the full
state. Peers hold their circuit built already.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import kernels, plots
from benchmarks.circuits import FAMILIES, QASMBENCH, cases
from benchmarks.measure import AMPLITUDE_BYTES
from benchmarks.peers import PEERS
from benchmarks.race import Race
from benchmarks.report import Report, by_size, conditions, summary, sweep_table, table
from benchmarks.sweeps import SIZES, run_sweep, task
from qsim.pool import available_cores
from qsim.warmup import warm_up


def sizes(text: str) -> list[int]:
    """Numbers of qubits: one, or a range such as 4-12."""
    first, _, last = text.partition("-")
    found = list(range(int(first), int(last or first) + 1))
    if not found or not 2 <= found[0] <= found[-1] <= 40:
        raise argparse.ArgumentTypeError(f"numbers of qubits are from 2 to 40, as 12 or 4-12; got {text!r}")
    return found


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    everything = [*FAMILIES, QASMBENCH]
    result.add_argument("--qubits", type=sizes, nargs="+", default=[[4], [8], [12], [16], [20], [24], [28]],
                        help="such as 4 8 12-16; of QASMBench the programs between the least and the most")  # fmt: skip
    result.add_argument("--families", nargs="+", choices=everything, default=everything, metavar="FAMILY",
                        help=f"of {', '.join(everything)}")  # fmt: skip
    result.add_argument("--precision", nargs="+", choices=list(AMPLITUDE_BYTES), default=list(AMPLITUDE_BYTES))
    result.add_argument("--threads", type=int, default=available_cores(), help="of each engine; all cores by default")
    result.add_argument("--rounds", type=int, default=5, help="turns of each engine, of which the best counts")
    result.add_argument("--seed", type=int, default=1, help="of the circuits")
    result.add_argument("--peer-limit", type=float, default=60.0, metavar="SECONDS",
                        help="a peer whose first run takes longer has no other one; one that would take ten times "
                             "as long, going by fewer qubits, has none")  # fmt: skip
    result.add_argument("--row-limit", type=float, default=120.0, metavar="SECONDS",
                        help="for all runs on one circuit: peers that would go over it, by their times for fewer qubits "
                             "here or in rows that are appended to, are left out, and there are as many rounds as fit")  # fmt: skip
    result.add_argument("--peers", nargs="+", choices=[peer.__name__ for peer in PEERS], default=[], metavar="PEER",
                        help=f"of {', '.join(peer.__name__ for peer in PEERS)}; all by default")  # fmt: skip
    result.add_argument("--output", type=Path, default=Path("benchmarks/results"), help="folder of the files written")
    result.add_argument("--sweeps", action="store_true", help="parameter sweeps in place of circuits")
    result.add_argument("--kernels", action="store_true", help="each operation alone, with what bounds it")
    result.add_argument("--append", action="store_true", help="to the rows that an earlier run has written there")
    result.add_argument("--redraw", action="store_true", help="only make table and plots anew from the JSON written")
    return result


def circuits(options: argparse.Namespace) -> int:
    """Time every circuit; the files are written after each row, so that a run cut short leaves what it has."""
    report = Report(conditions(options.threads, options.seed, options.rounds))
    if options.append and (options.output / "circuits.json").exists():
        report.rows = Report.from_json((options.output / "circuits.json").read_text(encoding="utf-8")).rows
    race = Race(report, options.threads, options.rounds, options.peer_limit, options.row_limit, options.peers)
    heading = True
    wanted = sorted({n for group in options.qubits for n in group})
    for case in cases(options.families, wanted, options.seed, report.remark):
        for precision in options.precision:
            row = race.run(case, precision)
            if row is not None:
                print("\n".join(table([row]).splitlines()[0 if heading else 2 :]), flush=True)
                heading = False
            report.write(options.output, "circuits")
    return finish(report, options.output, "circuits", figures(report))


def sweeps(options: argparse.Namespace) -> int:
    """Time parameter sweeps."""
    report = Report(conditions(options.threads, options.seed, options.rounds))
    for n in SIZES:
        for precision in options.precision:
            todo = task(n, options.seed)
            row = run_sweep(report, todo, precision, options.threads, options.rounds, options.peer_limit)
            print(sweep_table([row]).splitlines()[-1], flush=True)
            report.write(options.output, "sweeps")
    return finish(report, options.output, "sweeps", sweep_table(report.sweeps))


def finish(report: Report, folder: Path, name: str, shown: str) -> int:
    """Write everything; 1 if a peer and ours disagreed, else 0."""
    report.write(folder, name)
    drawn = plots.draw(report, folder)
    print(f"\n{shown}\n\nwritten to {folder}" + ("" if drawn else "; no plots, since matplotlib is not installed"))
    return 1 if report.disagreements else 0


def figures(report: Report) -> str:
    """The means, by range and by size."""
    return "\n\n".join(part for part in (summary(report.rows), by_size(report.rows)) if part)


def redraw(options: argparse.Namespace) -> int:
    """Tables and plots from the JSON of an earlier run."""
    name = "sweeps" if options.sweeps else "circuits"
    report = Report.from_json((options.output / f"{name}.json").read_text(encoding="utf-8"))
    return finish(report, options.output, name, figures(report) or sweep_table(report.sweeps))


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 if a peer and ours gave different results."""
    options = parser().parse_args(arguments)
    if options.redraw:
        return redraw(options)
    # Read when a peer's library is loaded, which happens later.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        # Peers whose threads wait for each other suffer more than ours does, which makes ratios too good.
        print(
            f"the load average is {os.getloadavg()[0]:.1f}: times are only worth keeping from an idle machine",
            file=sys.stderr,
        )
    if options.kernels:
        return kernels.main(options.precision, options.output)
    for precision in options.precision:
        warm_up(precision)
    return sweeps(options) if options.sweeps else circuits(options)


if __name__ == "__main__":
    sys.exit(main())

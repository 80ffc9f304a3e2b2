"""A report survives being written and read; tables and summaries say what was measured."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.__main__ import main, parser
from benchmarks.circuits import Case, ghz
from benchmarks.measure import interleaved
from benchmarks.peers import Engine
from benchmarks.race import Race, Sample
from benchmarks.report import Floor, Report, Row, SweepRow, by_size, geometric_mean, summary, table
from benchmarks.sweeps import ANGLES, SETS, task

CONDITIONS = {
    "processor": "a processor", "cores": 2, "threads": 2, "load": 0.1, "bytes a second": 5e10,
    "multiply-adds a second": {"double": 4e10, "single": 8e10}, "versions": {"numpy": "2.4"}, "seed": 1, "rounds": 3,
}  # fmt: skip


def row(precision="double", qubits=10, peers=(("aer", 2e-3), ("qulacs", 1e-3)), arithmetic=1e-5, circuit="qft"):
    return Row(qubits, precision, 5e-4, dict(peers), circuit, circuit, 60, 4e-4, Floor(1, 2e-5, arithmetic))


def report():
    rows = [row(), row("single", 20, arithmetic=None), row(peers=())]
    return Report(dict(CONDITIONS), rows, [SweepRow(4, "double", 0.1, {"aer": 0.3}, 200)], ["no qulacs"], 0)


def test_json_round_trip():
    assert Report.from_json(report().to_json()) == report()


def test_the_best_peer_counts():
    assert row().best_peer == "qulacs" and row().ratio == pytest.approx(2)
    assert row(peers=()).best_peer == "" and math.isnan(row(peers=()).ratio)
    assert row().floor.seconds == 2e-5 and Floor(1, 1.0, 2.0).seconds == 2.0


def test_table():
    heads, rule, *lines = table(report().rows).splitlines()
    assert len(lines) == 3 and len({line.count("|") for line in (heads, rule, *lines)}) == 1
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert cells == "qft,10,60,double,qulacs,1.00,0.500,2.00,0.400,2.50,1,0.0200,0.0100,25.00".split(",")
    assert " none |" in lines[2]


def test_known_peers_count_for_the_ratio_again_only():
    known = replace(row(), known_peers={"qulacs light again": 2e-4})
    assert known.ratio == row().ratio and known.ratio_again == pytest.approx(0.5)
    assert row().ratio_again == pytest.approx(2.5)


def test_summary_takes_means_by_precision_and_range():
    rows = [row(peers=[("aer", 1e-3)]), row(peers=[("aer", 4e-3)], qubits=12), row("single", 21), row(peers=())]
    lines = summary(rows).splitlines()[2:]
    assert len(lines) == 2
    assert lines[0] == "| double | 10 to 12 | 2 | 4.00 | 5.00 | 2.00 (qft, 10 qubits, aer) |"
    assert geometric_mean([1, 4, 16]) == pytest.approx(4)


def test_means_by_size_say_what_is_compared_with_what():
    thin = Floor(0, 0.0, 0.0)
    rows = [
        row(peers=[("aer", 2e-3)]), replace(row(peers=[("aer", 8e-3)], circuit="ghz"), floor=thin),
        row("single", peers=[("aer", 1e-3), ("qsim f2", 9e-3), ("qsim f3", 3e-3)]),
        replace(row("single", peers=[("qsim f2", 2e-2)], circuit="ghz"), floor=thin),
        replace(row(), family="qasmbench"),
    ]  # fmt: skip
    _, _, line = by_size(rows).splitlines()
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "10", "8.00 of 2 (4.00 of 1)", "8.94 of 2 (2.00 of 1)", "15.49 of 2 (6.00 of 1)", "15.49 of 2 (6.00 of 1)"
    ]  # fmt: skip
    assert by_size([]) == by_size([row(peers=())]) == ""
    assert by_size([row()]).splitlines()[2] == "| 10 | 2.00 of 1 |  |  |  |"


def test_markdown_holds_conditions_rows_sweeps_and_remarks():
    text = report().markdown()
    for part in ("a processor", "numpy 2.4", "| qft |", "| 4 | double | 500 | 1500 | 3.00 |", "- no qulacs"):
        assert part in text


def test_redraw_writes_the_table_anew(tmp_path, capsys):
    report().write(tmp_path, "circuits")
    (tmp_path / "circuits.md").unlink()
    assert main(["--redraw", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "circuits.md").read_text() == report().markdown()


def test_ranges_of_qubits():
    options = parser().parse_args(["--qubits", "4", "6-8", "--seed", "5"])
    assert options.qubits == [[4], [6, 7, 8]] and options.seed == 5
    for wrong in ("8-6", "1", "41"):
        with pytest.raises(SystemExit):
            parser().parse_args(["--qubits", wrong])


def test_turns_are_taken_and_those_who_run_once_run_once():
    calls = []
    ready = {name: lambda name=name: lambda: calls.append(name) for name in ("ours", "slow")}
    times = interleaved(ready, 2, frozenset({"slow"}))
    assert set(times) == {"ours", "slow"} and calls.count("slow") == 1
    assert calls[0] == "ours" and calls[-1] == "ours" and calls.count("ours") > 1


def engine(name, state):
    return Engine(name, lambda circuit: lambda: state)


def race_with(monkeypatch, *peers):
    monkeypatch.setattr("benchmarks.race.installed", lambda precision, threads: list(peers))
    return Race(Report(dict(CONDITIONS)), threads=1, rounds=1, peer_limit=60.0)


CASE = Case("ghz", "ghz", 3, lambda: ghz(3, 0))
GHZ = np.array([1, 0, 0, 0, 0, 0, 0, 1]) / math.sqrt(2)


def test_a_row_has_all_who_agree(monkeypatch):
    race = race_with(monkeypatch, engine("same", 1j * GHZ))
    found = race.run(CASE, "double")
    assert race.report.rows == [found] and found.best_peer == "same" and set(found.peers) == {"same"}
    assert found.gates == 3 and found.floor.passes >= 1


def test_a_row_that_disagrees_is_not_reported(monkeypatch):
    race = race_with(monkeypatch, engine("same", GHZ), engine("other", np.roll(GHZ, 1)))
    assert race.run(CASE, "single") is None
    assert race.report.rows == [] and race.report.disagreements == 1 and "other" in race.report.remarks[0]


def test_a_peer_that_fails_is_left_out_with_a_remark(monkeypatch):
    def ready(circuit):
        raise ValueError("no such gate")

    race = race_with(monkeypatch, engine("same", GHZ), Engine("broken", ready))
    assert set(race.run(CASE, "double").peers) == {"same"}
    assert race.report.remarks == ["ghz, 3 qubits, double: without broken: ValueError: no such gate"]


def test_peers_of_whom_one_is_asked_for_and_peers_after_the_time_of_a_row(monkeypatch):
    peers = [engine("one", GHZ), engine("two light", GHZ), engine("three", GHZ)]
    race_with(monkeypatch, *peers)
    asked = Race(Report(dict(CONDITIONS)), threads=1, rounds=1, peer_limit=60.0, only=["two"])
    assert set(asked.run(CASE, "double").peers) == {"two light"}
    short = Race(Report(dict(CONDITIONS)), threads=1, rounds=1, peer_limit=60.0, row_limit=0.0)
    assert set(short.run(CASE, "double").peers) == {"one"}
    assert [remark.split(": ")[1] for remark in short.report.remarks] == ["without two light", "without three"]


def test_a_peer_whose_time_for_fewer_qubits_in_an_earlier_report_is_too_long(monkeypatch):
    race_with(monkeypatch, engine("slow", GHZ), engine("quick", GHZ))
    earlier = Race(Report(dict(CONDITIONS)), threads=1, rounds=1, peer_limit=60.0)
    row = earlier.run(Case("ghz", "ghz", 3, lambda: ghz(3, 0)), "double")
    report = Report(dict(CONDITIONS), rows=[replace(row, qubits=1, peers={"slow": 30.0, "quick": 1e-3})])
    race = Race(report, threads=1, rounds=1, peer_limit=60.0, row_limit=100.0)
    assert set(race.run(CASE, "double").peers) == {"quick"}
    assert "without slow: after 0 s of the others it would take 120 s" in report.remarks[0]


def test_rounds_that_do_not_fit_the_time_of_a_row_are_left_out(monkeypatch):
    calls = []
    slow = Engine("slow", lambda circuit: lambda: calls.append(time.sleep(0.06)) or GHZ)
    race_with(monkeypatch, slow)
    race = Race(Report(dict(CONDITIONS)), threads=1, rounds=50, peer_limit=60.0, row_limit=0.3)
    assert race.run(CASE, "double").peers["slow"] > 0.05
    assert 1 <= len(calls) < 10
    hurried = Race(Report(dict(CONDITIONS)), threads=1, rounds=50, peer_limit=60.0, row_limit=0.05)
    calls.clear()
    assert hurried.run(CASE, "double").peers["slow"] > 0.05
    assert len(calls) == 1


def test_a_peer_over_the_limit_runs_once(monkeypatch):
    calls = []
    slow = Engine("slow", lambda circuit: lambda: calls.append(1) or GHZ)
    race_with(monkeypatch, slow)
    race = Race(Report(dict(CONDITIONS)), threads=1, rounds=3, peer_limit=0.0)
    assert race.run(CASE, "double").peers["slow"] > 0 and len(calls) == 1


def test_a_size_that_does_not_fit_is_skipped_with_a_remark(monkeypatch):
    monkeypatch.setattr("benchmarks.race.available_memory", lambda: 300)
    race = race_with(monkeypatch)
    assert race.run(CASE, "double") is None and "three states take 384 bytes" in race.report.remarks[0]
    assert race.run(CASE, "single") is not None


def test_samples_of_wide_states_tell_them_apart(monkeypatch):
    monkeypatch.setattr("benchmarks.race.COMPARED_QUBITS", 13)
    state = np.zeros(1 << 14, dtype=np.complex64)
    state[[5, -1]] = math.sqrt(0.5)
    other = np.roll(state, 1)
    assert Sample(state).fidelity(state * np.complex64(1j)) == pytest.approx(1)
    assert Sample(state).fidelity(other) == 0


@pytest.mark.parametrize("n", [4, 8, 12])
def test_a_sweep_uses_all_angles_and_as_many_terms_as_it_says(n):
    todo = task(n, seed=3)
    assert sum(name != "cx" for name, _ in todo.gates) == ANGLES
    assert len(todo.terms) == 30 and {len(label) for label, _ in todo.terms} == {n}
    assert todo.angles.shape == (SETS, ANGLES)
    for (label, coefficient), (letters, again) in zip(todo.terms, todo.letters, strict=True):
        assert coefficient == again and all(label[n - 1 - q] == letter for q, letter in letters)

"""Plots of a report, where matplotlib is installed: how much faster ours is, and everyone's times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.circuits import QASMBENCH
from benchmarks.measure import AMPLITUDE_BYTES
from benchmarks.report import Report, Row

INK, FAINT = "#222222", "#999999"
#: A peer has its colour in every plot.
COLOURS = {
    "aer": "#6929c4", "qulacs": "#009d9a", "qulacs light": "#005d5d", "lightning": "#b28600", "qsim f2": "#9ecae1",
    "qsim f3": "#4292c6", "qsim f4": "#08519c",
}  # fmt: skip
#: Families in the order of `FAMILIES`, told apart by colour and marker.
LINES = ["#1b6ca8", "#d1495b", "#2a9d5c", "#e09f3e", "#7b4fa3", "#8c564b"]
MARKERS = "osv"


def draw(report: Report, folder: Path) -> bool:
    """Write ``ratios.png``, ``times-double.png``, ``times-single.png`` and ``sweeps.png``, as far as there are rows.

    Returns whether matplotlib is there to do it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    compared = [row for row in report.rows if row.peers]
    if compared:
        figures["ratios"] = _ratios(Figure, compared)
    for precision in AMPLITUDE_BYTES:
        sized = [row for row in report.rows if row.precision == precision and row.family != QASMBENCH]
        if sized:
            figures[f"times-{precision}"] = _times(Figure, sized, precision)
    if report.sweeps:
        figures["sweeps"] = _sweeps(Figure, report)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=150, bbox_inches="tight", facecolor="white")
    return True


def _ratios(figure_class: Any, rows: Sequence[Row]) -> Any:
    """Best peer ÷ ours over qubits, a line for each family; programs of QASMBench as dots."""
    precisions = [p for p in AMPLITUDE_BYTES if any(row.precision == p for row in rows)]
    figure = figure_class(figsize=(5.2 * len(precisions), 4.6))
    panels = figure.subplots(1, len(precisions), sharey=True, squeeze=False)[0]
    families = list(dict.fromkeys(row.family for row in rows if row.family != QASMBENCH))
    for panel, precision in zip(panels, precisions, strict=True):
        part = [row for row in rows if row.precision == precision]
        panel.axhline(1, color=INK, linewidth=1)
        for k, family in enumerate(families):
            points = sorted((row.qubits, row.ratio) for row in part if row.family == family)
            panel.plot(*zip(*points, strict=True), color=LINES[k % len(LINES)], marker=MARKERS[k // len(LINES) % 3],
                       markersize=4, linewidth=1.4, label=family)  # fmt: skip
        real = [(row.qubits, row.ratio) for row in part if row.family == QASMBENCH]
        if real:
            panel.scatter(*zip(*real, strict=True), color=FAINT, s=12, label=QASMBENCH, zorder=1)
        panel.set_title(f"{precision} precision", fontsize=10, color=INK)
        _plain(panel, [row.qubits for row in rows])
    panels[0].set_ylabel("best peer ÷ ours (above 1: ours is faster)")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def _times(figure_class: Any, rows: Sequence[Row], precision: str) -> Any:
    """A panel for each family: milliseconds over qubits of ours, ours again, the floor and every peer."""
    families = list(dict.fromkeys(row.family for row in rows))
    columns = min(4, len(families))
    lines = -(-len(families) // columns)
    figure = figure_class(figsize=(3.1 * columns, 2.5 * lines + 0.5))
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    for panel, family in zip(panels, families, strict=False):
        part = sorted((row for row in rows if row.family == family), key=lambda row: row.qubits)
        for name, colour in COLOURS.items():
            points = [(row.qubits, row.peers[name] * 1e3) for row in part if name in row.peers]
            if points:
                panel.plot(*zip(*points, strict=True), color=colour, linewidth=1.1, label=name)
        qubits = [row.qubits for row in part]
        panel.plot(
            qubits, [row.again * 1e3 for row in part], color=INK, linewidth=1.2, linestyle="--", label="ours again"
        )
        panel.plot(
            qubits, [row.ours * 1e3 for row in part], color=INK, linewidth=2, marker="o", markersize=3, label="ours"
        )
        # A state that fits no thread's share is bound by the interpreter, not by memory: its floor would only stretch
        # the axis.
        floors = [(row.qubits, row.floor.seconds * 1e3) for row in part if row.floor.seconds > 1e-5]
        if floors:
            panel.plot(*zip(*floors, strict=True), color=FAINT, linewidth=1.2, linestyle=":", label="floor")
        panel.set_title(family, fontsize=9, color=INK)
        _plain(panel, [row.qubits for row in rows])
    for panel in panels[len(families) :]:
        panel.set_axis_off()
    pairs = [pair for panel in panels for pair in zip(*panel.get_legend_handles_labels(), strict=True)]
    found = {label: handle for handle, label in pairs}
    figure.suptitle(f"milliseconds, {precision} precision", fontsize=10, color=INK)
    figure.legend(found.values(), found.keys(), loc="lower center", bbox_to_anchor=(0.5, -0.06), ncols=len(found),
                  frameon=False, fontsize=8)  # fmt: skip
    figure.tight_layout()
    return figure


def _sweeps(figure_class: Any, report: Report) -> Any:
    """Microseconds for each set of parameters over qubits, a panel for each precision."""
    precisions = [p for p in AMPLITUDE_BYTES if any(row.precision == p for row in report.sweeps)]
    figure = figure_class(figsize=(4.2 * len(precisions), 3.4))
    panels = figure.subplots(1, len(precisions), sharey=True, squeeze=False)[0]
    for panel, precision in zip(panels, precisions, strict=True):
        part = [row for row in report.sweeps if row.precision == precision]
        for name, colour in COLOURS.items():
            points = [(row.qubits, row.peers[name] / row.sets * 1e6) for row in part if name in row.peers]
            if points:
                panel.plot(
                    *zip(*points, strict=True), color=colour, marker="o", markersize=3, linewidth=1.2, label=name
                )
        mine = [row.ours / row.sets * 1e6 for row in part]
        panel.plot([row.qubits for row in part], mine, color=INK, marker="o", markersize=4, linewidth=2, label="ours")
        panel.set_title(f"{precision} precision", fontsize=10, color=INK)
        _plain(panel, [row.qubits for row in part])
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=8)
    panels[0].set_ylabel("microseconds for each set of parameters", fontsize=8)
    figure.tight_layout()
    return figure


def _plain(panel: Any, qubits: Sequence[int]) -> None:
    """Qubits below, in whole numbers; a logarithmic axis with readable numbers; few lines."""
    from matplotlib.ticker import LogLocator, NullFormatter

    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(NullFormatter())
    ticks = sorted(set(qubits))
    panel.set_xticks(ticks if len(ticks) <= 9 else range(ticks[0] + ticks[0] % 2, ticks[-1] + 1, 2))
    panel.set_xlabel("qubits", fontsize=8)
    panel.tick_params(labelsize=8, which="both")
    panel.grid(True, color="#e5e5e5", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)

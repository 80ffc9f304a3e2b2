"""Pictures of results, by matplotlib (extra ``plot``): counts, amplitudes, and the convergence of a minimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from session.display import shown_value
from session.errors import SessionError

if TYPE_CHECKING:
    from session.estimates import MinimizationResult
    from session.results import ExecutionDetails
    from session.statevectors import StateVectorResult

_BAR, _SOFT, _LINE = "#4c78a8", "#bab0ac", "#f58518"
_ANGLED, _UPRIGHT = 8, 16  # more labels than this are set at an angle, or upright
_NUMBERED = 16  # up to so many bars carry their number


def plot_counts(details: ExecutionDetails, ax: Any = None, *, top: int = 24, output: str | None = None) -> Any:
    """A bar for each outcome, most counts first.

    Args:
        details: counts.
        ax: the matplotlib `Axes` to draw in; a new figure when None.
        top: how many outcomes have a bar of their own; the rest share one.
        output: the name of an output, whose values alone are shown; bitstrings when None.

    Returns:
        The `Axes`.

    Raises:
        SessionError: matplotlib is not installed, or there is no such output.
    """
    top = _checked_top(top)
    ax = _axes(ax)
    if output is None:
        pairs = list(details.counts.items())
        what = "outcome" + (f" ({', '.join(reversed(details.outputs))})" if details.outputs else "")
    else:
        from session.outputs import PLAIN

        kind = details.types.get(output, PLAIN)
        pairs = [
            (shown_value(kind.value(int(key or "0", 2), len(key))), count)
            for key, count in details.counts_of_output(output).items()
        ]
        what = output
    shown, rest = pairs[:top], pairs[top:]
    labels, heights = [label for label, _ in shown], [count for _, count in shown]
    colours = [_BAR] * len(shown)
    if rest:
        labels.append(f"{len(rest):,} more")
        heights.append(sum(count for _, count in rest))
        colours.append(_SOFT)
    _bars(ax, labels, heights, colours, [f"{height:,}" for height in heights])
    ax.set_xlabel(what)
    ax.set_ylabel(f"counts of {details.num_shots:,} shots")
    return ax


def plot_amplitudes(result: StateVectorResult, ax: Any = None, *, top: int = 32) -> Any:
    """A bar for each basis state: its height the magnitude of the amplitude, its colour the phase.

    Args:
        result: amplitudes.
        ax: the matplotlib `Axes` to draw in; a new figure when None.
        top: how many basis states are shown, those of the largest magnitude, by ascending index.

    Returns:
        The `Axes`.
    """
    top = _checked_top(top)
    ax = _axes(ax)
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    states = result.states
    largest = sorted(states, key=lambda state: -abs(state.amplitude))[:top]
    kept = {state.bitstring for state in largest}
    shown = [state for state in states if state.bitstring in kept]
    scale = ScalarMappable(Normalize(-np.pi, np.pi), colormaps["hsv"])
    colours = list(scale.to_rgba(np.angle([state.amplitude for state in shown])))
    magnitudes = [abs(state.amplitude) for state in shown]
    _bars(ax, [state.bitstring for state in shown], magnitudes, colours, [f"{m:.3f}" for m in magnitudes])
    left = len(states) - len(shown)
    ax.set_xlabel("basis state" + (f" ({left:,} smaller ones are left out)" if left else ""))
    ax.set_ylabel("magnitude")
    colour_bar = ax.figure.colorbar(scale, ax=ax, ticks=[-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi])
    colour_bar.ax.set_yticklabels(["−π", "−π/2", "0", "π/2", "π"])
    colour_bar.set_label("phase")
    return ax


def plot_convergence(result: MinimizationResult, ax: Any = None) -> Any:
    """The cost after each iteration, and the lowest so far.

    Args:
        result: the history of a minimisation.
        ax: the matplotlib `Axes` to draw in; a new figure when None.

    Returns:
        The `Axes`.
    """
    ax = _axes(ax)
    from matplotlib.ticker import MaxNLocator

    iterations = np.arange(len(result))
    ax.plot(iterations, result.costs, "o-", color=_BAR, markersize=3, linewidth=1, label="cost")
    if len(result):
        ax.step(iterations, np.minimum.accumulate(result.costs), where="post", color=_LINE, label="lowest so far")
        ax.set_title(f"lowest {result.optimal_cost:.6g}, {result.metadata.get('method', '')}".rstrip(", "), fontsize=10)
        ax.legend(frameon=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("iteration")
    ax.set_ylabel("cost")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _axes(ax: Any) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise SessionError('Pictures need matplotlib: pip install "qsim-session[plot]".') from None
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


def _checked_top(top: Any) -> int:
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise SessionError(f"top is a whole number of at least 1, got {top!r}.")
    return top


def _bars(ax: Any, labels: list[str], heights: list[Any], colours: list[Any], numbers: list[str]) -> None:
    places = np.arange(len(labels))
    bars = ax.bar(places, heights, color=colours, width=0.8)
    crowded = len(labels) > _UPRIGHT or max(map(len, labels), default=0) * len(labels) > 90
    angle = 90 if crowded else 45 if len(labels) > _ANGLED or max(map(len, labels), default=0) > 8 else 0
    ax.set_xticks(places, labels, rotation=angle, ha="right" if angle == 45 else "center", family="monospace")
    if len(labels) <= _NUMBERED:
        ax.bar_label(bars, numbers, padding=2, fontsize=8)
        ax.margins(y=0.1)
    ax.spines[["top", "right"]].set_visible(False)

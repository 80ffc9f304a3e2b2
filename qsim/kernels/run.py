"""The kernel that runs programs: for many sets of parameters, one pass, or all passes together with other threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.atomic import fetch_add, wait_for
from qsim.kernels.bind import coefficients_of
from qsim.kernels.jit import kernel
from qsim.kernels.opcodes import IN_PASSES, IN_TILES, PASS_RECORD, PASS_SUPPORT
from qsim.kernels.passes import run_tiles
from qsim.kernels.whole import run_whole
from qsim.kernels.window import borrowed, keep, section, window


@kernel(inner=True)
def number_of_tiles(ints: Any, number: int, t: int) -> int:
    """How many tiles of a pass may hold something."""
    positions = window(section(ints, IN_TILES), t * number, t)
    outside, count = section(ints, IN_PASSES)[PASS_RECORD * number + PASS_SUPPORT], 1
    for j in range(t):
        outside &= ~(1 << positions[j])
    while outside:
        outside &= outside - 1
        count *= 2
    return count


@kernel(apart=True)
def run_together(
    state: Any, ints: Any, shared: Any, num_positions: int, t: int, num_passes: int, coefficients: Any, phase: complex,
    workspace: Any, column_numbers: int,
) -> None:  # fmt: skip
    """All passes, tile by tile as they come free, together with whoever else has been called with the same `shared`.

    shared[2 * p] counts the tiles of pass p that have been taken, shared[2 * p + 1] those that are done. Nobody begins a
    pass before the one before it is done; whoever comes late, or never, is not waited for.
    """
    one = np.int64(1)
    for p in range(num_passes):
        tiles = number_of_tiles(ints, p, t)
        while True:
            tile = fetch_add(shared, 2 * p, one)
            if tile >= tiles:
                break
            run_tiles(state, ints, p, tile, tile + 1, num_positions, t, coefficients, phase, workspace, column_numbers)
            fetch_add(shared, 2 * p + 1, one)
        wait_for(shared, 2 * p + 1, tiles)


@kernel()
def run(
    state: Any, ints: Any, values: Any, template: Any, arguments: Any, shapes: Any, factors: Any, rows: Any, first: int,
    width: int, last: int, num_positions: int, t: int, num_passes: int, number: int, start: int, stop: int, coefficients: Any,
    phase: complex, workspace: Any, column_numbers: int, shared: Any,
) -> Any:  # fmt: skip
    """A program for some sets of parameters, or all of its passes, or some tiles of one; see `qsim.compiler.program`.

    With first < last: rows [first, last) of parameter values are bound one by one, and the states, one behind the other
    in `state`, each run from |0...0> (not if num_passes is 0: then nothing but binding is done). Else, with the
    coefficients and the phase of the start that are given, tiles [start, stop) of pass `number` are run, or, if `shared` is
    not empty, several passes together with others: all of them if width is 0, see `run_together`; else passes [start, stop)
    of one tile as thread `number` of `width`, with the workspaces of all threads, see `qsim.kernels.whole.run_whole`.
    `workspace` is room for one tile; see `workspace_numbers`. Returns the last global factor, and a row whose angles
    are not all finite, or -1.
    """
    state, ints, values, template = borrowed(state), borrowed(ints), borrowed(values), borrowed(template)
    arguments, rows, shapes, factors = borrowed(arguments), borrowed(rows), borrowed(shapes), borrowed(factors)
    coefficients, workspace, shared = borrowed(coefficients), borrowed(workspace), borrowed(shared)
    size = 2 << num_positions
    bad = -1
    if first < last:
        room = np.empty(len(template))
        exact = borrowed(room)
        for row in range(first, last):
            for k in range(len(template)):
                exact[k] = template[k]
            phase, finite = coefficients_of(
                ints, values, arguments, shapes, factors, window(rows, row * width, width), exact
            )
            if not finite and bad < 0:
                bad = row
            for k in range(len(template)):
                coefficients[k] = exact[k]
            for p in range(num_passes):
                run_tiles(
                    window(state, size * (row - first), size), ints, p, start, stop, num_positions, t, coefficients, phase,
                    workspace, column_numbers,
                )  # fmt: skip
        keep(room)
    elif width > 0:
        run_whole(state, ints, shared, number, width, start, stop, t, coefficients, phase, workspace, column_numbers)
    elif len(shared) > 0:
        run_together(state, ints, shared, num_positions, t, num_passes, coefficients, phase, workspace, column_numbers)
    else:
        run_tiles(state, ints, number, start, stop, num_positions, t, coefficients, phase, workspace, column_numbers)
    return phase, bad

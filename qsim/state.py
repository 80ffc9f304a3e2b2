"""Driving the kernels: a program over a state, and operators on a state, on several threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import Program
from qsim.compiler.thin import Thin
from qsim.kernels import operators
from qsim.kernels.opcodes import LANE_BITS
from qsim.observable import Observable, compiled, terms_to_apply
from qsim.pauli import SparsePauliOp
from qsim.pool import part, report, run_shares
from qsim.workspace import rooms, state_room, zeros_unwritten

Array = npt.NDArray[Any]
#: A share of a pass below this many amplitudes is not worth a thread.
MIN_SHARE = 1 << 12
#: Amplitudes that a thread works on before it looks whether the run is to stop: a few milliseconds.
_CHUNK = 1 << 18
#: The first call of a pass is to take no more nanoseconds than these, by the same estimate.
_FIRST_CALL = 10_000_000
#: Nanoseconds of work, by a rough estimate, from which a second thread pays: waking a halted core takes about 50,000.
_WORTH_A_THREAD = 200_000
#: Up to so many nanoseconds all passes are one call a thread, which nothing interrupts; threads then wait for each other
#: between passes by looking again and again, which takes a microsecond and not fifty.
_LONGEST_TOGETHER = 50_000_000
_ALIGN_FROM = 1 << 12
#: Amplitudes of memory that is written to for the first time, a huge page or two.
_FRESH = 1 << 17
#: States of so many bytes get their pages before a pass writes to them, so many pages at a time.
_TOUCHED_FROM, _PAGE, _PAGES = 1 << 28, 1 << 12, 1 << 9
#: Thin states from so many bytes on are written by several threads, or are memory that nobody writes to where they are zero.
_UNWRITTEN_FROM = 1 << 21
_NO_ROWS = np.zeros(0)


def evolve(program: Program, parameters: Array, dtype: Any, threads: int, initial: Array | None = None) -> Array:
    """Run a program on |0...0> or on `initial` (overwritten); the result has shape (2**n,) and natural order."""
    real = np.float64 if dtype == np.complex128 else np.float32
    size = 1 << program.num_qubits
    threads = max(1, min(threads, size // MIN_SHARE))
    state: Array
    if initial is None and program.num_passes <= 1 and size <= 4 * MIN_SHARE:
        report(0, 1)
        state = evolve_rows(program, parameters, 0, 1, dtype)
        report(1, 1)
        return state
    coefficients, phase = program.bind(parameters, real)
    if initial is not None:
        state = initial
        if phase != 1:
            _scale(state, dtype(phase), threads)
    else:
        state = _fresh(program, dtype)
        if not program.num_passes:
            state[0] = phase
        elif program.writes_all:
            touch(state, threads)
    flat = state.view(real)
    _run_passes(program, flat, coefficients, phase, threads)
    return state


def evolve_from(program: Program, parameters: Array, place: Array, amplitude: complex, threads: int) -> None:
    """Run a program on `amplitude` times |0...0>; the result is put into `place`, shape (2**n,), in natural order."""
    real = np.float64 if place.dtype == np.complex128 else np.float32
    threads = max(1, min(threads, len(place) // MIN_SHARE))
    coefficients, phase = program.bind(parameters, real)
    if not (program.num_passes and program.writes_all):

        def clear(_: int, start: int, stop: int) -> None:
            place[start:stop] = 0

        run_shares(clear, len(place), threads, chunk=_CHUNK)
    if not program.num_passes:
        place[0] = phase * amplitude
        return
    _run_passes(program, place.view(real), coefficients, complex(phase * amplitude), threads)


def write_thin(thin: Thin, dtype: Any, threads: int) -> Array:
    """A thin state in full, shape (2**n,)."""
    length = np.dtype(dtype).itemsize << thin.num_qubits
    if thin.is_sparse and length >= _UNWRITTEN_FROM:
        room = zeros_unwritten(length, lambda array: thin.put_entries(flat_view(array.view(dtype))))
        report(1, 1)
        sparse: Array = room.view(dtype)
        return sparse
    state = room_for(length, dtype, clear=False)
    flat = flat_view(state)
    if length < _UNWRITTEN_FROM:
        thin.put_rows(flat, 0, thin.num_rows)
    else:
        chunk = max(1, _FRESH >> thin.row_bits)
        run_shares(
            lambda _, start, stop: thin.put_rows(flat, start, stop), thin.num_rows, threads, chunk=chunk, steady=True
        )
    report(1, 1)
    return state


def _run_passes(program: Program, flat: Array, coefficients: Array, phase: complex, threads: int) -> None:
    """All passes, on so many threads."""
    real, numbers = flat.dtype.type, program.workspace_numbers
    if threads > 1 and program.is_whole and program.worth_sharing(flat.nbytes):
        with rooms(real, threads * (numbers + -numbers % (1 << LANE_BITS)), 1) as (workspaces,):
            _run_whole(program, flat, coefficients, phase, workspaces, threads)
        return
    if program.is_whole:  # or each thread would find what the other has written
        threads = 1
    with rooms(real, numbers, threads) as rooms_of_threads:
        _run_tiles(program, flat, coefficients, phase, rooms_of_threads)


def _run_tiles(program: Program, flat: Array, coefficients: Array, phase: complex, workspaces: list[Array]) -> None:
    """All passes, tile by tile."""
    threads = len(workspaces)
    work = program.nanoseconds
    if threads > 1 and len(work) > 1 and _WORTH_A_THREAD < sum(work) < _LONGEST_TOGETHER:
        counts = np.zeros(2 * program.num_passes, np.int64)

        def all_passes(thread: int, start: int, stop: int) -> None:
            program.run(
                flat, _NO_ROWS, 0, 0, program.num_passes, 0, 0, 0, coefficients, phase, workspaces[thread], counts
            )

        run_shares(all_passes, threads, threads, chunk=1)
        report(1, 1)
        return
    for number in range(program.num_passes):

        def share(thread: int, start: int, stop: int, number: int = number) -> None:
            program.run(flat, _NO_ROWS, 0, 0, 0, number, start, stop, coefficients, phase, workspaces[thread])

        tiles = program.num_tiles(number)
        chunk = max(
            1, min(tiles // (4 * threads), _CHUNK >> program.tile_bits, int(tiles * _FIRST_CALL / work[number]))
        )
        run_shares(share, tiles, threads if work[number] > _WORTH_A_THREAD else 1, chunk=chunk)
        report(number + 1, program.num_passes)


def _run_whole(
    program: Program, flat: Array, coefficients: Array, phase: complex, workspaces: Array, threads: int
) -> None:
    """All passes of a program whose one tile is the whole state, on several threads."""
    steps = 2 * program.num_operations + 4 * program.num_passes
    counts = np.zeros(steps * (threads + 1), np.int64)

    def share(thread: int, start: int, stop: int) -> None:
        program.run_whole(flat, thread, threads, first, last, coefficients, phase, workspaces, counts)

    last = 0
    while last < program.num_passes:
        first, work = last, 0.0
        while last < program.num_passes and (last == first or work + program.nanoseconds[last] < _LONGEST_TOGETHER):
            work += program.nanoseconds[last]
            last += 1
        counts[:] = 0
        run_shares(share, threads, threads, chunk=1)
        report(last, program.num_passes)


def evolve_rows(program: Program, rows: Array, first: int, last: int, dtype: Any) -> Array:
    """States for rows [first, last) of flat parameter values, one behind the other, from |0...0>, on this thread."""
    real = np.float64 if dtype == np.complex128 else np.float32
    if last - first == 1:
        state = _fresh(program, dtype)
    else:
        length = (last - first) * np.dtype(dtype).itemsize << program.num_qubits
        state = room_for(length, dtype, clear=not (program.writes_all and program.num_passes))
    coefficients = np.empty(len(program.template), real)
    if program.num_passes:
        with rooms(real, program.workspace_numbers, 1) as (room,):
            program.run(state.view(real), rows, first, last, program.num_passes, 0, 0, -1, coefficients, 1 + 0j, room)
        return state
    for row in range(first, last):
        width = len(rows) // last
        parameters = rows[row * width : row * width + width]
        state[(row - first) << program.num_qubits] = program.bind(parameters)[1]
    return state


def evolve_batch(program: Program, rows: Array, dtype: Any, threads: int) -> Array:
    """The states for rows of parameter values (sets, parameters), shape (sets, 2**n)."""
    sets, size = len(rows), 1 << program.num_qubits
    result: Array = np.empty((sets, size), dtype=dtype)
    if size >= 2 * threads * MIN_SHARE or program.num_passes > 1:  # each is worth all threads, or long
        for k, row in enumerate(rows):
            with part(k, sets):
                result[k] = evolve(program, row, dtype, threads)
        return result
    flat = np.ascontiguousarray(rows, dtype=np.float64).reshape(-1)
    width = rows.shape[1]

    def share(_: int, start: int, stop: int) -> None:
        states = evolve_rows(program, flat[start * width : stop * width], 0, stop - start, dtype)
        result[start:stop] = states.reshape(stop - start, size)

    threads = threads if sets * (size + 64) > 1 << 10 else 1
    run_shares(share, sets, threads, chunk=max(1, min(-(-sets // (4 * threads)), (1 << 20) // size)))
    return result


def batch_means(program: Program, rows: Array, observable: Observable, dtype: Any, threads: int) -> Array | None:
    """Expectation values for rows of parameter values, shape (sets, operators), each as soon as its state is there.

    None where a state is worth all threads, or long: see `evolve_batch`.
    """
    sets, size = len(rows), 1 << program.num_qubits
    if size >= 2 * threads * MIN_SHARE or program.num_passes > 1:
        return None
    flat = np.ascontiguousarray(rows, dtype=np.float64).reshape(-1)
    width, result = rows.shape[1], np.empty((sets, observable.num_operators))

    def share(_: int, start: int, stop: int) -> None:
        states = evolve_rows(program, flat[start * width : stop * width], 0, stop - start, dtype)
        result[start:stop] = observable.means(states.reshape(stop - start, size), 1)

    threads = threads if sets * (size + 64) > 1 << 10 else 1
    run_shares(share, sets, threads, chunk=max(1, min(-(-sets // (4 * threads)), (1 << 20) // size)))
    return result


def _fresh(program: Program, dtype: Any) -> Array:
    """Room for a state; zeros where the passes do not write. They take what they have not written yet for zero."""
    size = 1 << program.num_qubits
    if size < _ALIGN_FROM:
        return np.empty(size, dtype=dtype) if program.num_passes and program.writes_all else np.zeros(size, dtype=dtype)
    length = size * np.dtype(dtype).itemsize
    return room_for(length, dtype, clear=not (program.num_passes and program.writes_all))


def room_for(length: int, dtype: Any, clear: bool) -> Array:
    """Memory for amplitudes, `length` bytes of it, which begins at a line of the cache so that no vector lies across two."""
    room = state_room(length + 64, clear=clear)
    start = -room.ctypes.data % 64
    view: Array = room[start : start + length].view(dtype)
    return view


def touch(state: Array, threads: int) -> None:
    """Make the system give all pages of a large state that is yet to be written, some at a time.

    The tiles of a pass lie all over the state: one that comes early writes to most pages, and could not be stopped
    until it has them all, which takes a second for a GiB where memory is scarce.
    """
    if state.nbytes < _TOUCHED_FROM:
        return
    pages = state.view(np.uint8)[::_PAGE]

    def share(_: int, start: int, stop: int) -> None:
        pages[start:stop] = 0

    run_shares(share, len(pages), threads, chunk=_PAGES, steady=True)


def _scale(state: Array, factor: Any, threads: int) -> None:
    """state *= factor, on threads and in pieces between which a run can be stopped."""

    def share(_: int, start: int, stop: int) -> None:
        piece = state[start:stop]
        np.multiply(piece, factor, out=piece)

    run_shares(share, len(state), threads, chunk=_CHUNK)


def copy_of(state: Array, threads: int) -> Array:
    """A copy, made on threads and in pieces between which a run can be stopped."""
    result = np.empty_like(state)
    copy_into(result, state, threads)
    return result


def copy_into(place: Array, state: Array, threads: int) -> None:
    """place[:] = state, in the same way."""

    def share(_: int, start: int, stop: int) -> None:
        place[start:stop] = state[start:stop]

    run_shares(share, len(state), threads if len(state) > _CHUNK else 1, chunk=_FRESH, steady=True)


def flat_view(state: Array) -> Array:
    """The interleaved real and imaginary parts of a state."""
    return state.view(np.float64 if state.dtype == np.complex128 else np.float32)


def operator_means(states: Array, operator: SparsePauliOp, threads: int) -> Array:
    """<psi|O|psi> of each of `states`, shape (sets, 2**n), for a Hermitian operator."""
    return compiled(operator, states.shape[1].bit_length() - 1).means(states, threads)[:, 0]


def operator_moments(states: Array, operator: SparsePauliOp, threads: int) -> tuple[Array, Array]:
    """<psi|O|psi> (real part) and |O psi|**2 of each of `states`, shape (sets, 2**n); normalised or not."""
    bits = min(states.shape[1].bit_length() - 1, operators.BLOCK_BITS)
    terms, weights, spans = terms_to_apply(operator, bits)
    flat, out = flat_view(states.reshape(-1)), np.empty((states.size >> bits, 2))
    _run_blocks(
        lambda _, start, stop: operators.apply_operator(flat, 0, bits, start, stop, terms, weights, spans, out),
        len(out), bits, len(weights), threads,
    )  # fmt: skip
    mean, square = out.reshape(len(states), -1, 2).sum(axis=1).T
    return mean, square


def _run_blocks(share: Any, blocks: int, bits: int, terms: int, threads: int) -> None:
    """A reduction over blocks whose work is proportional to an operator's terms."""
    work = (blocks << bits) * max(terms, 1)
    chunk = max(1, blocks * _CHUNK // (work + 1)) if work > 4 * MIN_SHARE else None
    run_shares(share, blocks, threads if work > 4 * MIN_SHARE else 1, chunk=chunk)

"""The command line: ``qsim run``, ``estimate``, ``statevector``, ``info``, ``draw``, ``check``, ``convert``, ``warmup``.

Exit codes: 0; 1 for an error in what the user gave, told in one message; 2 for wrong usage; 130 for Ctrl-C.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import numpy as np

from qsim import first_runs
from qsim.drawing import draw as draw_circuit
from qsim.engines import wants_other
from qsim.errors import MissingParameterError, QsimError
from qsim.linalg import phase_of
from qsim.methods import METHODS, choose
from qsim.pauli import SparsePauliOp
from qsim.version import __version__
from qsim.warmup import can_keep_kernels, kernels_ready, warm_up
from session import cli_jobs, cli_plan, cli_ranks
from session.cli_backends import backends, read_options
from session.cli_input import read_text, read_values
from session.cli_programs import check, convert
from session.description import describe, fact_text
from session.errors import SessionError
from session.execution import ExecutionSession
from session.preferences import DEFAULT_SHOTS, GROUPINGS, BackendNames, ExecutionPreferences
from session.programs import Program, read_program, writes_bits
from session.quantum_program import QuantumProgram
from session.results import EstimationResult, ExecutionDetails
from session.terminal import aligned, print_table

#: Outputs of more bits are not shown as numbers beside the bitstring.
WIDEST_NUMBER = 64
Function = TypeVar("Function", bound=Callable[..., Any])


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; `args` are those of the process when None."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without box characters still gets the rest
    try:
        with cli.make_context("qsim", list(sys.argv[1:] if args is None else args)) as context:
            cli.invoke(context)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        error.show()
        return 2
    except MissingParameterError as error:
        return _fail(
            f"{error} Give them with --set, such as --set theta=pi/2, or --set angles=0.1,0.2 for several numbers."
        )
    except QsimError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader went away; what is still buffered must not raise again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _fail("There is not enough memory for this. Try --precision single or fewer qubits.")


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qsim", message="%(prog)s %(version)s")
def cli() -> None:
    """Run OpenQASM 2 and 3 programs on an exact simulator. FILE may be - for standard input."""


cli.add_command(cli_jobs.jobs)
cli.add_command(cli_jobs.worker)
cli.add_command(cli_plan.plan)


# options that several commands share ---------------------------------------------------------------------------
_SET = click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Give a parameter its value: theta=pi/2, p=0.1,0.2."
)
_SEED = click.option("--seed", type=int, help="Repeat the counts of an earlier run.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
_TOP = click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show the first N rows only.")


def _backend(function: Function) -> Function:
    where = click.option("--backend", metavar="B", help="Where to run it: one of those that 'qsim backends' lists.")
    option = click.option(
        "--backend-option", "backend_options", metavar="NAME=VALUE", multiple=True,
        help="What the backend takes besides: target=qpu.forte-1, profile=work. Never a credential.",
    )  # fmt: skip
    return where(option(function))


def _file(function: Function) -> Function:
    include = click.option(
        "--include", metavar="DIR", multiple=True, help="A folder whose files the program may include; none otherwise."
    )
    return click.argument("file")(include(function))


def _engine_options(function: Function) -> Function:
    precision = click.option("--precision", type=click.Choice(["double", "single"]), default="double")
    threads = click.option("--threads", type=int, metavar="T", help="Threads; all cores when left out.")
    method = click.option("--method", metavar="M", help=f"One of {', '.join(METHODS)}; automatic when left out.")
    noise = click.option("--noise", metavar="FILE", help="A noise model, as NoiseModel.to_json writes it.")
    return precision(threads(method(noise(function))))


def _open(file: str, include: Sequence[str], options: dict[str, Any], text: str | None = None) -> ExecutionSession:
    """A session on a program file, or on its text, with preferences out of a command's options."""
    names = {"shots": "num_shots", "seed": "random_seed"}
    options["backend_options"] = read_options(options.get("backend_options", ()))
    if options.get("noise") is not None:
        options["noise"] = read_text(options["noise"])
    chosen = ExecutionPreferences().updated(**{names.get(name, name): value for name, value in options.items()})
    return ExecutionSession(_program(file, include, text), execution_preferences=chosen)


def _program(file: str, include: Sequence[str], text: str | None = None) -> Program:
    """A program out of a file of OpenQASM text, or of a quantum program in JSON."""
    text = read_text(file) if text is None else text
    if text.lstrip().startswith("{"):
        return read_program(QuantumProgram.from_json(text))
    return read_program(text, "<stdin>" if file == "-" else file, include)


def _prepare_engine(session: ExecutionSession | None = None) -> None:
    """Compile the kernels now if this machine never did, and say so: it takes a while, once.

    A small circuit need not wait for that.
    """
    if session is not None and session.preferences.backend not in list(BackendNames):
        return
    if (
        session is not None
        and not session.circuit.is_dynamic
        and first_runs.worth_it(session.circuit, session.simulator.precision)
    ):
        return
    if session is not None and _method_of(session) != "statevector":
        return
    if not kernels_ready():
        print("compiling the engine for this machine (one time, half a minute) ...", file=sys.stderr, flush=True)
        warm_up()


def _method_of(session: ExecutionSession) -> str:
    """The method of a program's samples, as far as it is known before parameters are."""
    if not wants_other(session.simulator, session.circuit):
        return "statevector"
    try:
        return choose(session.circuit, session.simulator).method
    except QsimError:
        return "another"


def _note_method(facts: Mapping[str, Any]) -> None:
    """Say which method ran, where it was not the statevector, and what it left out."""
    if "reason" not in facts:
        return
    error = facts.get("truncation_error")
    lost = "" if error is None else f", truncation error {error:.2g}, bonds of up to {facts['max_bond']:,}"
    print(f"note: method {facts['method']}{lost} ({facts['reason']})", file=sys.stderr)


# commands ------------------------------------------------------------------------------------------------------
@cli.command()
@_file
@click.option("--shots", type=int, default=DEFAULT_SHOTS, show_default=True, metavar="N", help="How often to run it.")
@_SEED
@_SET
@_backend
@_engine_options
@click.option("--submit", is_flag=True, help="Store it as a job and print its id; 'qsim worker' runs it.")
@cli_plan.in_file_options
@_TOP
@_JSON
def run(
    file: str,
    include: tuple[str, ...],
    settings: tuple[str, ...],
    submit: bool,
    top: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a program and count its outcomes; on several ranks under mpiexec."""
    place = cli_plan.Place.of(options, submit)
    if place is not None:
        program = _program(file, include)
        values = read_values(settings, program.circuit)
        _prepare_engine()
        _print_details(place.sample(program, values, options), values, top, as_json)
        return
    if cli_ranks.several_ranks():

        def body(ranked: cli_ranks.RankedCommand) -> None:
            text = ranked.read(file, read_text)
            session, values = ranked.open(lambda: _open(file, include, dict(options), text), settings)
            details = ranked.sample(session, values)
            if ranked.prints:
                _print_details(details, values, top, as_json)

        cli_ranks.run_ranked({**options, "submit": submit}, body)
        return
    session = _open(file, include, options)
    values = read_values(settings, session.circuit)
    session.check(values)
    if not writes_bits(session.circuit) and not isinstance(session.program, QuantumProgram):
        print("note: the program has no measurement, so all its qubits are measured", file=sys.stderr)
    if submit:
        cli_jobs.print_submitted(session._submit(session._sample_task(values, None), start=False), as_json)
        return
    _prepare_engine(session)
    _print_details(session.sample(values), values, top, as_json)


def _print_details(details: ExecutionDetails, values: Any, top: int | None, as_json: bool) -> None:
    _note_method(details.metadata)
    if as_json:
        print(json.dumps({**details.to_dict(), "parameters": values}))
        return
    shots = details.num_shots
    shown = [name for name, bits in details.outputs.items() if len(bits) <= WIDEST_NUMBER]
    rows = (
        ([bitstring, *(str(values[name]) for name in shown), f"{count:,}", f"{count / shots:.4f}"], count / shots)
        for bitstring, count, values in details.rows()
    )
    header = ["bitstring", *shown, "counts", "probability"]
    print_table(header, rows, len(details.counts), f"{shots:,} shots, seed {details.seed}", top)


@cli.command()
@_file
@click.option("--observable", required=True, metavar="SUM", help='A sum of Pauli products: "Z0*Z1 + 0.5*X0".')
@click.option("--shots", type=int, metavar="N", help="Estimate from so many shots; exact when left out.")
@click.option("--grouping", type=click.Choice(GROUPINGS), help="How terms are put together that are measured at once.")
@click.option(
    "--readout-mitigation",
    type=int,
    metavar="N",
    help="Take readout errors out, measured with N shots of two circuits.",
)
@_SEED
@_SET
@_backend
@_engine_options
@cli_plan.in_file_options
@_JSON
def estimate(
    file: str, include: tuple[str, ...], observable: str, settings: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Compute the expectation value of an observable, before final measurements."""
    operator = SparsePauliOp.from_string(observable)
    place = cli_plan.Place.of(options)
    if place is not None:
        program = _program(file, include)
        values = read_values(settings, program.circuit)
        _prepare_engine()
        _print_estimate(place.estimate(program, values, operator, options), operator, values, as_json)
        return
    if cli_ranks.several_ranks():

        def body(ranked: cli_ranks.RankedCommand) -> None:
            text = ranked.read(file, read_text)
            session, values = ranked.open(lambda: _open(file, include, dict(options), text), settings)
            result = ranked.estimate(session, values, operator)
            if ranked.prints:
                _print_estimate(result, operator, values, as_json)

        cli_ranks.run_ranked(options, body)
        return
    if options["backend"] is None:
        exact = options["shots"] is None and options["readout_mitigation"] is None
        options["backend"] = BackendNames.SIMULATOR_STATEVECTOR if exact else BackendNames.SIMULATOR
    session = _open(file, include, options)
    values = read_values(settings, session.circuit)
    session.check(values, operator)
    _prepare_engine(session)
    _print_estimate(session.estimate(operator, values), operator, values, as_json)


def _print_estimate(result: EstimationResult, operator: SparsePauliOp, values: Any, as_json: bool) -> None:
    _note_method(result.metadata)
    if as_json:
        print(json.dumps({**result.to_dict(), "observable": str(operator), "parameters": values}))
        return
    rows = [
        ["value", repr(result.value)],
        ["variance", repr(result.variance)],
        ["standard error", repr(result.standard_error) if "num_shots" in result.metadata else "0 (exact)"],
    ]
    print(aligned(["observable", str(operator)], rows, right=()))


@cli.command()
@_file
@_SET
@_engine_options
@_TOP
@_JSON
def statevector(
    file: str, include: tuple[str, ...], settings: tuple[str, ...], top: int | None, as_json: bool, **options: Any
) -> None:
    """Show the amplitudes before final measurements, without those below 1e-6."""
    session = _open(file, include, options)
    values = read_values(settings, session.circuit)
    session.check(values)
    _prepare_engine(session)
    state = session.simulator.statevector(session.circuit, values)
    width = session.circuit.num_qubits
    kept = {format(int(k), f"0{width}b") if width else "": complex(state[k]) for k in np.nonzero(abs(state) > 1e-6)[0]}
    if as_json:
        print(json.dumps({"amplitudes": {key: [a.real, a.imag] for key, a in kept.items()}, "parameters": values}))
        return
    rows = (
        ([key, f"{a:+.6f}", f"{phase_of(a) / math.pi:+.4f}π", f"{abs(a) ** 2:.6f}"], abs(a) ** 2)
        for key, a in kept.items()
    )
    print_table(["state", "amplitude", "phase", "probability"], rows, len(kept), f"{width} qubits", top)


@cli.command()
@_file
@_JSON
@_engine_options
def info(file: str, include: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Say what is in a program and what it takes to run it."""
    session = _open(file, include, options)
    facts = describe(session.circuit, session.simulator)
    if as_json:
        print(json.dumps(facts))
        return
    rows = [[name, fact_text(name, value)] for name, value in facts.items()]
    print(aligned(["program", "standard input" if file == "-" else file], rows, right=()))


@cli.command()
@_file
@click.option(
    "--width", type=click.IntRange(min=20), metavar="N", help="Characters in a line; the terminal's if left out."
)
def draw(file: str, include: tuple[str, ...], width: int | None) -> None:
    """Draw a program's circuit as text."""
    print(draw_circuit(_program(file, include).circuit, width or shutil.get_terminal_size((100, 24)).columns))


@cli.command()
@click.option("--precision", type=click.Choice(["double", "single", "both"]), default="both", show_default=True,
              help="Which numbers to compile for.")  # fmt: skip
def warmup(precision: str) -> None:
    """Compile the engine for this machine now, so that no later run waits for it."""
    if not can_keep_kernels():
        raise SessionError(
            "Compiled code cannot be kept: there is no cache folder that this user alone can write to. Set QSIM_CACHE_DIR to "
            "one. Without it everything works, but each process compiles what it needs."
        )
    missing = [name for name in ("double", "single") if precision in (name, "both") and not kernels_ready(name)]
    if not missing:
        print("the engine is compiled already")
        return
    start = time.perf_counter()
    for name in missing:
        print(f"compiling the engine in {name} precision (half a minute) ...", file=sys.stderr, flush=True)
        warm_up(name)
    print(f"compiled in {time.perf_counter() - start:.1f} s")


cli.add_command(backends)
cli.add_command(check)
cli.add_command(convert)

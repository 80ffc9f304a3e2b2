"""A simulator's batch methods as tasks: a call written as bytes, run for some of its sets, and put together again."""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import io
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.arguments import as_operators, check_circuit, checked_seed, checked_shots
from qsim.batches.checkpoint import Checkpoint, identity, seed_of
from qsim.batches.driver import Facts, Work, spread
from qsim.batches.ledger import Ledger
from qsim.batches.pools import open_pool
from qsim.batches.results import KINDS, joined, taken_apart
from qsim.batches.worker import Part
from qsim.circuit import Circuit
from qsim.circuit_json import circuit_from_json, circuit_to_json
from qsim.errors import CheckpointError, ExecutorError
from qsim.operator_json import operator_from_json, operator_to_json
from qsim.parameter_binding import bind_parameters
from qsim.pauli import check_observable
from qsim.pool import thread_count
from qsim.simulator import Simulator

Array = npt.NDArray[Any]
#: Programs that a worker keeps compiled.
_KEPT = 4
#: Bytes of parameters that one block has at most, and of results.
_MOST_PARAMETERS, _MOST_RESULTS = 1 << 22, 1 << 24
_kept: OrderedDict[str, Call] = OrderedDict()
_guard = threading.Lock()


class Call:
    """One call of a simulator's method, but for its parameters and seed.

    Args:
        simulator: runs it.
        name: the method.
        circuit: its circuit.
        options: its other arguments by name, checked.
    """

    def __init__(self, simulator: Simulator, name: str, circuit: Circuit, options: Mapping[str, Any]) -> None:
        self.simulator, self.name, self.circuit, self.options = simulator, name, circuit, dict(options)

    def run(self, rows: Array, seed: int) -> Any:
        """What the method gives for some sets."""
        named = dict(self.options)
        if KINDS[self.name].is_seeded:
            named["seed"] = seed
        return getattr(self.simulator, self.name)(self.circuit, parameters=rows, **named)

    def to_data(self) -> dict[str, Any]:
        """What JSON can hold; `from_data` takes it back."""
        options = {name: _plain(value) for name, value in self.options.items() if value is not None}
        return {
            "call": self.name,
            "circuit": circuit_to_json(self.circuit),
            "settings": settings_of(self.simulator),
            "options": options,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Call:
        """What `to_data` gave."""
        options = {name: _read(value) for name, value in data["options"].items()}
        return cls(simulator_of(data["settings"]), data["call"], circuit_from_json(data["circuit"]), options)


def run_call(program: bytes, rows: Array, seed: int, threads: int | None) -> tuple[str, dict[str, Array]]:
    """Some sets of a call; a function for workers, which keep what they compiled for the last few programs.

    Args:
        program: JSON of `Call.to_data`, compressed by zlib.
        rows: shape (sets, parameters).
        seed: of the first.
        threads: at most so many; None for all.
    """
    key = hashlib.sha256(program).hexdigest()
    with _guard:
        call = _kept.get(key)
        if call is None:
            call = _kept[key] = Call.from_data(json.loads(zlib.decompress(program)))
        _kept.move_to_end(key)
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    call.simulator.threads = thread_count(threads)
    return taken_apart(call.name, call.circuit, call.run(rows, seed), call.simulator.last_run)


def send(
    simulator: Simulator, name: str, circuit: Any, parameters: Any, executor: Any, checkpoint: Any,
    options: dict[str, Any],
) -> Any:  # fmt: skip
    """Run a method of a simulator for a batch, on an executor or here, with or without a checkpoint.

    Args:
        simulator: whose method it is.
        name: the method.
        circuit, parameters: as the method takes them; what is no batch is run here.
        executor: takes the blocks; None is this process.
        checkpoint: the path of a file, or None.
        options: the method's other arguments.

    Raises:
        ExecutorError: the executor, or a worker, cannot run it.
        CheckpointError: the checkpoint is of another call, or cannot be used.
    """
    alone = copy.copy(simulator)  # and settings that are changed meanwhile do not matter
    alone.executor = None
    pool = open_pool(executor)
    check_circuit(circuit)
    rows, batched = bind_parameters(circuit, parameters)
    if checkpoint is not None and not batched:
        raise CheckpointError("A checkpoint keeps the results of a batch: give a list of parameter sets, or an array.")
    seed, options = _checked(circuit, options)
    call = Call(alone, name, circuit, options)
    if not batched or (len(rows) < 2 and checkpoint is None):
        return call.run(rows if batched else parameters, checked_seed(seed))
    if seed is None and checkpoint is not None:
        seed = seed_of(checkpoint)
    seed = checked_seed(seed) if KINDS[name].is_seeded else 0
    data = call.to_data()
    ledger = Ledger(len(rows), most_sets(rows, KINDS[name].bytes_of(call)))
    if executor is None:
        work = Work(functools.partial(_run_here, call), b"", rows, seed, None)
    else:
        program = zlib.compress(json.dumps(data).encode(), 1)
        work = Work(run_call, program, rows, seed, alone._wanted_threads)
    about = {"settings": data["settings"], "options": data["options"]}
    batch = {} if checkpoint is None else identity(name, data["circuit"], rows, seed, about)
    facts = run_batch(pool, work, ledger, checkpoint, batch)
    result, last = joined(call, ledger.in_order(), seed)
    simulator._last.facts = {**last, **_about(facts)}
    return result


def run_batch(pool: Any, work: Work, ledger: Ledger, checkpoint: Any, batch: Mapping[str, Any]) -> Facts:
    """Run what is left of a batch, and keep the results in a checkpoint if its path is given."""
    if checkpoint is None:
        return spread(pool, work, ledger)
    with Checkpoint(checkpoint, batch) as file:
        for part in file.parts:
            ledger.add(part)
        return spread(pool, work, ledger, file.append)


def most_sets(rows: Array, result_bytes: int) -> int:
    """Sets of one block, so that neither its parameters nor its results take too much memory and time on the way."""
    width = max(1, 8 * int(rows.shape[1]))
    return max(1, min(_MOST_PARAMETERS // width, _MOST_RESULTS // max(1, result_bytes)))


def _run_here(call: Call, program: bytes, rows: Array, seed: int, threads: int | None) -> tuple[str, dict[str, Array]]:
    return taken_apart(call.name, call.circuit, call.run(rows, seed), call.simulator.last_run)


def _about(facts: Facts) -> dict[str, Any]:
    return {"executor": facts.executor, "workers": facts.workers, "blocks": facts.blocks}


def _checked(circuit: Circuit, options: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    """The seed, and the other options in the form in which they travel; what is wrong is told before anything is sent."""
    made = dict(options)
    seed = made.pop("seed", None)
    if seed is not None:
        seed = checked_seed(seed)
    if "shots" in made and made["shots"] is not None:
        made["shots"] = checked_shots(made["shots"])
    if "observable" in made:
        single, operators = as_operators(made["observable"])
        for operator in operators:
            check_observable(operator, circuit.num_qubits)
        made["observable"] = operators[0] if single else operators
    if made.get("qubits") is not None:
        made["qubits"] = [circuit._qubit(qubit) for qubit in made["qubits"]]
    if "memory" in made and isinstance(made["memory"], np.bool_):
        made["memory"] = bool(made["memory"])
    return seed, {name: value for name, value in made.items() if value is not None}


# settings and options as data -----------------------------------------------------------------------------------
def settings_of(simulator: Simulator) -> dict[str, Any]:
    """A simulator as plain data, but for its threads."""
    return {
        "precision": simulator.precision,
        "memory_limit": simulator.memory_limit,
        "method": simulator.method,
        "max_bond": simulator._options.max_bond,
        "truncation": simulator._options.truncation,
        "max_loop_rounds": simulator.max_loop_rounds,
        "noise": None if simulator.noise is None else simulator.noise.to_json(),
        "tile_bits": simulator._tile_bits,
    }


def simulator_of(settings: Mapping[str, Any]) -> Simulator:
    """What `settings_of` gave, as a simulator.

    >>> simulator_of(settings_of(Simulator("single", method="mps"))).method
    'mps'
    """
    from qsim.noise import NoiseModel

    named = dict(settings)
    noise, tile_bits = named.pop("noise"), named.pop("tile_bits")
    precision, memory_limit = named.pop("precision"), named.pop("memory_limit")
    model = None if noise is None else NoiseModel.from_json(noise)
    return Simulator(precision, None, memory_limit, noise=model, _tile_bits=tile_bits, **named)


def _plain(value: Any) -> Any:
    """An option as JSON can hold it: operators and arrays with a tag."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if hasattr(value, "terms") and hasattr(value, "num_qubits"):
        return {"operator": operator_to_json(value)}
    if isinstance(value, Sequence) and not len(value):
        return {"list": []}
    if isinstance(value, Sequence) and all(isinstance(one, int) or hasattr(one, "terms") for one in value):
        return {"list": [_plain(one) for one in value]}
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise ExecutorError(f"An option of a batch on an executor is a number, text, array or operator; got {value!r}.")
    room = io.BytesIO()
    np.lib.format.write_array(room, np.ascontiguousarray(array), allow_pickle=False)
    return {"array": base64.b64encode(room.getvalue()).decode()}


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "operator" in value:
        return operator_from_json(value["operator"])
    if "list" in value:
        return [_read(one) for one in value["list"]]
    return np.lib.format.read_array(io.BytesIO(base64.b64decode(value["array"])), allow_pickle=False)


__all__ = ["Call", "Part", "most_sets", "run_batch", "run_call", "send", "settings_of", "simulator_of"]

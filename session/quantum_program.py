"""`QuantumProgram`: a circuit whose outputs and parameters have names, and the files that such programs are kept in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from qsim.circuit import Circuit
from qsim.parameters import Parameter, ParameterArray
from session.circuit_json import circuit_from_json, circuit_to_json
from session.errors import ProgramTypeError, SessionError
from session.outputs import PLAIN, OutputType, types_from_dict, types_to_dict

#: From a parameter's name in a file's circuit to its variable, and its place in it if that is an array.
RawNames = dict[str, "tuple[str, int | None]"]
FORMAT = "qsim-session program"
_RAW = re.compile(r"(?P<name>.+)_param(?:_(?P<index>0|[1-9]\d*))?\Z")


class QuantumProgram:
    """A circuit with named outputs; what `synthesize` makes, and what a session runs.

    Args:
        circuit: the gates; its measurements, if it ends with any, are left out in favour of those of the outputs.
        outputs: from name to qubits, least significant first, in the order of their bits in a bitstring (the first is the
            rightmost).
        types: of those outputs that are not unsigned integers.
        raw_names: other names of the parameters.
        integers: names of parameters that are given whole numbers.

    Raises:
        SessionError: an output has a qubit that is not there, or one that it or another output has already.

    >>> program = QuantumProgram(Circuit(2).x(1), {"x": [1, 0]}, {"x": OutputType(is_signed=True)})
    >>> program
    <QuantumProgram: 2 qubits, outputs x[2]>
    >>> QuantumProgram.from_json(program.to_json()) == program
    True
    """

    def __init__(
        self,
        circuit: Circuit,
        outputs: Mapping[str, Sequence[int]],
        types: Mapping[str, OutputType] | None = None,
        raw_names: Mapping[str, tuple[str, int | None]] | None = None,
        integers: Sequence[str] = (),
    ) -> None:
        if not isinstance(circuit, Circuit):
            raise ProgramTypeError(f"A quantum program has a qsim.Circuit, got {type(circuit).__name__}.")
        self.circuit = circuit
        self.outputs = {str(name): tuple(qubits) for name, qubits in outputs.items()}
        self.types = {name: kind for name, kind in (types or {}).items() if kind != PLAIN}
        self.raw_names: RawNames = dict(raw_names or {})
        self.integers = tuple(integers)
        owner: dict[int, str] = {}
        for name, qubits in self.outputs.items():
            for qubit in qubits:
                if isinstance(qubit, bool) or not isinstance(qubit, int) or not 0 <= qubit < circuit.num_qubits:
                    raise SessionError(
                        f"Output '{name}' has qubit {qubit!r}; the program has qubits 0 to {circuit.num_qubits - 1}."
                    )
                if qubit in owner:
                    raise SessionError(f"A qubit is in one output; qubit {qubit} is in '{owner[qubit]}' and '{name}'.")
                owner[qubit] = name
        for name, kind in self.types.items():
            size = len(self.outputs.get(name, ()))
            if name not in self.outputs or (kind.length and size % kind.length):
                raise SessionError(f"Output '{name}' of {size} qubits cannot have the type {kind}.")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters; an array counts once."""
        return tuple(dict.fromkeys(p.name if p.array is None else p.array.name for p in self.circuit.parameters))

    @property
    def num_qubits(self) -> int:
        """How many qubits it has, auxiliary ones included."""
        return self.circuit.num_qubits

    def to_qasm(self, version: str = "3.0") -> str:
        """The circuit as OpenQASM text; see `parsers.dumps`."""
        from parsers import dumps

        return dumps(self.circuit, version=version)

    def draw(self, max_width: int | None = None) -> str:
        """The circuit as a text drawing."""
        return self.circuit.draw(max_width)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}[{len(qubits)}]" for name, qubits in self.outputs.items()) or "none"
        given = f", parameters {', '.join(self.parameters)}" if self.parameters else ""
        return f"<QuantumProgram: {self.num_qubits} qubit{'s' * (self.num_qubits != 1)}, outputs {shown}{given}>"

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, QuantumProgram) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    # files --------------------------------------------------------------------------------------------------
    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        return {
            "format": FORMAT,
            "version": 1,
            "circuit": circuit_to_json(self.circuit),
            "outputs": {name: list(qubits) for name, qubits in self.outputs.items()},
            "types": types_to_dict(self.types),
            "raw_names": {raw: list(place) for raw, place in self.raw_names.items()},
            "integers": list(self.integers),
        }

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> QuantumProgram:
        """What `to_dict` gave, or the content of a saved program file of the older kind.

        Raises:
            SessionError: the data is no program, or one that has no circuit in it.
        """
        if not isinstance(data, Mapping):
            raise SessionError(f"A program file holds a JSON object, got {type(data).__name__}.")
        if data.get("format") != FORMAT:
            return _from_saved(data)
        if data.get("version") != 1:
            raise SessionError(f"Program files of version 1 are read, got version {data.get('version')!r}.")
        try:
            names = {raw: (str(name), index) for raw, (name, index) in data["raw_names"].items()}
            types, integers = types_from_dict(data["types"]), data.get("integers", ())
            return cls(circuit_from_json(data["circuit"]), data["outputs"], types, names, integers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SessionError(f"This program file is damaged: {error}.") from None

    @classmethod
    def from_json(cls, text: str) -> QuantumProgram:
        """A program out of a saved file: what `to_json` wrote, or a file of the older kind, which holds OpenQASM.

        Raises:
            SessionError: the text is not JSON, or not such a program. A file of the newer kind, which has a model and no
                circuit, is told apart.
        """
        try:
            data = json.loads(text)
        except (TypeError, ValueError) as error:
            raise SessionError(f"A program file is JSON text; {error}.") from None
        except RecursionError:
            raise SessionError("A program file is JSON text; this one is nested too deeply.") from None
        return cls.from_dict(data)


# saved program files --------------------------------------------------------------------------------------------
def _from_saved(data: Mapping[str, Any]) -> QuantumProgram:
    """A file with OpenQASM in ``outputs.qasm`` and its variables in ``data`` and ``model``."""
    from parsers import loads

    given = data.get("outputs")
    text = given.get("qasm") if isinstance(given, Mapping) else None
    if not text or not isinstance(given, Mapping):
        if isinstance(given, Mapping) or "model" in data or "program_circuits" in data:
            raise SessionError(
                "This program file has no circuit in it: 'outputs' is empty, as in files of the newer kind, which keep the "
                "model alone. Export the circuit where the program was made, by asking the synthesis for OpenQASM "
                "(output format 'qasm') and saving the program again, or by writing its OpenQASM text to a file, and give "
                "that text to the session."
            )
        raise SessionError("This JSON is no program file: it has no 'outputs' with OpenQASM text in 'qasm'.")
    if not isinstance(text, str):
        raise SessionError(f"'outputs.qasm' is OpenQASM text, got {type(text).__name__}.")
    _check_version(text, _inside(data, "qasm_version", given))
    circuit, names = _with_variables(loads(text, filename="<outputs.qasm>"))
    outputs = _logical_outputs(data, circuit)
    return QuantumProgram(circuit, outputs, _output_types(data, outputs), names)


def _inside(data: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> Any:
    """An entry of the file, wherever of three places it is."""
    inner = data.get("data")
    for place in (data, given, inner if isinstance(inner, Mapping) else {}):
        if name in place:
            return place[name]
    return None


def _check_version(text: str, version: Any) -> None:
    said = re.search(r"OPENQASM\s+((\d)[\d.]*)", text)
    if version is not None and said is not None and str(version).strip() and str(version).strip()[0] != said[2]:
        raise SessionError(f"The file says that its text is OpenQASM {version}, and the text says {said[1]}.")


def _with_variables(circuit: Circuit) -> tuple[Circuit, RawNames]:
    """The circuit with parameters called as their variables: ``t_param`` as t, ``p_param_0`` and on as the array p."""
    groups: dict[str, dict[int | None, Parameter]] = {}
    for parameter in circuit.parameters:
        found = _RAW.match(parameter.name) if parameter.array is None else None
        if found:
            index = None if found["index"] is None else int(found["index"])
            groups.setdefault(found["name"], {})[index] = parameter
    taken = {p.name if p.array is None else p.array.name for p in circuit.parameters}
    replaced: dict[str, Parameter] = {}
    names: RawNames = {}
    for name, elements in groups.items():
        if name in taken or (None in elements and len(elements) > 1):
            continue  # the plain name is another parameter's: the raw ones stay
        if None in elements:
            replaced[elements[None].name] = Parameter(name)
            names[elements[None].name] = (name, None)
        else:
            places = [index for index in elements if index is not None]
            if len(places) <= max(places):
                absent = min(set(range(max(places))) - set(places))
                raise SessionError(
                    f"The circuit has '{name}_param_{max(places)}' but no '{name}_param_{absent}'; the elements of an "
                    "array are numbered from 0 on."
                )
            array = ParameterArray(name, len(places))
            for index in places:
                replaced[elements[index].name] = array[index]
                names[elements[index].name] = (name, index)
    return (circuit.bind(replaced) if replaced else circuit), names


def _logical_outputs(data: Mapping[str, Any], circuit: Circuit) -> dict[str, list[int]]:
    try:
        found = data["data"]["qubit_mapping"]["logical_outputs"]
        outputs = {str(name): [int(qubit) for qubit in qubits] for name, qubits in found.items()}
    except (KeyError, TypeError):
        return {register.name: list(register.indices) for register in circuit.qubit_registers}
    except (ValueError, AttributeError) as error:
        raise SessionError(f"'data.qubit_mapping.logical_outputs' maps names to lists of qubits: {error}.") from None
    return outputs


def _output_types(data: Mapping[str, Any], outputs: Mapping[str, Sequence[int]]) -> dict[str, OutputType]:
    model = data.get("model")
    declared = model.get("circuit_outputs") if isinstance(model, Mapping) else None
    types: dict[str, OutputType] = {}
    for name, entry in declared.items() if isinstance(declared, Mapping) else ():
        if name not in outputs or not isinstance(entry, Mapping):
            continue
        size, digits = entry.get("size"), entry.get("fraction_places") or 0
        if size is not None and size != len(outputs[name]):
            raise SessionError(
                f"Output '{name}' has size {size!r} in 'model.circuit_outputs' and {len(outputs[name])} qubits in "
                "'data.qubit_mapping.logical_outputs'."
            )
        if isinstance(digits, bool) or not isinstance(digits, int) or digits < 0:
            raise SessionError(f"Output '{name}' has {digits!r} fraction places; that is a whole number of at least 0.")
        types[name] = OutputType(bool(entry.get("is_signed", False)), digits)
    return types

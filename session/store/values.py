"""Values as JSON text and back, exactly: plain data, arrays, and the classes that are registered here, nothing else.

A document is ``{"format": 1, "nodes": [[tag, fields], ...], "root": value}``. Every object of a registered class is a
node, written after the ones that it holds, so that shared objects are stored once and depth costs no recursion. What
is no node is JSON itself or an object with one key that begins with ``$``:

=========  ============================================================
``$ref``   the node of this number
``$t``     a tuple
``$c``     a complex number, real and imaginary part
``$f``     a float that JSON does not have: inf, -inf, nan
``$b``     bytes, in base64
``$n``     a numpy array: its .npy form in base64
``$a``     a numpy array that lies beside the document, by its number
``$d``     a mapping whose keys are not all plain texts, as pairs
=========  ============================================================

Floats are written as Python's shortest text that gives the same double. No text is ever run as code.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np

from session.errors import StoreError

FORMAT = 1
Fields = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Codec:
    """How objects of one class become fields, and objects again."""

    tag: str
    take: Callable[[Any], Fields]
    make: Callable[[Fields], Any]


_by_class: dict[type, Codec] = {}
_by_tag: dict[str, Codec] = {}


def register(tag: str, cls: type, take: Callable[[Any], Fields], make: Callable[[Fields], Any]) -> None:
    """Make objects of exactly this class storable, under a tag that never changes."""
    codec = Codec(tag, take, make)
    if _by_tag.get(tag, codec) is not codec or cls in _by_class:
        raise ValueError(f"The tag '{tag}' or the class {cls.__name__} is registered already.")
    _by_class[cls] = _by_tag[tag] = codec


def register_dataclass(tag: str, cls: type, defaults: Mapping[str, Any] | None = None) -> None:
    """`register` for a dataclass whose fields are what its __init__ takes, all of them storable.

    Args:
        tag: never changes.
        cls: the dataclass.
        defaults: for fields that older documents do not have, where the class gives none.
    """
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    filled = dict(defaults or {})
    register(tag, cls, lambda value: {name: getattr(value, name) for name in names}, lambda f: cls(**{**filled, **f}))


def register_enum(tag: str, cls: type[Enum]) -> None:
    """`register` for an enumeration, by its members' values."""
    register(tag, cls, lambda member: {"value": member.value}, lambda fields: cls(fields["value"]))


# writing -------------------------------------------------------------------------------------------------------
def to_text(value: Any, arrays: list[Any] | None = None) -> str:
    """A value as one line of JSON.

    Args:
        value: plain data, numpy arrays, and objects of registered classes, in each other.
        arrays: a list that takes the arrays, so that the text has their numbers only; None writes them into the text.

    Raises:
        StoreError: it holds an object of another class.

    >>> to_text({"a": [1, 0.1, 1j]})
    '{"format":1,"nodes":[],"root":{"a":[1,0.1,{"$c":[0.0,1.0]}]}}'
    """
    writer = _Writer(arrays)
    root = writer.document(value)
    document = {"format": FORMAT, "nodes": writer.nodes, "root": root}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class _Writer:
    def __init__(self, arrays: list[Any] | None) -> None:
        self.arrays = arrays
        self.nodes: list[list[Any]] = []
        self.numbers: dict[int, int] = {}  # id of an object -> its node
        self.kept: list[Any] = []  # what was asked for by `take` lives on, or another could get its id

    def document(self, value: Any) -> Any:
        """Nodes of all that the value holds, children first, then its own form."""
        for found in _objects(value):
            self._node(found)
        return self.plain(value)

    def _node(self, root: Any) -> None:
        stack: list[tuple[Any, Fields | None]] = [(root, None)]
        while stack:
            item, fields = stack.pop()
            if id(item) in self.numbers:
                continue
            codec = _by_class[type(item)]
            if fields is None:
                fields = codec.take(item)
                self.kept.append((item, fields))
                stack.append((item, fields))
                missing = [child for child in _objects(fields) if id(child) not in self.numbers]
                stack.extend((child, None) for child in reversed(missing))
                continue
            self.nodes.append([codec.tag, self.plain(fields)])
            self.numbers[id(item)] = len(self.nodes) - 1

    def plain(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$f": repr(value)}
        if kind in _by_class:
            return {"$ref": self.numbers[id(value)]}
        if kind is list:
            return [self.plain(item) for item in value]
        if kind is tuple:
            return {"$t": [self.plain(item) for item in value]}
        if kind is complex:
            return {"$c": [self.plain(value.real), self.plain(value.imag)]}
        if kind is bytes:
            return {"$b": base64.b64encode(value).decode()}
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            return self.plain(value.item())
        assert isinstance(value, Mapping)
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.plain(item) for key, item in value.items()}
        return {"$d": [[self.plain(key), self.plain(item)] for key, item in value.items()]}

    def _array(self, array: Any) -> dict[str, Any]:
        if array.dtype.hasobject:
            raise StoreError("A job is stored without Python objects; it holds a numpy array of them. Use numbers.")
        if self.arrays is None:
            return {"$n": base64.b64encode(array_bytes(array)).decode()}
        self.arrays.append(array)
        return {"$a": len(self.arrays) - 1}


def _objects(value: Any) -> Iterator[Any]:
    """The objects of registered classes in plain data, outermost only; an error for those of other classes."""
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if item is None or kind in (bool, int, float, str, complex, bytes):
            continue
        if kind in _by_class:
            yield item
        elif kind in (list, tuple):
            stack.extend(item)
        elif isinstance(item, Mapping):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif not isinstance(item, (np.ndarray, np.generic)):
            raise StoreError(
                f"A job is stored as plain data, so that another process can run it; it holds a {kind.__name__}, which "
                "cannot be stored. Use the call without submit_, which runs here."
            )


def array_bytes(array: Any) -> bytes:
    """The .npy form of an array."""
    target = io.BytesIO()
    np.lib.format.write_array(target, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
    return target.getvalue()


# reading -------------------------------------------------------------------------------------------------------
def from_text(text: str, arrays: Callable[[int], Any] | None = None) -> Any:
    """The value that `to_text` wrote.

    Args:
        text: the JSON text.
        arrays: gives the array of a number, for a document whose arrays lie beside it.

    Raises:
        StoreError: the text is no such document, or one of a newer version.

    >>> from_text(to_text((1, {"x": [2.5, 1j]})))
    (1, {'x': [2.5, 1j]})
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise StoreError(f"Format {document['format']} of stored values is newer than this version knows. Update.")
        reader = _Reader(arrays)
        for tag, fields in document["nodes"]:
            codec = _by_tag.get(tag)
            if codec is None:
                raise StoreError(f"A stored value is a '{tag}', which this version does not know. Update qsim-session.")
            reader.nodes.append(codec.make(reader.value(fields)))
        return reader.value(document["root"])
    except StoreError:
        raise
    except Exception as error:  # whatever is wrong with a damaged document, it is one error
        raise StoreError(f"A stored value is damaged: {type(error).__name__}: {error}.") from error


class _Reader:
    def __init__(self, arrays: Callable[[int], Any] | None) -> None:
        self.arrays = arrays
        self.nodes: list[Any] = []

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            key, inner = next(iter(value.items()))
            if key.startswith("$"):
                return self._tagged(key, inner)
        return {key: self.value(item) for key, item in value.items()}

    def _tagged(self, key: str, inner: Any) -> Any:
        if key == "$ref" and 0 <= inner < len(self.nodes):
            return self.nodes[inner]
        if key == "$t":
            return tuple(self.value(item) for item in inner)
        if key == "$c":
            return complex(self.value(inner[0]), self.value(inner[1]))
        if key == "$f" and inner in ("inf", "-inf", "nan"):
            return float(inner)
        if key == "$b":
            return base64.b64decode(inner, validate=True)
        if key == "$n":
            return np.lib.format.read_array(io.BytesIO(base64.b64decode(inner, validate=True)), allow_pickle=False)
        if key == "$a" and self.arrays is not None:
            return self.arrays(inner)
        if key == "$d":
            return {self.value(name): self.value(item) for name, item in inner}
        raise StoreError(f"A stored value has a '{key}' that does not fit here.")

"""The exceptions of the engine. Each message says the rule, what was given and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QsimError(ValueError):
    """Base of every error that this package raises for a user's input.

    >>> issubclass(CircuitError, QsimError)
    True
    """


class CircuitError(QsimError):
    """A circuit was built wrongly: a qubit out of range, a wrong number of parameters, and so on."""


class ParameterError(QsimError):
    """Parameters were given wrongly: one is missing, unknown, of the wrong length or not a number."""


class MissingParameterError(ParameterError):
    """Parameters have no value; the message names all of them."""


class MemoryLimitError(QsimError, MemoryError):
    """A run would need more memory than there is; raised before anything is allocated."""


class RankError(QsimError):
    """Ranks of one run do not fit together, or one of them failed; every rank raises it."""


class RunCancelled(QsimError):
    """A run was stopped through `qsim.pool.controlled`; nothing of it is kept."""


class ExecutorError(QsimError):
    """A batch could not be run on an executor: it takes no work, has no workers, or its workers are of another version."""


class CheckpointError(QsimError):
    """A checkpoint cannot be used: it is of another call, is another program's file, or cannot be written."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A trailing hint ``" Did you mean 'cx'?"``, or an empty string when nothing is near.

    >>> suggestion("hh", ["h", "cx"])
    " Did you mean 'h'?"
    >>> suggestion("foo", ["h", "cx"])
    ''
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""

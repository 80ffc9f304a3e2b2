"""A matrix-product state: one tensor a qubit, in a chain whose bonds are as wide as the entanglement across them.

Tensor k has shape (left bond, 2, right bond). Where a bond is 1 wide the state is a product, so the chain falls into
segments. Each segment has one centre: tensors left of it are isometries from the left, those right of it from the right,
so that a truncation at the centre is the best there is and its error is known exactly (Schollwoeck, Annals of Physics
326, 96 (2011), section 4). Qubits keep their places, so that a bond is never wider than the gates across its cut allow:
a gate on two that are apart is a matrix-product operator whose bond goes through the tensors between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import MemoryLimitError
from qsim.memory import check_bytes
from qsim.mps.operators import apply_apart, operator_factors
from qsim.pool import check_cancelled

Array = npt.NDArray[Any]
#: Singular values below this share of the largest one are rounding.
ROUNDING = {np.dtype(np.complex128): 1e-14, np.dtype(np.complex64): 1e-6}
LEFT, CENTRE, RIGHT = -1, 0, 1
#: What a decomposition of the smallest matrix takes, as `MatrixProductState.work`: calls and copies, some 50 microseconds.
STEP = 4e3
_SWAP = np.eye(4)[[0, 2, 1, 3]]
_ADVICE = 'method="mps" goes on; max_bond=... truncates and reports the error'
_LARGE = 1 << 24  # bytes that are asked for before they are taken


class BondLimit(MemoryLimitError):
    """A state has become too entangled for the limits of a run."""


class Settings:
    """How a chain is kept small.

    Args:
        max_bond: widest bond; None for no limit.
        truncation: largest share of the squared norm that one truncation may discard, 0 for rounding alone.
        memory_limit: bytes, or None.
        work_limit: `MatrixProductState.work` after which a run stops with `BondLimit`, or None.
        refuse_beyond: bond at which a run stops with `BondLimit` in place of truncating, or None.
    """

    __slots__ = ("max_bond", "memory_limit", "refuse_beyond", "truncation", "work_limit")

    def __init__(
        self,
        max_bond: int | None = None,
        truncation: float = 1e-16,
        memory_limit: int | None = None,
        work_limit: float | None = None,
        refuse_beyond: int | None = None,
    ) -> None:
        self.max_bond, self.truncation, self.memory_limit = max_bond, truncation, memory_limit
        self.work_limit, self.refuse_beyond = work_limit, refuse_beyond


class _Held:
    """A gate on two qubits that waits for more on the same two."""

    __slots__ = ("matrix", "qubits")

    def __init__(self, qubits: tuple[int, int], matrix: Array) -> None:
        self.qubits, self.matrix = qubits, matrix


class MatrixProductState:
    """A state of qubits that starts as a product.

    Args:
        vectors: the state of each qubit, shape (n, 2).
        order: the qubits as they stand in the chain; None for their own order.

    Attributes:
        fidelity: the product of what truncations have kept: an estimate of |<exact|this>|**2.
        widest: the widest bond so far.
        work: the singular value decompositions so far, as rows times columns times the lesser of them, and `STEP` for each;
            other work is counted as a share of one.
    """

    def __init__(
        self, vectors: Array, settings: Settings, dtype: Any = np.complex128, order: Sequence[int] | None = None
    ) -> None:
        self.dtype: Any = np.dtype(dtype)
        self.settings = settings
        self.qubit_at = list(range(len(vectors)) if order is None else order)
        self.site_of = sorted(range(len(vectors)), key=self.qubit_at.__getitem__)
        self.tensors: list[Array] = [np.asarray(vectors[q], self.dtype).reshape(1, 2, 1) for q in self.qubit_at]
        self.form = [CENTRE] * len(self.tensors)
        self.fidelity, self.widest, self.work = 1.0, 1, 0.0
        self.phase = 0.0
        self.done = (0, 0)  # gates run so far, of how many
        self._waiting: dict[int, Array] = {}  # qubit -> a matrix on it alone
        self._held: dict[int, _Held] = {}
        self._last_site = 0

    @property
    def num_qubits(self) -> int:
        """How many qubits there are."""
        return len(self.tensors)

    @property
    def bytes(self) -> int:
        """What the tensors take."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def bonds(self) -> list[int]:
        """The widths of the n - 1 bonds."""
        return [tensor.shape[2] for tensor in self.tensors[:-1]]

    def copy(self) -> MatrixProductState:
        """A state of its own; tensors are replaced and never changed, so that copies share them."""
        copy: MatrixProductState = object.__new__(MatrixProductState)
        copy.__dict__.update(self.__dict__)
        for name in ("tensors", "form", "site_of", "qubit_at", "_waiting"):
            setattr(copy, name, getattr(self, name).copy())
        copy._held = {}
        for held in set(self._held.values()):
            twin = _Held(held.qubits, held.matrix)
            copy._held.update(dict.fromkeys(held.qubits, twin))
        return copy

    # gates --------------------------------------------------------------------------------------------------
    def apply_one(self, qubit: int, matrix: Array) -> None:
        """A 2 x 2 matrix on a qubit; it waits until something else meets the qubit."""
        held = self._held.get(qubit)
        if held is not None:
            eye = np.eye(2)
            held.matrix = (np.kron(eye, matrix) if held.qubits[0] == qubit else np.kron(matrix, eye)) @ held.matrix
            return
        before = self._waiting.get(qubit)
        self._waiting[qubit] = matrix if before is None else matrix @ before

    def apply_two(self, qubits: tuple[int, int], matrix: Array) -> None:
        """A 4 x 4 matrix on two qubits, the first as the least significant bit; it waits for more on the same two."""
        first, second = qubits
        held = self._held.get(first)
        if held is not None and held is self._held.get(second):
            held.matrix = (matrix if held.qubits == qubits else _SWAP @ matrix @ _SWAP) @ held.matrix
            return
        self._release(first)
        self._release(second)
        if (one := self._waiting.pop(first, None)) is not None:
            matrix = matrix @ np.kron(np.eye(2), one)
        if (one := self._waiting.pop(second, None)) is not None:
            matrix = matrix @ np.kron(one, np.eye(2))
        gate = _Held(qubits, matrix)
        self._held[first] = self._held[second] = gate

    def flush(self) -> None:
        """Apply everything that waits."""
        for qubit in list(self._held):
            self._release(qubit)
        for qubit, matrix in self._waiting.items():
            self._on_site(self.site_of[qubit], matrix)
        self._waiting = {}

    def settle(self, qubit: int) -> int:
        """Apply what waits on a qubit, make its site the centre, and return the site."""
        self._release(qubit)
        matrix = self._waiting.pop(qubit, None)
        site = self.site_of[qubit]
        if matrix is not None:
            self._on_site(site, matrix)
        self.focus(site)
        return site

    def _on_site(self, site: int, matrix: Array) -> None:
        self.tensors[site] = np.matmul(matrix.astype(self.dtype, copy=False), self.tensors[site])

    def _release(self, qubit: int) -> None:
        held = self._held.get(qubit)
        if held is None:
            return
        for one in held.qubits:
            del self._held[one]
        first, second = held.qubits
        near, far = self.site_of[first], self.site_of[second]
        if abs(near - far) == 1:
            self._on_pair(min(near, far), held.matrix if near < far else _SWAP @ held.matrix @ _SWAP)
        elif np.array_equal(held.matrix, _SWAP):  # no operation: the qubits change places
            self.site_of[first], self.site_of[second] = far, near
            self.qubit_at[near], self.qubit_at[far] = second, first
        else:
            check_cancelled()
            order = [0, 1] if near < far else [1, 0]
            apply_apart(self, sorted((near, far)), operator_factors(held.matrix, order))

    def _on_pair(self, site: int, matrix: Array) -> None:
        """A 4 x 4 matrix on two neighbours, the left one as the least significant bit."""
        check_cancelled()
        self._meet(site)
        left, right = self.tensors[site], self.tensors[site + 1]
        a, b = left.shape[0], right.shape[2]
        self._ask(a, b)
        joint = left.reshape(2 * a, -1) @ right.reshape(right.shape[0], -1)  # (a, i) by (j, b)
        joint = joint.reshape(a, 2, 2, b).transpose(2, 1, 0, 3).reshape(4, a * b)  # (j, i) by (a, b)
        joint = (matrix.astype(self.dtype, copy=False) @ joint).reshape(2, 2, a, b)
        joint = joint.transpose(2, 1, 0, 3).reshape(2 * a, 2 * b)
        u, s, v = self._split(joint)
        count = len(s)
        if site < self._last_site:  # going left: the centre is better left behind on that side
            self.tensors[site], self.tensors[site + 1] = (u * s).reshape(a, 2, count), v.reshape(count, 2, b)
            self.form[site], self.form[site + 1] = CENTRE, RIGHT if count > 1 else CENTRE
        else:
            self.tensors[site], self.tensors[site + 1] = (
                u.reshape(a, 2, count), (s[:, None] * v).reshape(count, 2, b),
            )  # fmt: skip
            self.form[site], self.form[site + 1] = LEFT if count > 1 else CENTRE, CENTRE
        self._last_site = site

    def _meet(self, site: int) -> None:
        """Bring the centre to a site or its right neighbour, and to both where they are in different segments."""
        if self.tensors[site].shape[2] == 1:
            self.focus(site)
            self.focus(site + 1)
        elif self.form[site] == LEFT:
            self.focus(site + 1)
        else:
            self.focus(site)

    # canonical form -----------------------------------------------------------------------------------------
    def focus(self, site: int) -> None:
        """Make a site the centre of its segment."""
        form = self.form
        at = site
        while form[at] != CENTRE:
            at -= form[site]
        for k in range(at, site, -1):
            tensor = self.tensors[k]
            self._spend(0.2 * tensor.size * tensor.shape[0])
            q, r = np.linalg.qr(tensor.reshape(tensor.shape[0], -1).T)
            self.tensors[k] = q.T.reshape(-1, 2, tensor.shape[2])
            self.tensors[k - 1] = self.tensors[k - 1] @ r.T
            form[k], form[k - 1] = RIGHT, CENTRE
        for k in range(at, site):
            tensor = self.tensors[k]
            self._spend(0.2 * tensor.size * tensor.shape[2])
            q, r = np.linalg.qr(tensor.reshape(-1, tensor.shape[2]))
            self.tensors[k] = q.reshape(tensor.shape[0], 2, -1)
            self.tensors[k + 1] = np.tensordot(r, self.tensors[k + 1], 1)
            form[k], form[k + 1] = LEFT, CENTRE

    def to_right_form(self) -> None:
        """Apply what waits and make the first site of each segment its centre."""
        self.flush()
        for site in range(self.num_qubits):
            if self.tensors[site].shape[0] == 1:
                self.focus(site)

    def project(self, qubit: int, value: int, chance: float) -> None:
        """Keep the part in which a qubit is `value`, which has probability `chance`, and narrow the bonds around it."""
        site = self.settle(qubit)
        matrix = self.tensors[site][:, value, :] / np.sqrt(chance)
        tied_left, tied_right = matrix.shape[0] > 1, matrix.shape[1] > 1
        u, s, v = self._split(matrix, measure=False)
        tensor: Array = np.zeros((len(s), 2, len(s)), self.dtype)
        tensor[:, value, :] = np.diag(s)
        self.tensors[site] = tensor
        if site:
            self.tensors[site - 1] = self.tensors[site - 1] @ u
        if site + 1 < self.num_qubits:
            self.tensors[site + 1] = np.tensordot(v, self.tensors[site + 1], 1)
        if len(s) == 1:
            self.tensors[site][0, value, 0] = 1
            if tied_left:
                self.form[site - 1] = CENTRE
                self._narrow_left(site - 1)
            if tied_right:
                self.form[site + 1] = CENTRE
                self._narrow_right(site + 1)

    def _narrow_left(self, site: int) -> None:
        """From a centre at the right end of a segment on, drop what no longer counts."""
        while site > 0 and self.tensors[site].shape[0] > 1:
            tensor = self.tensors[site]
            u, s, v = self._split(tensor.reshape(tensor.shape[0], -1), measure=False)
            if len(s) == tensor.shape[0]:
                return
            self.tensors[site] = v.reshape(len(s), 2, -1)
            self.tensors[site - 1] = self.tensors[site - 1] @ (u * s)
            self.form[site], self.form[site - 1] = RIGHT if len(s) > 1 else CENTRE, CENTRE
            site -= 1

    def _narrow_right(self, site: int) -> None:
        while site < self.num_qubits - 1 and self.tensors[site].shape[2] > 1:
            tensor = self.tensors[site]
            u, s, v = self._split(tensor.reshape(-1, tensor.shape[2]), measure=False)
            if len(s) == tensor.shape[2]:
                return
            self.tensors[site] = u.reshape(-1, 2, len(s))
            self.tensors[site + 1] = np.tensordot(s[:, None] * v, self.tensors[site + 1], 1)
            self.form[site], self.form[site + 1] = LEFT if len(s) > 1 else CENTRE, CENTRE
            site += 1

    # truncation ---------------------------------------------------------------------------------------------
    def _split(self, matrix: Array, measure: bool = True) -> tuple[Array, Array, Array]:
        """The singular value decomposition of the centre, truncated, of norm 1 again."""
        self._spend(matrix.size * min(matrix.shape))
        u, s, v = singular_values(matrix)
        weights = s.astype(np.float64) ** 2
        total = float(weights.sum())
        kept = int(np.count_nonzero(s > ROUNDING[self.dtype] * s[0])) or 1
        settings = self.settings
        tail = np.cumsum(weights[::-1])[::-1]  # tail[k]: the weight of value k and the smaller ones
        if measure:
            kept = min(kept, max(1, int(np.count_nonzero(tail > settings.truncation * total))))
            if settings.max_bond is not None:
                kept = min(kept, settings.max_bond)
            self._check_limits(kept)
        if kept < len(s):
            lost = float(tail[kept]) / total
            self.fidelity *= 1.0 - lost
            total -= float(tail[kept])
        self.widest = max(self.widest, kept)
        return u[:, :kept], (s[:kept] / np.sqrt(total)).astype(s.dtype, copy=False), v[:kept]

    def _check_limits(self, bond: int) -> None:
        limits = self.settings
        if limits.refuse_beyond is not None and bond > limits.refuse_beyond:
            reason = f'beyond the {limits.refuse_beyond:,} of method="automatic"'
            raise BondLimit(f"{self._reached(bond)}, {reason}; {_ADVICE}")
        if limits.work_limit is not None and self.work > limits.work_limit:
            reason = 'and the work that method="automatic" spends on it is done'
            raise BondLimit(f"{self._reached(max(bond, self.widest))}, {reason}; {_ADVICE}")

    def _reached(self, bond: int) -> str:
        return f"after {self.done[0]:,} of {self.done[1]:,} gates a matrix-product state has a bond of {bond:,}"

    def _spend(self, work: float) -> None:
        """Count the work of one decomposition, and stop before it where the limit is passed."""
        self.work += STEP + work
        self._check_limits(1)

    def _ask(self, left: int, right: int) -> None:
        """Refuse what does not fit, before it is made."""
        needed = 6 * 4 * left * right * self.dtype.itemsize
        if needed > _LARGE or self.settings.memory_limit is not None:
            advice = "Give max_bond=..., which truncates and reports the error, or a larger truncation."
            check_bytes(needed, self.settings.memory_limit, f"A bond between {left:,} and {right:,} states", advice)


def singular_values(matrix: Array) -> tuple[Array, Array, Array]:
    """The reduced singular value decomposition; the slower, safer routine where the quick one does not converge."""
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        q, r = np.linalg.qr(matrix)
        u, s, v = np.linalg.svd(r, full_matrices=False)
        return q @ u, s, v


def product_vectors(num_qubits: int) -> Sequence[Any]:
    """All qubits in |0>."""
    return [(1.0, 0.0)] * num_qubits

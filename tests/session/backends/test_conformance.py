"""The suite for adapters: ours pass it, and adapters that are wrong do not."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_fixtures import state, toy_vendor  # noqa: F401  (fixtures)

from session import ExecutionPreferences
from session.backends.aer import AerBackend
from session.backends.local import LocalBackend
from session.backends.protocol import Backend, CancelOutcome, Prepared, RawResult, RemoteRef, RemoteState, RemoteStatus
from session.testing import AdapterConformance, find_canary


class TestLocal(AdapterConformance):
    """This engine, exact and from shots."""

    @pytest.fixture(autouse=True, params=["simulator", "simulator_statevector"])
    def _which(self, request: pytest.FixtureRequest) -> None:
        self.which = request.param

    def make_backend(self) -> Backend:
        return LocalBackend(ExecutionPreferences(backend=self.which))


@pytest.mark.peer
class TestAer(AdapterConformance):
    """Qiskit Aer."""

    @pytest.fixture(autouse=True, params=["aer", "aer_statevector"])
    def _which(self, request: pytest.FixtureRequest) -> None:
        pytest.importorskip("qiskit_aer")
        self.which = request.param

    def make_backend(self) -> Backend:
        return AerBackend(ExecutionPreferences(backend=self.which))


class Toy(AdapterConformance):
    """The vendor of the tests; `make` gives the adapter, right or wrong."""

    idempotency = "search"
    shots = 40

    @pytest.fixture(autouse=True)
    def _service(self, toy_vendor: Path) -> Iterator[None]:
        from toy import KEY, ToyBackend, install, toy_service

        self.canary = KEY
        self.make: Any = ToyBackend
        with toy_service(words=["waiting", "done"], tokens=self.idempotency == "token") as self.service:
            install(toy_vendor, self.service.server.url)
            yield

    def make_backend(self) -> Backend:
        options = {"idempotency": self.idempotency}
        made: Backend = self.make(ExecutionPreferences(backend="toy", backend_options=options))
        return made

    def tasks_taken(self) -> int:
        return len(self.service.jobs)

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        self.service.jobs[ref.remote_id]["words"] = [word]
        return True

    def hold_tasks(self) -> bool:
        self.service.words = ["busy"]
        return True


class TestToy(Toy):
    """A remote adapter that searches."""


class TestToyWithTokens(Toy):
    """A remote adapter whose service takes tokens."""

    idempotency = "token"


class TestWrongAdapters(Toy):
    """Each is wrong in one way, and the suite says so."""

    patience = 1.0
    # None of the suite's own tests: they are called one by one.
    locals().update({name: None for name in dir(AdapterConformance) if name.startswith("test_")})

    @pytest.mark.parametrize(
        "name, tests",
        [
            (
                "bits_the_wrong_way_round",
                ("an_x_on_one_of_three_qubits_is_seen_on_that_one", "part_of_the_qubits_is_measured"),
            ),
            ("qubits_for_bits", ("a_qubit_is_measured_into_the_bit_that_is_said",)),
            ("last_register_first", ("registers_of_unequal_size_keep_their_order",)),
            ("sets_the_wrong_way_round", ("parameter_sets_come_back_in_their_order",)),
            ("always_the_same", ("distributions_are_those_of_the_gates",)),
            ("prepares_anew", ("prepare_is_pure_and_offline",)),
            ("prepares_online", ("prepare_is_pure_and_offline",)),
            ("decodes_from_memory", ("decode_is_pure_and_offline",)),
            ("decodes_anything", ("replies_that_are_none_are_errors_of_ours",)),
            ("finds_nothing", ("what_was_submitted_is_found_and_not_doubled",)),
            ("finds_everything", ("what_was_submitted_is_found_and_not_doubled",)),
            ("claims_tokens", ("what_was_submitted_is_found_and_not_doubled",)),
            ("unknown_is_final", ("an_unknown_word_is_waited_for",)),
            ("cancels_what_ended", ("cancelling",)),
            ("cancels_in_words_only", ("cancelling_what_runs",)),
            ("dishonest", ("capabilities_are_consistent",)),
            ("bits_turned_over", ("estimates", "what_is_never_measured_is_zero")),
            ("shows_its_key", ("the_secret_is_nowhere",)),
            ("free_of_charge", ("costs",)),
        ],
    )
    def test_what_is_wrong_is_noticed(self, name: str, tests: tuple[str, ...]) -> None:
        self.make = wrong(name, self.make)
        self.idempotency = "search"
        noticed = 0
        for test in tests:
            try:
                getattr(AdapterConformance, f"test_{test}")(self)
            except Exception:  # whatever it is, the author sees a test that fails
                noticed += 1
        assert noticed == len(tests)


def wrong(name: str, base: Any) -> Any:
    """The toy adapter with one fault."""

    class Wrong(base):  # type: ignore[misc]
        pass

    def decoded(change: Any) -> Any:
        def decode(self: Any, raw: RawResult, prepared: Prepared, *rest: Any) -> Any:
            data = json.loads(raw.body)
            data["circuits"] = change(data["circuits"])
            return base.decode(self, RawResult(json.dumps(data).encode(), raw.media_type), prepared, *rest)

        return decode

    def by_bits(change: Any) -> Any:
        return decoded(lambda circuits: [[[change(bits), n] for bits, n in one] for one in circuits])

    def prepares_anew(self: Any, *given: Any) -> Prepared:
        made = base.prepare(self, *given)
        return Prepared(made.payload + str(uuid.uuid4()).encode(), made.media_type, made.circuits)

    def prepares_online(self: Any, *given: Any) -> Prepared:
        self._http.get("/jobs", params={"ref": "x"})
        made: Prepared = base.prepare(self, *given)
        return made

    def remembering(self: Any, *given: Any) -> Prepared:
        self.made = base.prepare(self, *given)
        return self.made  # type: ignore[no-any-return]

    def from_memory(self: Any, raw: RawResult, prepared: Prepared, *rest: Any) -> Any:
        return base.decode(self, raw, self.made, *rest)

    def anything(self: Any, raw: RawResult, prepared: Prepared, program: Any, task: Any) -> Any:
        try:
            return base.decode(self, raw, prepared, program, task)
        except Exception:
            return []

    def status(self: Any, ref: RemoteRef) -> RemoteStatus:
        found = base.status(self, ref)
        return found if found.raw in ("waiting", "busy", "done") else RemoteStatus(RemoteState.FAILED, found.raw)

    def claiming(**more: Any) -> Any:
        import dataclasses

        return lambda self: dataclasses.replace(base.capabilities(self), **more)

    faults: dict[str, dict[str, Any]] = {
        "bits_the_wrong_way_round": {"decode": by_bits(lambda bits: bits[::-1])},
        "qubits_for_bits": {"decode": by_bits(lambda bits: [bits[2], bits[0], bits[1]] if len(bits) == 3 else bits)},
        "last_register_first": {
            "decode": by_bits(lambda bits: bits[3:] + bits[1:3] + bits[:1] if len(bits) == 6 else bits)
        },
        "sets_the_wrong_way_round": {"decode": decoded(lambda circuits: circuits[::-1])},
        "always_the_same": {
            "decode": decoded(lambda circuits: [[[one[0][0], sum(n for _, n in one)]] for one in circuits])
        },
        "prepares_anew": {"prepare": prepares_anew},
        "prepares_online": {"prepare": prepares_online},
        "decodes_from_memory": {"prepare": remembering, "decode": from_memory},
        "decodes_anything": {"decode": anything},
        "finds_nothing": {"find": lambda self, ref, since=None: None},
        "finds_everything": {"find": lambda self, ref, since=None: RemoteRef("x")},
        "claims_tokens": {"capabilities": claiming(idempotency="token")},
        "unknown_is_final": {"status": status},
        "cancels_what_ended": {"cancel": lambda self, ref: CancelOutcome.REQUESTED},
        "cancels_in_words_only": {"cancel": lambda self, ref: CancelOutcome.REQUESTED},
        "dishonest": {"capabilities": claiming(is_remote=False, tested_against="")},
        "bits_turned_over": {"decode": by_bits(lambda bits: [1 - bit for bit in bits])},
        "shows_its_key": {"__repr__": lambda self: f"<{base.__name__} canary-toy-5d1f8b70c2e94a36>"},
        "free_of_charge": {"cost": lambda self, prepared: None},
    }
    for attribute, value in faults[name].items():
        setattr(Wrong, attribute, value)
    return Wrong


def test_a_canary_is_found_in_every_place(tmp_path: Path) -> None:
    (tmp_path / "jobs.db-wal").write_bytes(b"\x00canary-1\x00")
    try:
        try:
            raise KeyError("canary-1")
        except KeyError:
            raise ValueError("hidden") from None
    except ValueError as error:
        hidden: BaseException = error
    found = find_canary("canary-1", folders=[tmp_path], texts=["ok", b"canary-1"], errors=[hidden, ValueError("x")])
    assert found == [str(tmp_path / "jobs.db-wal"), "text 1", "error 0 (ValueError)"]

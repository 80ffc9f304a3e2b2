"""HTTP: what is tried again, what is not, and what every fault becomes."""

# ruff: noqa: SIM117  (a server, then a client, then what is expected)
from __future__ import annotations

import copy
import json
import logging
import pickle
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import closed_port, cut_off, drip, hang, loopback, raw, reply, reset

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from session.backends.credentials import Secret, find_secret, redact
from session.backends.http import HttpClient
from session.backends.http_replies import Reply, checked_path, checked_url, failure_of_status, retry_after, segment
from session.errors import (
    BadReply,
    CredentialError,
    ServiceRefused,
    ServiceUnavailable,
    SessionError,
    SubmitUnknown,
)
from session.testing import find_canary

CANARY = "canary-0f3a9c7e51d24b68"


def client(url: str, waits: list[float] | None = None, **more: Any) -> HttpClient:
    """With a credential, that notes its waits instead of waiting."""
    key = Secret(CANARY)
    sleep = (waits if waits is not None else []).append
    return HttpClient(url, headers=lambda: {"Authorization": f"Bearer {key.reveal()}"}, sleep=sleep, **more)


# reads ------------------------------------------------------------------------------------------------------------
def test_a_read_is_tried_again_with_full_jitter_until_it_works() -> None:
    waits: list[float] = []
    with loopback(reply(500), reset, reply(503), cut_off(200, {"a": 1}), reply(200, {"a": 2})) as server:
        with client(server.url, waits) as http:
            assert http.get("/x", params={"q": "1"}).json() == {"a": 2}
    assert [one.path for one in server.requests] == ["/x?q=1"] * 5
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert len(waits) == 4
    assert all(0 <= wait <= 0.5 * 2**k for k, wait in enumerate(waits))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 520, 529])
def test_statuses_that_a_read_is_tried_again_after(status: int) -> None:
    with loopback(reply(status), reply(200, {})) as server, client(server.url) as http:
        assert http.get("/").status == 200
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_is_not_tried_again_and_gives_the_services_words(status: int) -> None:
    said = {"error": {"message": "the shots are too many"}}
    with loopback(reply(status, said, {"X-Request-Id": "r-7"})) as server, client(server.url) as http:
        with pytest.raises(ServiceRefused, match="the shots are too many") as caught:
            http.get("/x")
        assert (caught.value.status, caught.value.request_id, caught.value.path) == (status, "r-7", "/x")
        assert len(server.requests) == 1


def test_a_status_that_is_expected_is_an_answer() -> None:
    with loopback(reply(404, {"no": "job"})) as server, client(server.url) as http:
        assert http.get("/x", expect=(404,)).json() == {"no": "job"}


def test_tries_end() -> None:
    with loopback(otherwise=lambda request: reply(500, {"message": "oh"})) as server, client(server.url) as http:
        with pytest.raises(ServiceUnavailable, match="500: oh"):
            http.get("/x")
        assert len(server.requests) == 5


def test_retry_after_is_obeyed_and_when_it_is_too_long_the_caller_is_told() -> None:
    waits: list[float] = []
    with (
        loopback(reply(429, headers={"Retry-After": "7"}), reply(200, {})) as server,
        client(server.url, waits) as http,
    ):
        http.get("/x")
        assert 7 <= waits[0] <= 7.5
    with loopback(reply(429, headers={"Retry-After": "100000"})) as server, client(server.url, waits) as http:
        with pytest.raises(ServiceUnavailable) as caught:
            http.get("/x")
        assert caught.value.retry_after_sec == 3600 and len(server.requests) == 1


def test_a_large_reply_is_not_read_to_its_end() -> None:
    with loopback(reply(200, body=b"x" * 5000), raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 5000)) as server:
        with client(server.url) as http:
            for _ in range(2):
                with pytest.raises(BadReply, match="larger than 4,000 bytes"):
                    http.get("/x", max_bytes=4000)


def test_a_reply_that_drips_in_ends_with_the_time_for_the_call() -> None:
    with loopback(drip(0.02)) as server, client(server.url, budget=0.3) as http:
        with pytest.raises(ServiceUnavailable, match="longer than the time"):
            http.get("/x")


def test_a_reply_that_does_not_come() -> None:
    with loopback(hang(1.0), hang(1.0)) as server, client(server.url, timeouts=(1.0, 0.05), budget=0.12) as http:
        with pytest.raises(ServiceUnavailable):
            http.get("/x")


@pytest.mark.parametrize("content", [b"not http at all\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n", b""])
def test_garbage_is_an_error_of_ours(content: bytes) -> None:
    with loopback(otherwise=lambda request: raw(content)) as server, client(server.url) as http:
        with pytest.raises(ServiceUnavailable, match="was not answered"):
            http.get("/x")


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b"<html>"])
def test_a_body_that_is_no_json(body: bytes) -> None:
    with loopback(reply(200, body=body)) as server, client(server.url) as http:
        with pytest.raises(BadReply, match="is not JSON"):
            http.get("/x").json()


def test_a_body_that_is_no_object() -> None:
    with loopback(reply(200, [1])) as server, client(server.url) as http, pytest.raises(BadReply, match="JSON list"):
        http.get("/x").object()


# writes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", [reset, reply(500), reply(503, headers={"Retry-After": "1"}), reply(408),
                                   cut_off(201, {"id": "7"}), raw(b"HTTP/1.1"), reply(303, headers={"Location": "/y"})])  # fmt: skip
def test_a_write_that_may_have_arrived_is_sent_once(fault: Any) -> None:
    with loopback(fault, reply(201, {"id": "8"})) as server, client(server.url) as http:
        with pytest.raises(SubmitUnknown, match="may or may not"):
            http.send("POST", "/jobs", json={"shots": 1})
        assert len(server.requests) == 1


def test_a_write_whose_answer_does_not_come_is_sent_once() -> None:
    with loopback(hang(1.0)) as server, client(server.url, timeouts=(1.0, 0.05)) as http:
        with pytest.raises(SubmitUnknown):
            http.send("POST", "/jobs", content=b"{}")
        assert len(server.requests) == 1


def test_a_write_that_was_refused_for_now_is_sent_again() -> None:
    with loopback(reply(429), reply(201, {"id": "8"})) as server, client(server.url) as http:
        assert http.send("POST", "/jobs", json={"a": 1}).object() == {"id": "8"}
        assert [one.body for one in server.requests] == [b'{"a":1}'] * 2
        assert server.requests[0].headers["content-type"] == "application/json"


def test_a_write_that_cannot_have_arrived_is_tried_again() -> None:
    port, waits = closed_port(), list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:  # now somebody listens
            listener.bind(("127.0.0.1", port))
            listener.listen()
            threading.Thread(target=answer, daemon=True).start()

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        connection.close()

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with HttpClient(f"http://127.0.0.1:{port}", sleep=wait) as http:
            assert http.send("POST", "/jobs").status == 201
    assert len(waits) == 2


def test_a_write_that_never_arrived_says_so() -> None:
    with (
        client(f"http://127.0.0.1:{closed_port()}") as http,
        pytest.raises(ServiceUnavailable, match="nothing was sent"),
    ):
        http.send("POST", "/jobs", json={})


def test_a_write_that_may_be_repeated_is() -> None:
    with loopback(reset, reply(500), reply(201, {"id": 1})) as server, client(server.url) as http:
        assert http.send("PUT", "/jobs/7", json={}, repeatable=True).status == 201
        assert len(server.requests) == 3
    with loopback(otherwise=lambda request: reply(500)) as server, client(server.url) as http:
        with pytest.raises(SubmitUnknown):
            http.send("PUT", "/jobs/7", json={}, repeatable=True)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_writes_follow_no_redirect(status: int) -> None:
    with loopback(reply(status, headers={"Location": "/elsewhere"})) as server, client(server.url) as http:
        with pytest.raises(ServiceRefused, match="redirect, which is not followed"):
            http.send("POST", "/jobs", json={})
        assert len(server.requests) == 1


def test_each_write_has_a_connection_of_its_own() -> None:
    """A kept connection may be dead, which shows when the body has been sent: an unknown outcome for nothing."""
    with loopback(otherwise=lambda request: reply(200, {})) as server, client(server.url) as http:
        for _ in range(3):
            http.send("POST", "/x", json={})
        assert all(one.headers["connection"] == "keep-alive" for one in server.requests)
        (pool,) = [one._transport._pool for one in http._clients.values()]
        assert pool.connections == []


# redirects and URLs -----------------------------------------------------------------------------------------------
def test_reads_follow_redirects_within_their_origin_only() -> None:
    with loopback() as other:
        there = reply(302, headers={"Location": f"{other.url}/steal"})
        with loopback(reply(307, headers={"Location": "/y?a=1"}), reply(200, {"y": 1}), there) as server:
            with client(server.url) as http:
                assert http.get("/x").json() == {"y": 1}
                assert server.requests[1].path == "/y?a=1"
                with pytest.raises(BadReply, match="another origin"):
                    http.get("/x")
        assert other.requests == []


def test_redirects_end() -> None:
    with (
        loopback(otherwise=lambda request: reply(302, headers={"Location": "/x"})) as server,
        client(server.url) as http,
    ):
        with pytest.raises(BadReply, match="more than 3 times"):
            http.get("/x")
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "url", ["http://example.com", "ftp://example.com", "https://", "https://u:p@example.com", "https://example.com?x=1",
            "https://example.com#x", "https://exa mple.com", "//example.com", "example.com", "http://10.0.0.1",
            "http://localhost.example.com", "https://ex\u0430mple.com", "https://example.com:99999", "http://127.0.0.1.nip.io",
            "https://example.com\\@evil.com", 7, None, "file:///etc/passwd", "http://0.0.0.0"])  # fmt: skip
def test_base_urls_that_are_refused(url: Any) -> None:
    with pytest.raises(SessionError) as caught:
        HttpClient(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://api.ionq.co/v0.4", "http://localhost:8000", "http://[::1]:8000", "http://127.0.0.1"]
)
def test_base_urls_that_are_taken(url: str) -> None:
    assert checked_url(url)[0] == url


@pytest.mark.parametrize(
    "path", ["x", "//evil.com/x", "/../x", "/a/./b", "/x?y=1", "/x#y", "/x y", "http://evil.com", "/x@y", "/ä"]
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(SessionError):
        checked_path(path)


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("no openssl to make a certificate with")
    made = [
        "-x509",
        "-nodes",
        "-newkey",
        "rsa:2048",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run([openssl, "req", *made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    received = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as stream:
                    received.append(stream.recv(65536))
                    while not received[-1].endswith(b"{}"):
                        received[-1] += stream.recv(65536)
                    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with client(url) as http, pytest.raises(ServiceUnavailable, match="certificate"):
            http.send("POST", "/x", json={})
        assert received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        with client(url) as http:
            assert http.send("POST", "/x", json={}).object() == {}
        thread.join()
    assert len(received) == 1


def test_a_body_is_given_once_and_methods_are_known() -> None:
    http = HttpClient("http://127.0.0.1:1")
    with pytest.raises(SessionError, match="not both"):
        http.send("POST", "/x", content=b"", json={})
    with pytest.raises(SessionError, match="POST, PUT"):
        http.send("GET", "/x")


# secrets ----------------------------------------------------------------------------------------------------------
def test_no_fault_shows_the_credential(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs at the finest level, messages, reprs, and tracebacks with the variables of every frame of every cause."""
    caplog.set_level(logging.DEBUG)
    echo = reply(400, {"message": f"no such key {CANARY}"}, {"X-Request-Id": CANARY, "Set-Cookie": f"k={CANARY}"})
    faults = [reset, reply(401, {"message": CANARY}), echo, reply(500, {"detail": CANARY}), raw(b"xx"), cut_off(200, {}),
              reply(302, headers={"Location": f"https://evil.example/{CANARY}"})]  # fmt: skip
    with loopback(*faults) as server, client(server.url) as http:
        for _ in range(7):
            with pytest.raises(SessionError) as caught:
                http.send("POST", "/jobs", json={})
            assert find_canary(CANARY, errors=[caught.value], own_files=[__file__]) == []
        assert CANARY not in repr(http) + str(vars(http))
    assert "send_request_headers" in caplog.text
    assert CANARY not in caplog.text


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(f"  {CANARY}\n")
    assert secret.reveal() == CANARY
    assert CANARY not in f"{secret} {secret!r} {secret!s:>10} {[secret]} {{'a': secret}}" + str({1: secret})
    assert copy.deepcopy({"a": secret})["a"] is secret and copy.copy(secret) is secret
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(secret, protocol)
    assert secret == Secret(CANARY) and secret != CANARY and not hasattr(secret, "__dict__")


@pytest.mark.parametrize("text", ["", "  \n", "a\nb", "schlüssel", "a\x00b", 7])
def test_texts_that_are_no_secrets(text: Any) -> None:
    with pytest.raises(CredentialError) as caught:
        Secret(text)
    assert "a\nb" not in str(caught.value) and "schlüssel" not in str(caught.value)


def test_where_secrets_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B_KEY", " from-b\n")
    monkeypatch.setenv("A_KEY", " ")
    assert find_secret("x", environment=("A_KEY", "B_KEY")).reveal() == "from-b"
    assert find_secret("x", explicit=lambda: "given", environment=("B_KEY",)).reveal() == "given"
    with pytest.raises(CredentialError, match="Set A_KEY, or store it with 'keyring set qsim-session x'"):
        find_secret("x", environment=("A_KEY",))


def test_a_function_that_cannot_give_the_secret_leaks_nothing() -> None:
    def broken() -> str:
        raise RuntimeError(f"the vault says {CANARY}")

    with pytest.raises(CredentialError, match="raised RuntimeError") as caught:
        find_secret("x", explicit=broken)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_the_keyring_is_asked_last_and_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    errors = types.ModuleType("keyring.errors")
    errors.NoKeyringError = type("NoKeyringError", (RuntimeError,), {})  # type: ignore[attr-defined]
    keyring = types.ModuleType("keyring")
    keyring.errors = errors  # type: ignore[attr-defined]
    held = {("qsim-session", "x"): "from-keyring"}
    keyring.get_password = lambda service, user: held.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert find_secret("x", environment=("NOT_SET_KEY",)).reveal() == "from-keyring"

    def none(service: str, user: str) -> str:
        raise errors.NoKeyringError

    keyring.get_password = none  # type: ignore[attr-defined]
    with pytest.raises(CredentialError, match="this system has none"):
        find_secret("x")


def test_redaction_of_what_was_never_a_secret_of_ours() -> None:
    for text in ("Authorization: apiKey 0123456789", "{'Authorization': 'Bearer 0123456789'}",
                 "(b'Authorization', b'Bearer 0123456789')", "GET https://s/x?X-Amz-Signature=0123456789&y=1",
                 "https://blob/x?sig=0123456789"):  # fmt: skip
        assert "0123456789" not in redact(text)
    assert redact("basic tests of a bearer of news") == "basic tests of a bearer of news"


# anything at all --------------------------------------------------------------------------------------------------
@given(st.text(max_size=40) | st.from_regex(r"https?://[\[\]a-z0-9.:@%/-]{1,30}", fullmatch=True))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        base, origin = checked_url(text)
    except SessionError:
        return
    assert base.startswith(origin) and checked_url(base) == (base, origin)


@given(st.text(max_size=60) | st.datetimes().map(str))
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    found = retry_after(text)
    assert found is None or 0 <= found <= 3600


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["message", "error", "detail", "x"]), x)).map(lambda x: json.dumps(x).encode()))  # fmt: skip
def test_any_body_of_a_refusal_gives_an_error_of_one_line(body: bytes) -> None:
    failure = failure_of_status("POST", "https://x.example/y", "https://x.example", Reply(400, {}, body, "POST", "/y"))
    assert "\n" not in str(failure.error) and len(str(failure.error)) < 500


@given(st.text(min_size=1, max_size=30))
def test_any_segment_stays_one_part_of_a_path(text: str) -> None:
    try:
        part = segment(text)
    except SessionError:
        return
    assert checked_path(f"/jobs/{part}/result").count("/") == 3

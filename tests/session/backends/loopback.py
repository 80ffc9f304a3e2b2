"""A server on this machine that answers as it is told, faults included; for tests of what speaks HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Loopback:
    """What the server answers: the next of `answers`, or `otherwise(request)` when none is left."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    otherwise: Callable[[Received], Answer] = field(default_factory=lambda: lambda request: reply(200, {}))
    url: str = ""


@contextlib.contextmanager
def loopback(*answers: Answer, otherwise: Callable[[Received], Answer] | None = None) -> Iterator[Loopback]:
    """A running server; its port is free again when the block ends."""
    here = Loopback(list(answers))
    if otherwise is not None:
        here.otherwise = otherwise
    guard = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: else each reply waits 40 ms

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with guard:
                here.requests.append(request)
                answer = here.answers.pop(0) if here.answers else None
            try:
                (answer or here.otherwise(request))(self)
            except ConnectionError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

        def log_message(self, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    here.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# answers ----------------------------------------------------------------------------------------------------------
def reply(status: int, data: Any = None, headers: dict[str, str] | None = None, *, body: bytes | None = None) -> Answer:
    """A whole reply."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body if body is not None else b"" if data is None else json.dumps(data).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            handler.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def reset(handler: BaseHTTPRequestHandler) -> None:
    """The connection is reset after the body arrived."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(handler.connection.detach())  # `close` would wait for the files that read from it
    raise ConnectionError


def cut_off(status: int, data: Any) -> Answer:
    """A reply that ends before it is whole."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = json.dumps(data).encode()
        reply(status, headers={"Content-Length": str(len(content) + 10)}, body=content)(handler)
        handler.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    return answer


def drip(seconds: float, total: float = 30.0) -> Answer:
    """A reply that comes in byte by byte and has no end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        until = time.monotonic() + total
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while time.monotonic() < until:
            handler.wfile.write(b"a")
            handler.wfile.flush()
            time.sleep(seconds)

    return answer


def raw(content: bytes) -> Answer:
    """Whatever bytes, and the end of the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(content)
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    return answer


def hang(seconds: float) -> Answer:
    """No reply for a while."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        raise ConnectionError

    return answer


def closed_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

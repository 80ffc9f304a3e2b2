"""The one way in which adapters speak HTTP (library httpx2, retries by tenacity; both come with the adapters' extras).

What reads may be repeated, what changes something may not: `HttpClient.get` tries again when that can help, `send` only
when nothing can have arrived, and otherwise raises `SubmitUnknown`. Certificates are always checked, there is no switch.
A base URL comes from the user's configuration and from nowhere else; headers with credentials go to its origin only.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qsim.version import __version__
from session.backends.credentials import guard_loggers
from session.backends.http_replies import (
    Failure,
    Reply,
    checked_path,
    checked_url,
    failure_of_status,
    is_loopback,
    read_body,
)
from session.errors import BadReply, ServiceError, ServiceUnavailable, SessionError, SubmitUnknown

__all__ = ["HttpClient", "Reply", "checked_url"]

#: Seconds to connect, between two pieces of a reply, and for a call with all its tries and waits.
CONNECT_SECONDS, READ_SECONDS, BUDGET_SECONDS = 10.0, 30.0, 120.0
TRIES = 5
#: Full jitter: the wait before try k is uniform between 0 and the smaller of FIRST_WINDOW * 2**k and LONGEST_WINDOW.
FIRST_WINDOW, LONGEST_WINDOW = 0.5, 20.0
MOST_BYTES = 256 << 20  # of a reply
_REDIRECTS = 3
_LOGGERS = (
    "httpx2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)


class HttpClient:
    """A service at one base URL. Safe to use from several threads; connections are made when they are needed.

    Args:
        base_url: https, or http to this machine; may have a path, such as ``https://api.ionq.co/v0.4``.
        headers: gives the headers with the credential, asked anew for each request.
        timeouts: seconds to connect, and between two pieces of a reply.
        budget: seconds that a call may take with all its tries and waits.
        sleep: how to wait between tries, for tests and for cancelling.

    Raises:
        SessionError: the base URL is not one that credentials may be sent to, or the extra is not installed.

    >>> HttpClient("http://api.example.com")
    Traceback (most recent call last):
    ...
    session.errors.SessionError: A service is reached by https (http is for this machine only), got 'http://api.example.com'.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Callable[[], Mapping[str, str]] | None = None,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        budget: float = BUDGET_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url, self.origin = checked_url(base_url)
        self._headers, self._sleep = headers, sleep
        self._timeouts, self._budget = timeouts, budget
        self._guard = threading.Lock()
        self._clients: dict[bool, Any] = {}
        weakref.finalize(self, _close_all, self._clients)  # whoever drops the client need not close it

    # calls --------------------------------------------------------------------------------------------------
    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        expect: tuple[int, ...] = (),
        max_bytes: int = MOST_BYTES,
    ) -> Reply:
        """Read something; tried again after time-outs, broken connections and the statuses 408, 429 and 5xx.

        Args:
            path: below the base URL, beginning with "/"; ids in it go through `segment`.
            params: of the query.
            expect: statuses from 400 on that are answers too, such as 404.
            max_bytes: of the reply; more is a `BadReply`.

        Raises:
            ServiceRefused: a status from 400 to 499 that is not expected.
            ServiceUnavailable: no answer within the tries and the budget.
            BadReply: the answer is cut off or too large.
        """
        return self._call("GET", path, True, expect, max_bytes, {"params": params})

    def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        json: Any = None,
        media_type: str = "application/json",
        repeatable: bool = False,
        expect: tuple[int, ...] = (),
    ) -> Reply:
        """Change something. Never redirected, and tried again only when nothing can have arrived, or it was refused (429).

        Args:
            method: "POST", "PUT", "PATCH" or "DELETE".
            path: below the base URL, beginning with "/".
            content: the body; or
            json: what becomes the body.
            media_type: of the body.
            repeatable: doing it twice is the same as once (a cancellation, a submission with a token): then it is tried
                again like a `get`.
            expect: statuses from 400 on that are answers too.

        Raises:
            ServiceRefused: a status from 400 to 499: it was not done.
            ServiceUnavailable: nothing arrived, or the service was too busy to take it: it was not done.
            SubmitUnknown: it may or may not have been done.
        """
        if method not in ("POST", "PUT", "PATCH", "DELETE"):
            raise SessionError(f"What changes something is POST, PUT, PATCH or DELETE, got {method!r}.")
        body = _body(content, json)
        more = {"content": body, "headers": {"Content-Type": media_type} if body is not None else {}}
        return self._call(method, path, repeatable, expect, MOST_BYTES, more)

    def close(self) -> None:
        """Close the connections; the client can be used again."""
        with self._guard:
            _close_all(self._clients)

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<HttpClient {self.base_url}>"

    # how ----------------------------------------------------------------------------------------------------
    def _call(
        self, method: str, path: str, repeatable: bool, expect: tuple[int, ...], max_bytes: int, more: dict[str, Any]
    ) -> Reply:
        tenacity = _library("tenacity")
        url = self.base_url + checked_path(path)
        deadline = time.monotonic() + self._budget
        maybe_done = False
        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WINDOW, max=LONGEST_WINDOW)

        def wait(state: Any) -> float:
            asked = state.outcome.result().error.retry_after_sec
            return float(jitter(state)) + (asked or 0.0)

        def stop(state: Any) -> bool:
            return bool(state.attempt_number >= TRIES or time.monotonic() + state.upcoming_sleep > deadline)

        def attempt() -> Reply | Failure:
            nonlocal maybe_done
            got = self._attempt(method, url, deadline, expect, max_bytes, more)
            if isinstance(got, Failure):
                maybe_done = maybe_done or got.arrived
            return got

        again = tenacity.retry_if_result(
            lambda got: isinstance(got, Failure) and got.again and (repeatable or not got.arrived)
        )
        retrying = tenacity.Retrying(
            stop=stop,
            wait=wait,
            retry=again,
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome.result(),
        )
        got = retrying(attempt)
        if isinstance(got, Reply):
            return got
        error: ServiceError = got.error
        if method == "GET" or not maybe_done or isinstance(error, SubmitUnknown):
            raise error
        raise SubmitUnknown(
            f"{method} {error.path} of {self.origin} was sent and may or may not have been done: {error}",
            method=method, path=error.path, status=error.status, request_id=error.request_id,
            retry_after_sec=error.retry_after_sec,
        )  # fmt: skip

    def _attempt(
        self, method: str, url: str, deadline: float, expect: tuple[int, ...], max_bytes: int, more: dict[str, Any]
    ) -> Reply | Failure:
        """One request with its redirects; a failure is returned, so that no frame of the library hangs on an error."""
        for _ in range(_REDIRECTS + 1):
            got = self._request(method, url, deadline, max_bytes, more)
            if isinstance(got, Failure):
                return got
            if 200 <= got.status < 300 or got.status in expect:
                return got
            if method != "GET" or got.status not in (301, 302, 303, 307, 308):
                return failure_of_status(method, url, self.origin, got)
            target = self._same_origin(url, got.headers.get("location", ""))
            if target is None:
                return Failure(
                    BadReply(f"{self.origin} sent us on to another origin, which is not followed.", method="GET")
                )
            url, more = target, {}
        return Failure(BadReply(f"{self.origin} sent us on more than {_REDIRECTS} times.", method="GET"))

    def _request(self, method: str, url: str, deadline: float, max_bytes: int, more: dict[str, Any]) -> Reply | Failure:
        httpx = _library("httpx2")
        path = httpx.URL(url).path
        about: dict[str, Any] = {"method": method, "path": path}
        left = deadline - time.monotonic()
        connect, read = (max(0.01, min(seconds, left)) for seconds in self._timeouts)
        headers = {**(self._headers() if self._headers is not None else {}), **more.get("headers", {})}
        watch = _Watch(deadline)
        failed: BaseException | None = None
        try:
            request = {
                **more,
                "headers": headers,
                "timeout": httpx.Timeout(read, connect=connect),
                "extensions": {"trace": watch.trace},
            }
            with watch, self._client(method == "GET").stream(method, url, **request) as response:
                return read_body(response, max_bytes, deadline, about)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            failed = error
        del headers, request  # an error that is shown with its frames' variables shows no credential
        return _failure(failed, watch, about, self.origin)

    def _same_origin(self, url: str, location: str) -> str | None:
        """Where a redirect leads, if that is the same origin: nobody else is sent our headers."""
        httpx = _library("httpx2")
        try:
            target = str(httpx.URL(url).join(location))
            same = checked_url(target.partition("?")[0].partition("#")[0])[1] == self.origin
        except (httpx.InvalidURL, SessionError):
            return None
        return target if same else None

    def _client(self, keep: bool) -> Any:
        """Connections for reads are kept; what changes something gets a new one, which cannot be a dead one."""
        with self._guard:
            if keep not in self._clients:
                httpx = _library("httpx2")
                guard_loggers(_LOGGERS)
                client = httpx.Client(
                    follow_redirects=False,
                    verify=httpx.create_ssl_context(),  # the system's certificates, or SSL_CERT_FILE
                    trust_env=not is_loopback(self.base_url),  # proxies, as the user set them
                    limits=httpx.Limits(max_connections=8, max_keepalive_connections=4 if keep else 0),
                    headers={"User-Agent": f"qsim-session/{__version__}", "Accept": "application/json"},
                )
                client.cookies.jar.set_policy(_no_cookies())
                self._clients[keep] = client
            return self._clients[keep]


def _close_all(clients: dict[bool, Any]) -> None:
    while clients:
        clients.popitem()[1].close()


class _Watch:
    """Whether anything of a request has left, and an end to replies that drip in byte by byte."""

    def __init__(self, deadline: float) -> None:
        self.sent = self.is_over = False
        self._stream: Any = None
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._end)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the library at each step of a request."""
        if event.endswith(".send_request_headers.started"):
            self.sent = True
        elif event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info.get("return_value")

    def _end(self) -> None:
        self.is_over = True
        if self._stream is not None and (socket := self._stream.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):
                socket.shutdown(2)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


def _failure(error: BaseException | None, watch: _Watch, about: dict[str, Any], origin: str) -> Failure:
    """What an error of the library means: whether the request can have arrived, and whether to try again."""
    what = f"{about['method']} {about['path']} of {origin}"
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(error)):
        said = f"The certificate of {origin} is not valid, so nothing was sent. Check the URL, or SSL_CERT_FILE."
        return Failure(ServiceUnavailable(said, **about))
    kind = type(error).__name__
    if not watch.sent:
        said = f"{origin} could not be reached ({kind}), so nothing was sent. Check the network and the URL."
        return Failure(ServiceUnavailable(said, **about), again=kind not in ("UnsupportedProtocol", "InvalidURL"))
    if watch.is_over:
        said = f"{what} took longer than the time for a call."
        return Failure(ServiceUnavailable(said, **about), arrived=True)
    if kind == "DecodingError" or (kind == "RemoteProtocolError" and "incomplete" in str(error)):
        return Failure(
            BadReply(f"The reply to {what} is cut off or garbled ({kind}).", **about), again=True, arrived=True
        )
    if kind in ("LocalProtocolError", "TooManyRedirects"):
        return Failure(BadReply(f"{what} broke the rules of HTTP ({kind}).", **about), arrived=True)
    return Failure(ServiceUnavailable(f"{what} was not answered ({kind}).", **about), again=True, arrived=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def _body(content: bytes | None, data: Any) -> bytes | None:
    if content is not None and data is not None:
        raise SessionError("A request has a content or a json, not both.")
    if data is None:
        return content
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy

    return DefaultCookiePolicy(allowed_domains=[])


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise SessionError(
            f'Services are reached by the package {name}: pip install "qsim-session[http]", or the extra of the adapter.'
        ) from None

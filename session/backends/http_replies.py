"""URLs, paths and replies of `session.backends.http`: what is let out, and what is made of what comes in."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from session.backends.credentials import redact
from session.errors import BadReply, ServiceError, ServiceRefused, ServiceUnavailable, SessionError

#: What a service may ask us to wait at most, in seconds.
LONGEST_RETRY_AFTER = 3600.0
_MOST_SAID = 300  # characters of a service's own message
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-amz-request-id", "x-correlation-id", "cf-ray")


@dataclass(frozen=True)
class Reply:
    """A whole reply, with the names of its headers in lower case. Its body is not shown: it may be long, or private."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = ""
    path: str = ""

    @property
    def media_type(self) -> str:
        """The type of the body without its parameters, such as "application/json"."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str:
        """The service's id of this request, for its support."""
        return next((redact(self.headers[name])[:100] for name in _REQUEST_IDS if name in self.headers), "")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            BadReply: it is none, or is nested too deep, or holds NaN.

        >>> Reply(200, {}, b'{"id": "7"}').json()
        {'id': '7'}
        """
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
            kind = self.media_type
        raise BadReply(
            f"The reply to {self.method or 'a request'} {self.path} is not JSON ({reason}; it is {len(self.body):,} bytes of "
            f"{kind or 'no type'}).",
            method=self.method, path=self.path, status=self.status, request_id=self.request_id,
        )  # fmt: skip

    def object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            BadReply: it is something else.
        """
        data = self.json()
        if isinstance(data, dict):
            return data
        raise BadReply(
            f"The reply to {self.method or 'a request'} {self.path} is a JSON {type(data).__name__}, not an object.",
            method=self.method, path=self.path, status=self.status, request_id=self.request_id,
        )  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A try that failed: its error, whether to try again, and whether the service may have done what was asked."""

    error: ServiceError
    again: bool = False
    arrived: bool = False


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# going out ------------------------------------------------------------------------------------------------------
def checked_url(url: str) -> tuple[str, str]:
    """A base URL without a trailing "/", and its origin.

    Raises:
        SessionError: it is not https (http is for this machine), or holds a user, a query or a fragment.

    >>> checked_url("https://api.ionq.co/v0.4/")
    ('https://api.ionq.co/v0.4', 'https://api.ionq.co')
    >>> checked_url("https://API.example.com:443/x")[1], checked_url("http://127.0.0.1:80")[1]
    ('https://api.example.com', 'http://127.0.0.1')
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or re.search(r"[\s\\]", url):
        raise SessionError("The URL of a service is a text of printable ASCII without spaces.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SessionError(f"This is no URL of a service ({error}).") from None
    if parts.username is not None or parts.password is not None:
        raise SessionError("The URL of a service holds no user and no password. Credentials are given apart.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise SessionError("The URL of a service has no query and no fragment.")
    if parts.scheme not in ("https", "http") or not host:
        raise SessionError(f"The URL of a service is https://host/path, got {url!r}.")
    if parts.scheme == "http" and not _is_loopback_host(host):
        raise SessionError(f"A service is reached by https (http is for this machine only), got {url!r}.")
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[parts.scheme]
    origin = f"{parts.scheme}://{shown}" + ("" if port in (None, default) else f":{port}")
    return origin + parts.path.rstrip("/"), origin


def is_loopback(url: str) -> bool:
    """Whether a URL is of this machine."""
    return _is_loopback_host(urlsplit(url).hostname or "")


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def segment(text: str) -> str:
    """One part of a path, such as an id of a service, written so that it stays one part.

    >>> segment("arn:aws/7")
    'arn%3Aaws%2F7'
    >>> segment("..")
    Traceback (most recent call last):
    ...
    session.errors.SessionError: '..' is no part of a path.
    """
    if not isinstance(text, str) or not text or text in (".", "..") or not text.isprintable():
        raise SessionError(f"{text!r} is no part of a path.")
    return quote(text, safe="")


def checked_path(path: str) -> str:
    """A path below a base URL; anything that could lead elsewhere is refused."""
    wrong = (
        not path.startswith("/")
        or path.startswith("//")
        or re.search(r"[\s\\?#@]", path) is not None
        or not path.isascii()
        or any(part in (".", "..") for part in path.split("/"))
    )
    if wrong:
        raise SessionError(f"A path begins with one '/' and has no query and no '..', got {path!r}.")
    return path


# coming in ------------------------------------------------------------------------------------------------------
def read_body(response: Any, max_bytes: int, deadline: float, about: Mapping[str, Any]) -> Reply | Failure:
    """A reply of the library, read piece by piece and no further than is allowed."""
    headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
    what = f"The reply to {about['method']} {about['path']}"
    told = headers.get("content-length", "")
    pieces: list[bytes] = []
    size = int(told) if told.isdecimal() and len(told) < 20 else 0
    if size <= max_bytes:
        size = 0
        for piece in response.iter_bytes(1 << 16):
            size += len(piece)
            if size > max_bytes:
                break
            if time.monotonic() > deadline:
                return Failure(
                    ServiceUnavailable(f"{what} took longer than the time for a call.", **about), arrived=True
                )
            pieces.append(piece)
    if size > max_bytes:
        return Failure(BadReply(f"{what} is larger than {max_bytes:,} bytes.", **about), arrived=True)
    return Reply(response.status_code, headers, b"".join(pieces), about["method"], about["path"])


def failure_of_status(method: str, url: str, origin: str, reply: Reply) -> Failure:
    """What a status means that is no answer."""
    status, path = reply.status, reply.path
    wait = retry_after(reply.headers.get("retry-after"))
    more: dict[str, Any] = {
        "method": method, "path": path, "status": status, "request_id": reply.request_id, "retry_after_sec": wait,
    }  # fmt: skip
    identity = f" (request {reply.request_id})" if reply.request_id else ""
    head = f"{origin} answered {method} {path} with {status}{identity}"
    if status in (401, 403):
        return Failure(ServiceRefused(f"{head}: the credential is wrong, or has no right to this.", **more))
    if status == 429:
        return Failure(ServiceUnavailable(f"{head}: too many requests{_later(wait)}.", **more), again=True)
    said = _said(reply)
    if 300 <= status < 400:
        told = "a redirect, which is not followed for what changes something" if method != "GET" else "no answer"
        return Failure(ServiceRefused(f"{head}: {told}. Check the base URL.", **more), arrived=status in (302, 303))
    if 400 <= status < 500 and status != 408:
        return Failure(ServiceRefused(f"{head}: {said or 'it gave no reason'}", **more))
    return Failure(
        ServiceUnavailable(f"{head}{': ' + said if said else ''}{_later(wait)}.", **more), again=True, arrived=True
    )


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a header Retry-After asks for, given as a number or as a date (RFC 9110, section 10.2.3).

    >>> retry_after("7"), retry_after("soon"), retry_after("99999999999")
    (7.0, None, 3600.0)
    >>> retry_after("Wed, 21 Oct 2026 07:28:10 GMT", datetime(2026, 10, 21, 7, 28, tzinfo=UTC))
    10.0
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()), LONGEST_RETRY_AFTER)


def _later(wait: float | None) -> str:
    return f", and asked to wait {wait:g} s" if wait else ""


def _said(reply: Reply) -> str:
    """The service's own words in a reply that is an error: the first text under a usual name, on one line."""
    try:
        data = json.loads(reply.body[: 1 << 20])
    except (ValueError, RecursionError):
        return ""
    for _ in range(4):
        if isinstance(data, list) and data:
            data = data[0]
        elif isinstance(data, dict):
            data = next((data[k] for k in ("message", "detail", "msg", "errors", "error", "title") if data.get(k)), "")
        else:
            break
    text = " ".join(data.split()) if isinstance(data, str) else ""
    return redact("".join(c for c in text if c.isprintable()))[:_MOST_SAID]

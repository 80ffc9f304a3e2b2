"""Amazon Braket and S3 through boto3, AWS's own client: credentials, signatures, retries and time-outs are its affair."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

from qsim.version import __version__
from session.backends.braket.options import BraketOptions, check_endpoint
from session.errors import (
    BadReply,
    CredentialError,
    ServiceError,
    ServiceRefused,
    ServiceUnavailable,
    SessionError,
    SubmitUnknown,
)

#: Seconds to connect and to wait for bytes, and how often a request is tried; the token makes a submission safe to repeat.
CONNECT_SECONDS, READ_SECONDS, TRIES = 10, 30, 5
MOST_RESULT_BYTES = 256 << 20
#: Errors that say: not now. AWS counts them among its clients' faults.
_BUSY = frozenset(("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "Throttling"))
_NAME = re.compile(r"[^\x20-\x7e]+")


class BraketClient:
    """The calls that the adapter makes. Safe to use from several threads."""

    def __init__(self, options: BraketOptions) -> None:
        self._options = options
        self._guard = threading.Lock()
        self._clients: dict[str, Any] = {}

    def call(self, operation: str, arguments: Mapping[str, Any], *, submits: bool = False) -> dict[str, Any]:
        """One call of Braket's interface, by boto3's name of the method.

        Raises:
            ServiceRefused: the answer is no.
            ServiceUnavailable: it was not reached, or is too busy.
            SubmitUnknown: a submission was sent and never answered.
            CredentialError: AWS's chain has none.
        """
        client = self._client("braket")
        try:
            reply: dict[str, Any] = getattr(client, operation)(**arguments)
        except Exception as error:
            translate(error, operation, submits)
        return reply

    def read_object(self, bucket: str, key: str) -> bytes:
        """An object of S3, of at most `MOST_RESULT_BYTES`.

        Raises:
            BadReply: it is too large, cut off, or not there.
        """
        client = self._client("s3")
        try:
            reply = client.get_object(Bucket=bucket, Key=key)
            length = reply.get("ContentLength")
            with reply["Body"] as stream:
                if isinstance(length, int) and length > MOST_RESULT_BYTES:
                    raise BadReply(
                        f"The result of a Braket task has {length:,} bytes; at most {MOST_RESULT_BYTES:,} are read."
                    )
                body: bytes = stream.read(MOST_RESULT_BYTES + 1)
        except SessionError:
            raise
        except Exception as error:
            translate(error, "get_object", False)
        if len(body) > MOST_RESULT_BYTES:
            raise BadReply(
                f"The result of a Braket task has more than {MOST_RESULT_BYTES:,} bytes, which are not read."
            )
        if isinstance(length, int) and len(body) != length:
            raise BadReply(f"The result of a Braket task was cut off: {len(body):,} of {length:,} bytes came.")
        return body

    @property
    def region(self) -> str:
        """The region that is asked."""
        return str(self._client("braket").meta.region_name)

    @property
    def endpoint(self) -> str:
        """Where Braket is."""
        return str(self._client("braket").meta.endpoint_url)

    def _client(self, service: str) -> Any:
        with self._guard:  # a boto3 session is not safe to share between threads; a client is
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise SessionError(
                f"Backend 'braket' needs an extra: pip install \"qsim-session[braket]\" ({error})."
            ) from None
        options = self._options
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            user_agent_extra=f"qsim-session/{__version__}",
        )
        url = (options.endpoint if service == "braket" else options.s3_endpoint) or None
        try:
            session = boto3.Session(region_name=options.region, profile_name=options.aws_profile)
            client = session.client(service, config=config, endpoint_url=url)
        except Exception as error:
            translate(error, "", False)
        check_endpoint(client.meta.endpoint_url, f"The endpoint of {service} in AWS's configuration")
        return client


def translate(error: Exception, operation: str, submits: bool) -> NoReturn:
    """What boto3 raises, as an error of this package; without anything that its requests held."""
    from botocore import exceptions

    what = f"Amazon Braket ({operation})" if operation else "Amazon Braket"
    if isinstance(error, exceptions.ClientError):
        _refused(error, what, operation, submits)
    if isinstance(error, exceptions.NoRegionError):
        raise SessionError(
            "Backend 'braket' needs a region: give the option 'region', such as 'us-east-1', or set AWS_DEFAULT_REGION."
        ) from None
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError)) or any(
        word in type(error).__name__ for word in ("Credential", "Token", "SSO", "ProfileNotFound")
    ):
        raise CredentialError(
            f"AWS gives no credentials ({type(error).__name__}). Run 'aws configure' or 'aws sso login', or set the "
            "environment variables of AWS; this package keeps none itself."
        ) from None
    cut = (exceptions.IncompleteReadError, exceptions.ResponseStreamingError, exceptions.FlexibleChecksumError)
    if isinstance(error, cut) and operation == "get_object":
        raise BadReply(f"The result of a Braket task did not come whole ({type(error).__name__}).") from None
    reached = not isinstance(error, (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError))
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        if submits and reached:
            raise SubmitUnknown(f"{what} was sent and not answered ({type(error).__name__}).") from None
        raise ServiceUnavailable(f"{what} cannot be reached ({type(error).__name__}).") from None
    if isinstance(error, (exceptions.ParamValidationError, exceptions.BotoCoreError)):
        said = _NAME.sub(" ", str(error))[:300]
        raise ServiceError(f"{what}: {said}") from None
    if submits:
        raise SubmitUnknown(f"{what} was sent, and its answer is no reply ({type(error).__name__}).") from None
    raise BadReply(f"{what} answered with something that is no reply ({type(error).__name__}).") from None


def _refused(error: Any, what: str, operation: str, submits: bool) -> NoReturn:
    reply = error.response if isinstance(error.response, Mapping) else {}
    said, about = reply.get("Error") or {}, reply.get("ResponseMetadata") or {}
    code, message = str(said.get("Code", "")), _NAME.sub(" ", str(said.get("Message", "")))[:500]
    status = about.get("HTTPStatusCode")
    headers = about.get("HTTPHeaders") or {}
    known: dict[str, Any] = {
        "status": status if isinstance(status, int) else None,
        "request_id": str(about.get("RequestId", "")),
        "retry_after_sec": _seconds(headers.get("retry-after")),
    }
    text = f"{what} says {code or status}: {message or 'no more'}."
    if code in _BUSY or status == 429:
        raise ServiceUnavailable(text, **known) from None
    if code in ("NoSuchKey", "404") and operation == "get_object":
        raise BadReply("The task is completed, but its result is not in S3 (any more).", **known) from None
    if isinstance(status, int) and 400 <= status < 500:
        raise ServiceRefused(text, **known) from None
    if submits:
        raise SubmitUnknown(text, **known) from None
    raise ServiceUnavailable(text, **known) from None


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, min(float(value), 3600.0))
    except (TypeError, ValueError):
        return None

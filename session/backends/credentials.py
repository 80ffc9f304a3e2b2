"""Credentials: where they are looked for, and how they are kept out of everything that is stored, printed or logged.

A secret is asked for when a request needs it and put into that request's headers; nobody else ever sees its text. What
still might, such as the log of the HTTP library, goes through `redact`, which knows every secret of this process.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from session.errors import CredentialError

SHOWN = "***"
KEYRING_SERVICE = "qsim-session"
#: Shorter texts are no credentials, and blotting them out would blot out words.
_SHORTEST = 6
#: What looks like a credential even if nobody here ever made a `Secret` of it.
_PATTERNS = (
    re.compile(
        r"(?i)(\b(?:authorization|proxy-authorization|x-api-key|x-ms-quantum-api-key|cookie|set-cookie)\b['\"]?\s*[:=,]\s*"
        r"(?:b?['\"])?)[^'\"\r\n,}]+"
    ),
    re.compile(r"(?i)(\b(?:bearer|apikey|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)([?&](?:X-Amz-[A-Za-z-]+|sig|token|access_token|api_?key|signature)=)[^&\s'\"]+"),
)
#: The texts of the newest secrets, also of those that nobody holds any more: a traceback may.
_known: dict[str, None] = {}
_MOST_KNOWN = 256


class Secret:
    """A text that shows itself to nobody but who calls `reveal`.

    Args:
        text: the credential; white space around it is dropped.
        name: what it is, for messages.

    Raises:
        CredentialError: it is empty, or has characters that no header can carry.

    >>> key = Secret("a-very-secret-key", "the key of IonQ")
    >>> key, str(key), f"{key}", key.reveal()
    (Secret(***), '***', '***', 'a-very-secret-key')
    """

    __slots__ = ("__text",)

    def __init__(self, text: str, name: str = "the credential") -> None:
        if not isinstance(text, str):
            raise CredentialError(f"{name} is a text, got {type(text).__name__}.")
        text = text.strip()
        if not text:
            raise CredentialError(f"{name} is empty.")
        if not (text.isascii() and text.isprintable()):
            raise CredentialError(f"{name} has characters that no credential has: only printable ASCII is sent.")
        self.__text = text
        _known[text] = None
        for oldest in list(_known)[:-_MOST_KNOWN]:
            _known.pop(oldest, None)

    def reveal(self) -> str:
        """The text itself, for a header and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({SHOWN})"

    def __str__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text, other.__text)

    def __hash__(self) -> int:
        return hash(self.__text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A Secret is never pickled or stored. Look it up where it is needed.")

    __reduce__ = __reduce_ex__  # type: ignore[assignment]


def find_secret(
    name: str,
    *,
    explicit: Callable[[], str | Secret] | None = None,
    environment: Sequence[str] = (),
    keyring_service: str | None = KEYRING_SERVICE,
    account: str | None = None,
) -> Secret:
    """A credential, looked for in the callable that was given, then the environment, then the keyring if there is one.

    Args:
        name: whose it is, such as "ionq"; the user name in the keyring unless `account` says another.
        explicit: gives it; then nothing else is asked.
        environment: names of variables, the first that is set and not empty counts.
        keyring_service: the service in the keyring (package `keyring`); None leaves the keyring out.
        account: one of several accounts: the user name in the keyring.

    Raises:
        CredentialError: it is nowhere; the message lists the places.

    >>> find_secret("ionq", explicit=lambda: "a-very-secret-key")
    Secret(***)
    """
    what = f"The credential of '{name}'"
    if explicit is not None:
        given = _called(explicit, what)
        return given if isinstance(given, Secret) else Secret(given, f"{what} from the callable")
    for variable in environment:
        if os.environ.get(variable, "").strip():
            return Secret(os.environ[variable], f"{what} in {variable}")
    places = [f"the environment ({', '.join(environment)})"] if environment else []
    if keyring_service is not None:
        found, place = _from_keyring(keyring_service, account or name)
        if found:
            return Secret(found, f"{what} in the keyring")
        places.append(place)
    wanted = f"Set {environment[0]}, or " if environment else "Either "
    raise CredentialError(
        f"There is no credential of '{name}' in {' or '.join(places) or 'any place'}. {wanted}store it with 'keyring set "
        f"{keyring_service or KEYRING_SERVICE} {account or name}', or give the backend a function that returns it."
    )


def _called(explicit: Callable[[], str | Secret], what: str) -> str | Secret:
    kind = ""
    try:
        return explicit()
    except CredentialError:
        raise
    except Exception as error:
        kind = type(error).__name__
    # Outside of the handler: the error's own text and frames, which may hold the secret, are left behind.
    raise CredentialError(f"{what} could not be had: the function that gives it raised {kind}.")


def _from_keyring(service: str, user: str) -> tuple[str | None, str]:
    """What the system's keyring holds, and how to call the place in a message."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None, "the keyring (package keyring is not installed)"
    try:
        return keyring.get_password(service, user), f"the keyring ({service}, {user})"
    except keyring.errors.NoKeyringError:
        return None, "the keyring (this system has none)"
    except Exception as error:  # locked, or whatever a keyring of the desktop does
        return None, f"the keyring (it gave {type(error).__name__})"


# keeping them out ------------------------------------------------------------------------------------------------
def redact(text: str) -> str:
    """A text without the secrets of this process, and without what looks like one.

    >>> key = Secret("a-very-secret-key")
    >>> redact("no user has a-very-secret-key"), redact("Authorization: Bearer abcdefgh")
    ('no user has ***', 'Authorization: ***')
    """
    for value in list(_known):
        if len(value) >= _SHORTEST and value in text:
            text = text.replace(value, SHOWN)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: found[1] + SHOWN, text)
    return text


class RedactingFilter(logging.Filter):
    """Takes secrets out of log records: add it to a handler or a logger.

    >>> record = logging.LogRecord("x", logging.INFO, "", 0, "Bearer %s", ("abcdefgh",), None)
    >>> _ = RedactingFilter().filter(record)
    >>> record.getMessage()
    'Bearer ***'
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; it is always let through."""
        try:
            message = record.getMessage()
        except Exception:  # a record with wrong arguments is logging's to complain of
            return True
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def guard_loggers(names: Sequence[str]) -> None:
    """Put one `RedactingFilter` on each of these loggers: a library's own, whose records may hold headers."""
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RedactingFilter) for one in logger.filters):
            logger.addFilter(RedactingFilter())

"""What a user says about Amazon Braket, checked before anything is asked of it. No secrets: AWS's own chain has those."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from qsim.errors import suggestion
from session.errors import SessionError

#: Amazon's own simulators by their short names; every other device is given by its ARN.
SIMULATORS = {name: f"arn:aws:braket:::device/quantum-simulator/amazon/{name}" for name in ("sv1", "dm1", "tn1")}
_ARN = re.compile(r"arn:aws[a-z\-]*:braket:([a-z0-9\-]*)::device/[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, "safe characters"
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()\-]+(/[A-Za-z0-9!_.*'()\-]+)*")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?/?")


@dataclass(frozen=True, kw_only=True)
class BraketOptions:
    """Which device, and where its results go.

    Args:
        target: an ARN of a device, or ``sv1``, ``dm1`` or ``tn1``.
        bucket: the S3 bucket that Braket writes results to; it is the user's own.
        prefix: of the results' keys.
        region: of AWS; None for the device's, and of a simulator for what AWS's configuration says.
        aws_profile: a profile of AWS's configuration; None for the default one.
        gates: names of Braket's gates to print programs in; None for those that the device lists.
        device_parameters: sent with each task as they are.
        tags: of each task, as well as this package's own.
        max_circuits: circuits of one call, each a task of its own.
        endpoint: of Braket, in the place of AWS's; https, or http to this machine.
        s3_endpoint: of S3.

    Raises:
        SessionError: a value is missing or is none of its kind.

    >>> BraketOptions(target="sv1", bucket="amazon-braket-mine").target
    'arn:aws:braket:::device/quantum-simulator/amazon/sv1'
    """

    target: str = ""
    bucket: str = ""
    prefix: str = "qsim"
    region: str | None = None
    aws_profile: str | None = None
    gates: tuple[str, ...] | None = None
    device_parameters: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    max_circuits: int = 100
    endpoint: str = ""
    s3_endpoint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", SIMULATORS.get(self.target, self.target))
        arn = _ARN.fullmatch(self.target) if isinstance(self.target, str) else None
        if arn is None:
            raise SessionError(
                f"Backend 'braket' needs a target: the ARN of a Braket device, or {', '.join(SIMULATORS)}; got "
                f"{self.target!r}."
            )
        if self.region is not None and not _matches(_REGION, self.region):
            raise SessionError(f"region is one of AWS's, such as 'us-east-1'; got {self.region!r}.")
        if arn[1] and self.region not in (None, arn[1]):
            raise SessionError(f"This device is in region {arn[1]}, so region cannot be {self.region!r}. Leave it out.")
        object.__setattr__(self, "region", arn[1] or self.region)
        _check_bucket(self.bucket)
        if (
            not _matches(_PREFIX, self.prefix)
            or len(self.prefix) > 1024
            or any(part.endswith(".") for part in self.prefix.split("/"))
        ):
            raise SessionError(
                "prefix is 1 to 1,024 letters, digits and the characters !_.*'()-, with single slashes between parts that do "
                f"not end with a point; got {self.prefix!r}."
            )
        for name in ("endpoint", "s3_endpoint"):
            check_endpoint(getattr(self, name), name)
        self._check_plain()

    def _check_plain(self) -> None:
        if self.gates is not None:
            if isinstance(self.gates, str) or not all(isinstance(name, str) for name in self.gates):
                raise SessionError(f"gates is a list of names of Braket's gates, got {self.gates!r}.")
            object.__setattr__(self, "gates", tuple(self.gates))
        if not isinstance(self.device_parameters, Mapping):
            raise SessionError(f"device_parameters is a mapping, got {type(self.device_parameters).__name__}.")
        if not isinstance(self.tags, Mapping) or not all(
            isinstance(text, str) and len(text) <= 256 for pair in self.tags.items() for text in pair
        ):
            raise SessionError(f"tags maps names to texts of at most 256 characters, got {self.tags!r}.")
        if isinstance(self.max_circuits, bool) or not isinstance(self.max_circuits, int) or self.max_circuits < 1:
            raise SessionError(f"max_circuits is a whole number of at least 1, got {self.max_circuits!r}.")

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> BraketOptions:
        """Options by name, as preferences and profiles hold them.

        >>> BraketOptions.read({"buckt": "mine"})
        Traceback (most recent call last):
        ...
        session.errors.SessionError: Backend 'braket' has no option 'buckt'. Did you mean 'bucket'? There are target, bucket, prefix, region, aws_profile, gates, device_parameters, tags, max_circuits, endpoint, s3_endpoint.
        """  # noqa: E501
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                hint = suggestion(str(name), known)
                raise SessionError(f"Backend 'braket' has no option '{name}'.{hint} There are {', '.join(known)}.")
        return cls(**given)


def _check_bucket(name: Any) -> None:
    if (
        not _matches(_BUCKET, name)
        or _ADDRESS.fullmatch(name)
        or any(part in name for part in ("..", ".-", "-."))
        or name.startswith(("xn--", "sthree-"))
        or name.endswith(("-s3alias", "--ol-s3"))
    ):
        raise SessionError(
            "Backend 'braket' needs the option 'bucket': the S3 bucket for results, 3 to 63 small letters, digits, hyphens "
            f"and dots, and no address; got {name!r}."
        )


def check_endpoint(url: Any, name: str) -> None:
    """Refuse an address that requests must not be sent to.

    >>> check_endpoint("http://example.com", "endpoint")
    Traceback (most recent call last):
    ...
    session.errors.SessionError: endpoint is https, or http to this machine; got 'http://example.com'.
    """
    if not url and isinstance(url, str):
        return
    safe = isinstance(url, str) and (url.startswith("https://") or _LOOPBACK.fullmatch(url)) and "@" not in url
    if not safe:
        raise SessionError(f"{name} is https, or http to this machine; got {url!r}.")


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

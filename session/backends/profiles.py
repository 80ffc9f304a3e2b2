"""Profiles: named accesses to services, without secrets, from which an adapter is made again after a restart.

A profile says which adapter, at which URL, which device, and where to look for the credential. It comes from the file
``profiles.toml`` of the user's configuration or from `define_profile`, never from a job: what a job stores is its name,
and a job goes on only while the profile of that name speaks to the same origin.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qsim.errors import suggestion
from session.backends.credentials import Secret, find_secret
from session.errors import ProfileError, SessionError
from session.preferences import ExecutionPreferences

FILE = "profiles.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEYS = ("adapter", "endpoint", "target", "environment", "account", "options")
#: Names that credentials have; nothing of that name is read from a profile or kept with a job.
CREDENTIAL_NAME = re.compile(r"token|secret|passw|credential|api_?key|access_?key|authoriz|bearer", re.IGNORECASE)
#: Names of options that would say where requests go: a job must not.
_PLACES = ("endpoint", "url", "base_url", "host", "origin")


@dataclass(frozen=True)
class Profile:
    """An access to a service.

    Args:
        name: what preferences call it: ``backend_options={"profile": name}``.
        adapter: the backend that speaks to the service, such as "ionq".
        endpoint: the base URL, https (http to this machine); empty for the adapter's own.
        target: the device; empty where `backend_options` name one.
        environment: the variable that holds the credential; empty for the adapter's usual one.
        account: the user name that the keyring has the credential under; empty for the adapter's name.
        options: whatever else the adapter takes. No credentials.

    Raises:
        ProfileError: something in it is not what it should be.

    >>> Profile("work", "ionq", "https://api.ionq.co/v0.4", target="qpu.forte-1").origin
    'https://api.ionq.co'
    """

    name: str
    adapter: str
    endpoint: str = ""
    target: str = ""
    environment: str = ""
    account: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("name", "adapter", "endpoint", "target", "environment", "account"):
            if not isinstance(getattr(self, name), str):
                raise ProfileError(f"The {name} of a profile is a text, got {type(getattr(self, name)).__name__}.")
        if not _NAME.fullmatch(self.name):
            raise ProfileError(f"A profile is called by letters, digits, '.', '_' and '-', got {self.name!r}.")
        if not self.adapter:
            raise ProfileError(f"Profile '{self.name}' does not say its adapter, such as adapter = \"ionq\".")
        if self.endpoint:
            try:
                self._checked()
            except ProfileError:
                raise
            except SessionError as error:
                raise ProfileError(f"Profile '{self.name}': {error}") from None
        refuse_credentials(self.options, f"Profile '{self.name}'")

    def _checked(self) -> tuple[str, str]:
        from session.backends.http_replies import checked_url

        return checked_url(self.endpoint)

    @property
    def origin(self) -> str:
        """Scheme, host and port of the endpoint; empty when it is the adapter's own."""
        return self._checked()[1] if self.endpoint else ""

    def secret(self, *environment: str, explicit: Callable[[], str | Secret] | None = None) -> Secret:
        """The credential; `environment` are the adapter's usual variables.

        Raises:
            CredentialError: it is nowhere.
        """
        variables = (self.environment,) if self.environment else environment
        account = self.account or None
        return find_secret(
            self.adapter, explicit=explicit or _explicit.get(self.name), environment=variables, account=account
        )


def refuse_credentials(options: Any, where: str) -> None:
    """Raise a `ProfileError` for options that are called like credentials, at any depth."""
    pending = [options]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            for name in item:
                if CREDENTIAL_NAME.search(str(name)):
                    raise ProfileError(
                        f"{where} holds {str(name)!r}, which is called like a credential; those are never stored. Set the "
                        "environment variable of the adapter, or use the keyring."
                    )
            pending.extend(item.values())
        elif isinstance(item, (list, tuple)):
            pending.extend(item)


# where they come from ---------------------------------------------------------------------------------------------
_defined: dict[str, Profile] = {}
_explicit: dict[str, Callable[[], str | Secret]] = {}


def define_profile(profile: Profile, credential: Callable[[], str | Secret] | None = None) -> Profile:
    """Make a profile known to this process; it goes before one of the same name in the file.

    Args:
        profile: what to define.
        credential: gives the credential each time that it is needed; None for environment and keyring.

    A process that goes on with jobs of this profile has to define it again, or have it in its file.

    >>> define_profile(Profile("lab", "ionq", "https://quantum.example.org/v0.4")).endpoint
    'https://quantum.example.org/v0.4'
    >>> forget_profile("lab")
    """
    _defined[profile.name] = profile
    if credential is None:
        _explicit.pop(profile.name, None)
    else:
        _explicit[profile.name] = credential
    return profile


def forget_profile(name: str) -> None:
    """Take back what `define_profile` made known."""
    _defined.pop(name, None)
    _explicit.pop(name, None)


def profiles_file() -> Path:
    """The file of profiles: in ``QSIM_CONFIG_DIR``, or where the platform keeps configurations."""
    folder = os.environ.get("QSIM_CONFIG_DIR", "").strip()
    if folder:
        return Path(folder).expanduser() / FILE
    import platformdirs

    return Path(platformdirs.user_config_dir("qsim-session", appauthor=False)) / FILE


def read_profiles(path: Path | None = None) -> dict[str, Profile]:
    """The profiles of a file; none when there is no such file.

    Raises:
        ProfileError: others can write to the file, or something in it is wrong.
    """
    import tomllib

    path = profiles_file() if path is None else path
    try:
        with open(path, "rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            data = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProfileError(f"The profiles in '{path}' cannot be read: {error}.") from None
    found = {}
    for name, entry in data.items():
        if not isinstance(entry, dict):
            raise ProfileError(f"'{path}' holds tables, one for each profile; {name!r} is none.")
        for key in entry:
            if key not in _KEYS:
                refuse_credentials({key: ""}, f"Profile '{name}' in '{path}'")
                hint = suggestion(key, _KEYS)
                raise ProfileError(f"Profile '{name}' in '{path}' has no {key!r}.{hint} There are {', '.join(_KEYS)}.")
        found[name] = Profile(name, entry.pop("adapter", ""), **entry)
    return found


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Whoever writes this file says where credentials are sent, so it is its user's alone."""
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ProfileError(
            f"The profiles in '{path}' can be written by others, who could have credentials sent to them: chmod 600."
        )


def profile_names() -> list[str]:
    """All profiles that can be named."""
    return list({**read_profiles(), **_defined})


def resolve_profile(
    preferences: ExecutionPreferences, adapter: str, *, endpoint: str = "", target: str = ""
) -> Profile:
    """The profile that preferences name, completed by an adapter's own endpoint and target; for adapters.

    ``backend_options["profile"]`` is its name, else it is the one called like the adapter, else one of defaults;
    ``backend_options["target"]`` goes before the profile's target. All other options stay with the adapter.

    Raises:
        ProfileError: there is none of that name, it is another adapter's, or the options say where requests go.
    """
    options = preferences.backend_options
    for name in options:
        if str(name).lower() in _PLACES:
            raise ProfileError(
                f"backend_options are kept with a job, and a job never says where credentials are sent; {name!r} belongs "
                f"into a profile: '{profiles_file()}', or define_profile(Profile(...))."
            )
    refuse_credentials(options, "backend_options")
    named = options.get("profile")
    known = {**read_profiles(), **_defined}
    if named is not None and named not in known:
        hint = suggestion(str(named), known)
        raise ProfileError(
            f"There is no profile {named!r}.{hint} Define it in '{profiles_file()}', or by define_profile(Profile(...))."
        )
    profile = known.get(named or adapter) or Profile(adapter, adapter)
    if profile.adapter != adapter:
        raise ProfileError(f"Profile '{profile.name}' is of adapter '{profile.adapter}', not '{adapter}'.")
    wanted = options.get("target") or profile.target or target
    return replace(profile, endpoint=profile.endpoint or endpoint, target=wanted)

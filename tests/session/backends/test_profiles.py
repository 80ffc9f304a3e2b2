"""Profiles: where requests may go, and that neither a job nor a stranger can say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from session import ExecutionPreferences
from session.backends.profiles import Profile, define_profile, forget_profile, read_profiles, resolve_profile
from session.errors import CredentialError, ProfileError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QSIM_CONFIG_DIR", str(tmp_path))
    path = tmp_path / "profiles.toml"
    path.write_text(
        '[work]\nadapter = "ionq"\nendpoint = "https://eu.example.org/v1"\ntarget = "qpu.a"\nenvironment = "WORK_KEY"\n'
        '[work.options]\nx = 1\n[ionq]\nadapter = "ionq"\ntarget = "simulator"\n'
    )
    path.chmod(0o600)
    return path


def preferences(**options: Any) -> ExecutionPreferences:
    return ExecutionPreferences(backend_options=options)


def test_a_profile_is_found_by_name_by_adapter_or_by_default(file: Path) -> None:
    one = resolve_profile(preferences(profile="work"), "ionq", endpoint="https://api.example.com")
    assert (one.origin, one.target, one.options) == ("https://eu.example.org", "qpu.a", {"x": 1})
    assert resolve_profile(preferences(profile="work", target="qpu.b"), "ionq").target == "qpu.b"
    one = resolve_profile(preferences(), "ionq", endpoint="https://api.example.com/v0")
    assert (one.name, one.target, one.endpoint) == ("ionq", "simulator", "https://api.example.com/v0")
    assert resolve_profile(preferences(), "aqt", target="sim").name == "aqt"


def test_the_credential_of_a_profile(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_KEY", "the-work-key")
    monkeypatch.setenv("IONQ_API_KEY", "the-other-key")
    assert resolve_profile(preferences(profile="work"), "ionq").secret("IONQ_API_KEY").reveal() == "the-work-key"
    assert resolve_profile(preferences(), "ionq").secret("IONQ_API_KEY").reveal() == "the-other-key"
    define_profile(Profile("lab", "ionq"), lambda: "the-lab-key")
    try:
        assert resolve_profile(preferences(profile="lab"), "ionq").secret("IONQ_API_KEY").reveal() == "the-lab-key"
    finally:
        forget_profile("lab")
    monkeypatch.delenv("WORK_KEY")
    with pytest.raises(CredentialError, match="WORK_KEY"):
        resolve_profile(preferences(profile="work"), "ionq").secret("IONQ_API_KEY")


@pytest.mark.parametrize("name", ["endpoint", "url", "base_url", "Host"])
def test_a_job_never_says_where_requests_go(file: Path, name: str) -> None:
    with pytest.raises(ProfileError, match="never says where credentials are sent"):
        resolve_profile(preferences(**{name: "https://evil.example"}), "ionq")


def test_options_are_no_credentials(file: Path) -> None:
    with pytest.raises(ProfileError, match="called like a credential"):
        resolve_profile(preferences(deep=[{"api_key": "x"}]), "ionq")


def test_unknown_and_foreign_profiles(file: Path) -> None:
    with pytest.raises(ProfileError, match="no profile 'wrok'. Did you mean 'work'"):
        resolve_profile(preferences(profile="wrok"), "ionq")
    with pytest.raises(ProfileError, match="is of adapter 'ionq', not 'aqt'"):
        resolve_profile(preferences(profile="work"), "aqt")


def test_a_file_that_others_can_write_is_refused(file: Path) -> None:
    file.chmod(0o666)
    with pytest.raises(ProfileError, match="written by others"):
        read_profiles()


@pytest.mark.parametrize(
    "text, message",
    [("x = 1", "tables"), ("[a]", "does not say its adapter"), ('[a]\nadapter = "x"\napi_key = "k"', "called like a credential"),
     ('[a]\nadapter = "x"\nendpont = "k"', "Did you mean 'endpoint'"), ('[a]\nadapter = "x"\nendpoint = "http://example.com"', "https"),
     ("[a", "cannot be read"), ("[a]\nadapter = 7", "is a text"), ('["a b"]\nadapter = "x"', "called by letters"),
     ('[a]\nadapter = "x"\n[a.options]\nsecret_x = 1', "called like a credential")])  # fmt: skip
def test_files_that_are_wrong(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ProfileError, match=message):
        read_profiles()


def test_no_file_is_no_profile(tmp_path: Path) -> None:
    assert read_profiles(tmp_path / "none.toml") == {}

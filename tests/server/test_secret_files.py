"""Secrets come from private files or the environment, and do not show themselves."""

import logging
import pickle
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from server.secret_files import SECRET_BYTES_MAX, Secret, check_private, find_secret, read_secret
from tests.server.owners import NOBODY_HERE, owned_by

PLANTED = "planted-Zq81-secret"
NAME = "BEATBOOK_OIDC_CLIENT_SECRET"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A private file with a secret in it."""
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text(PLANTED + "\n")
    return path


def test_a_private_file_is_read_without_its_line_end(file: Path) -> None:
    """What an editor adds at the end is no part of the secret."""
    secret = read_secret(file)
    assert secret.reveal() == PLANTED
    assert secret.source == str(file)


def test_a_secret_does_not_show_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Neither printed, nor formatted, nor logged, nor pickled, nor among its attributes."""
    secret = Secret(PLANTED, "somewhere")
    logging.getLogger("x").error("%s %r %s", secret, secret, {"key": secret})
    shown = f"{secret} {secret!r} {[secret]}" + caplog.text
    assert PLANTED not in shown
    assert "somewhere" in shown
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o610, 0o777])
def test_a_file_that_others_may_use_is_refused(file: Path, mode: int) -> None:
    """The line names the file and the command that mends it, and nothing of what is in it."""
    file.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600") as caught:
        read_secret(file)
    assert str(file) in str(caught.value)
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_passes(file: Path, mode: int) -> None:
    """Also one that nobody may write any more."""
    file.chmod(mode)
    check_private(file)


def test_a_file_of_another_user_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could exchange it at any time; root may."""
    owned_by(monkeypatch, 0)
    assert read_secret(file).reveal() == PLANTED
    owned_by(monkeypatch, NOBODY_HERE)
    with pytest.raises(StoreError, match="belongs to another user"):
        read_secret(file)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * (SECRET_BYTES_MAX + 1)])
def test_a_file_without_a_secret_is_refused(file: Path, content: bytes) -> None:
    """An empty secret would open a door to everyone, or to nobody."""
    file.write_bytes(content)
    with pytest.raises(StoreError, match="one line"):
        read_secret(file)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, or a folder."""
    with pytest.raises(StoreError, match="gone"):
        read_secret(tmp_path / "gone")
    with pytest.raises(StoreError, match="no file"):
        read_secret(tmp_path)


def test_the_environment_stands_over_the_configuration(file: Path, tmp_path: Path) -> None:
    """The variable of the file, the variable itself, then what the configuration names; two at once are refused."""
    other = tmp_path / "other"
    other.touch(0o600)
    other.write_text("other")
    found = find_secret(NAME, other, {f"{NAME}_FILE": str(file)})
    assert found is not None
    assert found.reveal() == PLANTED
    found = find_secret(NAME, other, {NAME: "direct"})
    assert found is not None
    assert (found.reveal(), found.source) == ("direct", NAME)
    found = find_secret(NAME, other, {})
    assert found is not None
    assert found.reveal() == "other"
    assert find_secret(NAME, None, {}) is None
    with pytest.raises(UsageError, match=NAME) as caught:
        find_secret(NAME, None, {NAME: PLANTED, f"{NAME}_FILE": str(file)})
    assert PLANTED not in str(caught.value)

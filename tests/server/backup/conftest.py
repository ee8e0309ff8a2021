"""What the tests of backups share: one folder that is made once, and copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.server.backup import folders


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that nobody changes."""
    return folders.make(tmp_path_factory.mktemp("backup") / "data")


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    shutil.copytree(whole, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="package")
def raw(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of that folder."""
    copy = tmp_path_factory.mktemp("archive")
    shutil.copytree(whole, copy / "data")
    return folders.archive_of(copy / "data", copy / "the.bbk")

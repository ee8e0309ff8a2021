"""What the tests of the doctor share: a data folder, and a kernel that says what a test has it say."""

import shutil
from pathlib import Path

import pytest

from tests.server.backup import folders


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that nobody changes."""
    return folders.make(tmp_path_factory.mktemp("doctor") / "data")


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to plant trouble in."""
    shutil.copytree(whole, tmp_path / "data")
    (tmp_path / "data").chmod(0o700)
    return tmp_path / "data"

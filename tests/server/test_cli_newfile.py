"""`server.cli.newfile`: a file is its owner's alone, new, and gone again when what it was for has failed."""

import stat
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from server.cli.newfile import new_file


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """From its first moment on, whatever the process would let others do."""
    path = tmp_path / "found.csv"
    with new_file(path) as file:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        file.write(b"lines")
    assert path.read_bytes() == b"lines"


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    """Neither its content nor a link's target is touched; a folder that is not there is told alike."""
    path, link = tmp_path / "kept", tmp_path / "link"
    path.write_bytes(b"kept")
    link.symlink_to(tmp_path / "elsewhere")
    for one in (path, link, tmp_path / "none" / "found"):
        with pytest.raises(StoreError, match="name another file"), new_file(one):
            pytest.fail("it was made")
    assert path.read_bytes() == b"kept"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("error", [UsageError("refused"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_fails_leaves_no_file(tmp_path: Path, error: BaseException) -> None:
    """Half a file would be taken for a whole one; a full disk is told in words."""
    path = tmp_path / "found.csv"

    def break_off() -> None:
        with new_file(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(StoreError if isinstance(error, OSError) else type(error)):
        break_off()
    assert not path.exists()

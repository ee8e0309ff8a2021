"""Archives of every released version are opened for ever: these files are never made anew."""

import shutil
from pathlib import Path

from schemas.ids import RecordId
from server.backup.archive import read_description
from server.backup.keys import BackupKey, Recipient
from server.backup.stream import OpeningStream

GOLDEN = Path(__file__).resolve().parent / "golden"


def test_an_archive_of_the_first_version_is_opened(tmp_path: Path) -> None:
    """Key, recipient, encryption and description as they were; a new field must have a default."""
    shutil.copy(GOLDEN / "key-1.txt", tmp_path / "key")
    (tmp_path / "key").chmod(0o600)
    key = BackupKey.read(tmp_path / "key")
    recipient = "bbk1-c84894e4fe6a2b126748143df4ce332a5af1c5e820df992b8a31103bf06df13a-0af9aa1a"
    assert key.recipient == Recipient.parse(recipient)
    with (GOLDEN / "erasures-1.bbk").open("rb") as file:
        found = read_description(OpeningStream(file, key, "golden"), "golden")
    assert (found.format, found.holds, found.at, found.seq, found.leaves) == (1, "erasures", 1_790_000_000_000, 33, 151)
    assert found.epoch == "90addd8377846253"
    (erasure,) = found.erasures
    assert erasure.record == RecordId("0ac8ed86-4b8c-8717-bccc-abd80bab6d53")
    assert erasure.note == "erased by WM9002"

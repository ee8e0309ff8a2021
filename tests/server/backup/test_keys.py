"""`server.backup.keys`: who can open an archive, and that nobody else can."""

from pathlib import Path

import msgspec
import pytest

from schemas.errors import StoreError, UsageError
from server.backup import keys
from server.backup.keys import BackupKey, ForPassphrase, Recipient, unwrap, wrap_for, wrap_under
from server.secret_files import Secret

ARCHIVE_KEY = bytes(range(32))
PASSPHRASE = Secret("nine brass kettles boil", "pass.txt")


def test_a_recipient_is_read_as_it_was_printed() -> None:
    """What keygen prints is what a backup takes, with the spaces of whoever copied it."""
    recipient = BackupKey.make().recipient
    assert Recipient.parse(f" {recipient}\n") == recipient


@pytest.mark.parametrize("place", [5, 40, 68, 70, 76])
def test_a_mistyped_recipient_is_refused(place: int) -> None:
    """A backup for a key that nobody has would be noticed on the worst day."""
    text = str(BackupKey.make().recipient)
    wrong = text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :]
    with pytest.raises(UsageError, match="a character of it is wrong"):
        Recipient.parse(wrong)


def test_a_key_opens_what_was_wrapped_for_it_and_no_other() -> None:
    """Each of several recipients opens it alone; the text tells whom it was for."""
    ours, theirs, other = BackupKey.make(), BackupKey.make(), BackupKey.make()
    wraps = (wrap_for(ours.recipient, ARCHIVE_KEY), wrap_for(theirs.recipient, ARCHIVE_KEY))
    assert unwrap(wraps, ours) == unwrap(wraps, theirs) == ARCHIVE_KEY
    with pytest.raises(
        StoreError, match=rf"key {other.recipient.id} does not open .* made for key {ours.recipient.id}"
    ):
        unwrap(wraps, other)
    with pytest.raises(StoreError, match=r"the passphrase in pass\.txt does not open"):
        unwrap(wraps, PASSPHRASE)


def test_a_passphrase_opens_what_was_wrapped_under_it() -> None:
    """However the keyboard sent its letters; another one does not."""
    wrap = wrap_under(Secret("caf\u00e9 at the corner", "a"), ARCHIVE_KEY, memory_kib=64, passes=1)
    assert unwrap((wrap,), Secret("cafe\u0301 at the corner", "b")) == ARCHIVE_KEY
    with pytest.raises(StoreError, match="made for a passphrase"):
        unwrap((wrap,), PASSPHRASE)
    with pytest.raises(StoreError, match="made for a passphrase"):
        unwrap((wrap,), BackupKey.make())


def test_a_short_passphrase_is_refused() -> None:
    """It is all that stands between a stolen file and everything."""
    with pytest.raises(UsageError, match="14 characters or more"):
        wrap_under(Secret("short", "pass.txt"), ARCHIVE_KEY)


def test_an_archive_cannot_ask_for_all_memory() -> None:
    """What a head says of Argon2id's cost is bounded before anything is computed."""
    wrap = msgspec.json.encode(ForPassphrase(b"s" * 16, keys.MEMORY_KIB_MAX + 1, 1, 1, b""))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrap, type=ForPassphrase)


def test_a_private_half_is_kept_and_read(tmp_path: Path) -> None:
    """By its owner only; what is no key is told, and no word of it."""
    key, path = BackupKey.make(), tmp_path / "k"
    path.write_text(key.text(), encoding="ascii")
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        BackupKey.read(path)
    path.chmod(0o600)
    assert BackupKey.read(path).recipient == key.recipient
    assert key.text().split("\n")[1] not in repr(key)
    path.write_text("something else", encoding="ascii")
    with pytest.raises(StoreError, match="holds no backup key"):
        BackupKey.read(path)

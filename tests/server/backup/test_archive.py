"""`server.backup.archive`: what stands inside is read as it was written, and nothing leads out of a folder."""

import io

import msgspec
import pytest

from schemas.errors import StoreError
from schemas.ids import Epoch, Millis, Seq
from server.backup import archive
from server.backup.archive import FORMAT, ArchiveWriter, Description, read_description, read_files

DESCRIBED = Description(
    holds="folder",
    at=Millis(1),
    program="0.1",
    epoch=Epoch("0" * 16),
    seq=Seq(3),
    leaves=4,
    checkpoint="c",
    log_key="k",
)


class Shelf:
    """Takes files as they come."""

    def __init__(self) -> None:
        """Begin with none."""
        self.files: dict[str, bytes] = {}
        self._name = ""

    def begin(self, name: str) -> None:
        """Another one."""
        self._name = name
        self.files[name] = b""

    def piece(self, data: bytes) -> None:
        """More of it."""
        self.files[self._name] += data


def part(letter: bytes, data: bytes) -> bytes:
    """One part, as the format has it."""
    return letter + len(data).to_bytes(4, "big") + data


def begun(name: str) -> bytes:
    """The part that begins a file."""
    return part(b"M", msgspec.json.encode({"name": name}))


def read(raw: bytes) -> dict[str, bytes]:
    """The files of what stands behind a description."""
    shelf = Shelf()
    read_files(io.BytesIO(raw), "a.bbk", shelf)
    return shelf.files


def written(**files: bytes) -> bytes:
    """What stands behind the description of an archive of these files."""
    out = io.BytesIO()
    writer = ArchiveWriter(out, DESCRIBED)
    for name, content in files.items():
        writer.file(name, iter([content[:3], content[3:]]))
    writer.end()
    source = io.BytesIO(out.getvalue())
    assert read_description(source, "a.bbk") == DESCRIBED
    return source.read()


def test_files_are_read_as_they_were_written() -> None:
    """An empty one as well, and an archive of none."""
    assert read(written(one=b"some content", none=b"")) == {"one": b"some content", "none": b""}
    assert read(written()) == {}


@pytest.mark.parametrize(
    "name",
    ["../up", "/etc/passwd", "keys/../../up", "", ".hidden", "keys/.hidden", "a//b", "a\0b", "x" * 200, "a/b/c/d/e"],
)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    """Whoever made the archive has its key, and still cannot write where they like."""
    with pytest.raises(StoreError, match="which no data folder has"):
        read(begun(name))


def test_a_file_is_there_once() -> None:
    """A second one of the name would be written over the first, whose sum was right."""
    with pytest.raises(StoreError, match="which no data folder has"):
        read(begun("one") + begun("one"))
    with pytest.raises(StoreError, match="which no data folder has"):
        read(begun("one") + begun("two") + begun("one"))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (part(b"C", b"content of nothing"), "holds content of no file"),
        (part(b"X", b""), "a part that this version does not know"),
        (part(b"M", b"{}"), "a part of it cannot be read"),
        (begun("one") + part(b"C", b"half"), "ends in the middle of a part"),
        (b"M\x00", "ends in the middle of a part"),
        (b"M\xff\xff\xff\xff", "ends in the middle of a part"),
        (written(one=b"content") + b"more", "the list of its files is not what was written"),
        (begun("one") + part(b"E", b'{"files":[]}'), "the list of its files is not what was written"),
        (written(one=b"content").replace(b"tent", b"tens"), "one is not what was written"),
    ],
    ids=[
        "loose content",
        "unknown",
        "no name",
        "cut",
        "cut head",
        "too long",
        "more",
        "a file too many",
        "other content",
    ],
)
def test_what_is_not_as_it_was_written_is_told(raw: bytes, said: str) -> None:
    """By a defect of whoever wrote it: the encryption has let it through."""
    with pytest.raises(StoreError, match=said):
        read(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (part(b"M", b"{}"), "does not begin with a description"),
        (part(b"D", b"{"), "its description cannot be read"),
        (
            part(b"D", msgspec.json.encode(msgspec.structs.replace(DESCRIBED, format=FORMAT + 1))),
            "from a newer version",
        ),
    ],
    ids=["none", "damaged", "newer"],
)
def test_what_cannot_be_understood_is_told(raw: bytes, said: str) -> None:
    """A newer program's archive is not guessed at."""
    with pytest.raises(StoreError, match=said):
        read_description(io.BytesIO(raw), "a.bbk")


def test_a_part_takes_no_more_memory_than_a_description_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever length it names."""
    asked: list[int] = []

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    with pytest.raises(StoreError):
        read_files(Source(b"C\x7f\xff\xff\xff" + bytes(100)), "a.bbk", Shelf())
    assert max(asked) <= archive._PART_BYTES_MAX

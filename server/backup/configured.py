"""What a server was told, taken into its backup: the configuration, the files that it names, and others by request.

They lie elsewhere than the data folder (`/etc/beatbook`, a proxy's folder), may be another user's, and belong to the
machine as much as to the server. So they are taken where somebody asks for it, and a restore lays them beside the data,
under `configuration/`, over nothing: which of them the new machine needs is for people to say. `paths.txt` there tells
where each was.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import StoreError
from server.backup.archive import PIECE_BYTES_MAX
from server.configuration import read_configuration
from server.store.sqlite.trouble import store_errors

FOLDER: Final = "configuration"
PATHS: Final = f"{FOLDER}/paths.txt"
FILE_BYTES_MAX: Final = 16 * 1_024 * 1_024
"""Of one file; tables of a force's organisation have less than one megabyte."""
_NAME_CHARS_MAX: Final = 80
_OTHERS: Final = re.compile(r"[^A-Za-z0-9._-]+")


def named_in(configuration: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """A configuration's file, and every file that it names: certificates, keys, secrets, the organisation's tables.

    Args:
        configuration: the TOML file that the server is started with.
        environment: the process's variables; those that name a file stand over the configuration's keys.

    Raises:
        UsageError: it cannot be read; the text says why.
    """
    told = read_configuration(configuration, environment)
    found = [configuration, *_paths(msgspec.structs.replace(told, data=Path(), organisation=None))]
    if told.organisation is not None:
        found += [told.organisation, *_tables(told.organisation)]
    return tuple(dict.fromkeys(path.absolute() for path in found if path != Path()))


def files(paths: Iterable[Path]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """(name in the archive, pieces) of each of these files, and of the list that says where they were.

    Raises:
        StoreError: one cannot be read; a backup without a key that the server needs is none.
    """
    every = tuple(dict.fromkeys(path.absolute() for path in paths))
    if not every:
        return
    names = [f"{FOLDER}/{n:03d}-{_OTHERS.sub('_', path.name)[-_NAME_CHARS_MAX:]}" for n, path in enumerate(every, 1)]
    for name, path in zip(names, every, strict=True):
        yield name, _pieces(_read(path))
    listed = "".join(f"{name.rpartition('/')[2]}\t{path}\n" for name, path in zip(names, every, strict=True))
    yield PATHS, _pieces(listed.encode("utf-8", "surrogateescape"))


def _paths(section: msgspec.Struct) -> Iterator[Path]:
    for field in msgspec.structs.fields(type(section)):
        value = getattr(section, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Path):
                yield one
            elif isinstance(one, msgspec.Struct):
                yield from _paths(one)


def _tables(organisation: Path) -> Iterator[Path]:
    """The tables beside an organisation's file. One that is no TOML is taken as it is: that is no backup's matter."""
    try:
        tables = tomllib.loads(_read(organisation).decode()).get("tables", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return
    for name in tables.values() if isinstance(tables, dict) else ():
        if isinstance(name, str):
            yield organisation.parent / name


def _read(path: Path) -> bytes:
    with store_errors(path):
        if not path.is_file():
            raise StoreError(f"{path}: is no file, and the backup is to have it; mend its name, or leave it out")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise StoreError(f"{path}: is longer than {FILE_BYTES_MAX >> 20} MiB, and no file of a configuration")
        return path.read_bytes()


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + PIECE_BYTES_MAX] for at in range(0, len(data), PIECE_BYTES_MAX))

"""Writes the golden files: for each example its bytes, and beside them what they say, for a reader.

    python -m tests.golden_make                write what is missing of the present version
    python -m tests.golden_make --overwrite    write all of it anew

There is a folder for each version of the kinds (`schemas.wire.SCHEMA`). Golden bytes are what devices in the field and
stores on disk hold. When a test says that they changed, the change is the defect unless nobody has such bytes yet:
overwriting is a decision, so no test and no other target runs this. The folders of earlier versions are never written;
who raises the version begins the next one.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Final

import msgpack

from schemas import codec, wire
from tests.example_messages import GOLDEN

FOLDERS: Final = Path(__file__).resolve().parent / "golden"
FOLDER: Final = FOLDERS / f"v{wire.SCHEMA}"
"""Of the present version."""


def readable(value: object) -> object:
    """A MessagePack value as JSON has it: `bin` becomes base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [readable(each) for each in value]
        case dict():
            return {key: readable(each) for key, each in value.items()}
        case _:
            return value


def page(data: bytes) -> str:
    """The readable form of encoded bytes, as it stands in the `.json` file."""
    return json.dumps(readable(msgpack.unpackb(data)), indent=2, ensure_ascii=False) + "\n"


def make(folder: Path, *, overwrite: bool) -> list[Path]:
    """Write the golden files into `folder`; returns what was written."""
    written = []
    for name, example in GOLDEN.items():
        data = codec.encode(example)
        binary, text = folder / f"{name}.bin", folder / f"{name}.json"
        if overwrite or not binary.exists():
            binary.write_bytes(data)
            text.write_text(page(data), encoding="utf-8", newline="\n")
            written += [binary, text]
    return written


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path in make(FOLDER, overwrite="--overwrite" in sys.argv[1:]):
        sys.stdout.write(f"written: tests/golden/{FOLDER.name}/{path.name}\n")

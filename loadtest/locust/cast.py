"""Who takes part in a run: enrolled devices with their keys and passphrases, in one file that only its owner reads.

Enrolling is done once (`enrolling`), and the file serves any number of runs. It is worth as much as the devices in it:
make it on a server that is for tests alone.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtest.locust.chain import Key, Link, first_link


class CastError(Exception):
    """The file, or what is asked of it, will not do; the words say what to do about it."""


@dataclass
class Seat:
    """One officer's store on one device.

    Attributes:
        sort: `officer`, `custody` or `control` (`rates.Sort`); `audit-control` and `audit-custody` take part in no run.
        device, officer, seat: ids on the server.
        key: of the device, as base64.
        passphrase: the officer's.
        place: slug of the area or suite where they work; empty of the control room.
        head, head_link: where the seat's chain stood when it was last given back; link as hex.
        reads, reads_link: number of its next read, and the SHA-256 of the last, as hex.
    """

    sort: str
    device: str
    officer: str
    key: str
    passphrase: str
    seat: str = ""
    place: str = ""
    head: int = 0
    head_link: str = ""
    reads: int = 1
    reads_link: str = bytes(32).hex()

    def chain(self) -> Link:
        """Where its chain stood."""
        return Link(self.head, bytes.fromhex(self.head_link)) if self.head_link else first_link(self.seat)

    def remember(self, head: Link, reads: int, reads_link: bytes) -> None:
        """Where its chain and its read log stand now."""
        self.head, self.head_link = head.n, head.link.hex()
        self.reads, self.reads_link = reads, reads_link.hex()

    def signer(self) -> Key:
        """Its device's key."""
        return Key.read(self.key)


@dataclass
class Cast:
    """Everybody.

    Attributes:
        server: address of the HTTP side.
        administrator: who may let others in.
        seats: who is in.
        ca_file: PEM file of the authority that vouches for the server; empty for the machine's own list.
    """

    server: str
    administrator: Seat
    seats: list[Seat] = field(default_factory=list)
    ca_file: str = ""

    def of(self, sort: str) -> list[int]:
        """Numbers of the seats of a sort."""
        return [number for number, seat in enumerate(self.seats) if seat.sort == sort]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all, readable by its owner only."""
        beside = path.with_name(f"{path.name}.new")
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Cast":
        """Read it.

        Raises:
            CastError: it is not there, or not such a file.
        """
        try:
            told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            seats = [Seat(**each) for each in told.pop("seats")]
            administrator = Seat(**told.pop("administrator"))
            return cls(administrator=administrator, seats=seats, **told)
        except OSError as error:
            raise CastError(
                f"{path}: {error.strerror or error}; make it with `python -m loadtest.locust.enrolling --cast {path}`"
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CastError(f"{path}: no cast of a load test ({error}); make it anew with enrolling") from error

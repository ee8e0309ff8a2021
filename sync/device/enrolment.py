"""What a device was told when it was enrolled, kept beside its identity: whom it belongs to, and whose log it checks.

It is no secret; but whoever could change it could have the device trust another log, or seal to another key. So it is
as much its owner's alone as the key beside it.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from schemas.errors import ReplicaError
from schemas.ids import DeviceText
from sync.device.secretfile import read_secret, replace_secret

ENROLMENT_FILE: Final = "enrolment.json"


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """What the server said.

    Attributes:
        device: the id that it enrolled the device as.
        server: base of its HTTP side: `https://beatbook.example`.
        certificate: X.509 in DER, by the server.
        log_key: the vkey of its log (C2SP signed-note).
        seal_to: its quarantine's X25519 public key, 32 bytes.
        ca_file: PEM file of the authority that vouches for the server's certificate; "" for the machine's own.
    """

    device: DeviceText
    server: Annotated[str, msgspec.Meta(max_length=512)]
    certificate: Annotated[bytes, msgspec.Meta(max_length=2_048)]
    log_key: Annotated[str, msgspec.Meta(max_length=512)]
    seal_to: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    ca_file: Annotated[str, msgspec.Meta(max_length=512)] = ""

    def save(self, folder: Path) -> None:
        """Keep it in a folder, in place of another.

        Raises:
            ReplicaError: it cannot be written.
        """
        replace_secret(folder / ENROLMENT_FILE, msgspec.json.encode(self))

    @classmethod
    def load(cls, folder: Path) -> "Enrolment":
        """What is kept in a folder.

        Raises:
            ReplicaError: there is none, others may change it, or it is damaged.
        """
        path = folder / ENROLMENT_FILE
        raw = read_secret(path, 16_384)
        if raw is None:
            raise ReplicaError(f"no enrolment at {path}: enrol the device with a code, or restore the file")
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ReplicaError(f"{path} is damaged: restore it, or enrol the device anew") from None

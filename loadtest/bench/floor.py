"""What the machine can do at all, in a process of its own on the server's core.

    python -m loadtest.bench.floor send BYTES
    python -m loadtest.bench.floor append FOLDER BYTES GROUP SECONDS

`send` prints its port, and greets every connection with one byte. The first one commands: whatever it sends has BYTES
written to every other connection, by one bare `send` for each: no event loop, no frame, no buffer between.

`append` writes groups of records to a file for so many seconds, each group made durable by one `fdatasync`, and prints
how many records a second that were: what a server could acknowledge that did nothing else.
"""

import os
import selectors
import socket
import sys
import time
from pathlib import Path


def send(size: int) -> None:
    """Serve until standard input ends."""
    payload = b"\x00" * size
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    everybody: list[socket.socket] = []
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listening:
                accepted, _ = listening.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                everybody.append(accepted)
                if len(everybody) == 1:
                    selector.register(accepted, selectors.EVENT_READ)
                accepted.sendall(b"+")
            elif not everybody[0].recv(65_536):
                return
            else:
                for each in everybody[1:]:
                    each.sendall(payload)


def append(folder: Path, size: int, group: int, seconds: float) -> None:
    """Append, and print records per second."""
    record = os.urandom(size) * group
    written = 0
    file = os.open(folder / "floor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        os.write(file, record)
        os.fdatasync(file)
        written += group
    sys.stdout.write(f"{written / (time.perf_counter() - began)}\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", size]:
            send(int(size))
        case ["append", folder, size, group, seconds]:
            append(Path(folder), int(size), int(group), float(seconds))
        case _:
            sys.exit(__doc__)

"""What the machine can do at all: a bare asyncio server that writes as many bytes to as many sockets.

    python -m loadtest.bench.floor BYTES

It prints its port, and greets every connection with one byte. The first one commands: whatever it sends has BYTES
written to every other connection, one write for each. It runs on the server's core.
"""

import asyncio
import sys
from typing import cast

import uvloop


class Floor(asyncio.Protocol):
    """One connection."""

    everybody: list[asyncio.Transport] = []  # noqa: RUF012  of the one server that this process is
    payload = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self.everybody.append(cast("asyncio.Transport", transport))
        self.everybody[-1].write(b"+")

    def data_received(self, _: bytes) -> None:
        """Write to all but the first."""
        for transport in self.everybody[1:]:
            transport.write(self.payload)


async def main(size: int) -> None:
    """Serve until standard input ends."""
    Floor.payload = b"\x00" * size
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Floor, "127.0.0.1", 0, backlog=2_048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))

"""The server with a newer program: `python -m tests.evolution.newer serve N …`, with the arguments of `beatbook serve`.

`N` is the oldest schema version that it still takes.

It becomes the next version before anything of the engine is imported. So does its writing process, which it starts as
`… write …`: merging and settling happen there.
"""

import sys
from pathlib import Path
from typing import Final

from schemas import wire
from tests.evolution.versions import become

COMMAND: Final = (sys.executable, "-m", "tests.evolution.newer", "write")


def main() -> None:
    """Be the server, or its writing process."""
    become("ahead")
    part, *arguments = sys.argv[1:]
    if part == "serve":
        setattr(wire, "SCHEMA_MIN", int(arguments.pop(0)))  # noqa: B010  Final, for every other program
    else:
        from server.store.sqlite.child import main as write  # noqa: PLC0415  behind `become`

        folder, descriptor, wait_s = arguments
        write(Path(folder), int(descriptor), float(wait_s))
        return

    from server.cli import main as cli  # noqa: PLC0415  behind `become`
    from server.store.sqlite import store  # noqa: PLC0415  as above
    from server.store.sqlite.process import WriterProcess  # noqa: PLC0415  as above

    class NewerWriter(WriterProcess):
        """Starts the newer writing process."""

        @classmethod
        async def open(cls, folder: Path, wait_s: float) -> WriterProcess:  # type: ignore[override]  # as it is called
            """See the base."""
            return await WriterProcess.open(folder, wait_s, command=COMMAND)

    setattr(store, "WriterProcess", NewerWriter)  # noqa: B010  Final names of another program
    cli(["serve", *arguments])


if __name__ == "__main__":
    main()

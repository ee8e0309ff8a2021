"""A program that unlocks a seat, shows all it holds, and locks again, step by step as its standard input says.

    python -m tests.sync.device.unlocked_process <root>

In: PIN and share in hex. Out: "unlocked". In: an empty line. Out: "locked", once it is so; another line ends it.
"""

import asyncio
import sys
from pathlib import Path

from schemas.kinds import Incident
from sync.device import DeviceIdentity, Handheld
from sync.device.clocks import SystemClock
from sync.device.keystore import FileKeyStore
from sync.device.locking import start_anew
from sync.device.pins import PinTries
from sync.device.slots import Slots
from tests.sync.device.seats import SEAT

LOCK_SCREEN = "print('locked', flush=True); input()"


def tell(what: str) -> None:
    """Say it to whoever started this."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def unlocked(root: Path) -> None:
    """Unlock, show, lock."""
    pin, share = sys.stdin.readline().split()
    store = FileKeyStore(root / "keystore")
    keys = Slots(root / SEAT, SEAT, store, PinTries(store, SEAT, SystemClock())).unlock(pin, bytes.fromhex(share))
    async with Handheld.open(
        root / SEAT, identity=DeviceIdentity.generate(SEAT), keys=keys, author="WM21877"
    ) as handheld:
        shown = await handheld.find(Incident)
        for record, _ in shown:
            await handheld.explain(record)
        tell("unlocked")
        await asyncio.to_thread(sys.stdin.readline)
    keys.lock()


if __name__ == "__main__":
    asyncio.run(unlocked(Path(sys.argv[1])))
    start_anew([sys.executable, "-c", LOCK_SCREEN])

"""A PostgreSQL of its own for peers that keep their records in one: made for a run, durable as it comes, then gone."""

import shutil
from pathlib import Path

from loadtest.peers import install
from loadtest.peers.processes import Command, unprivileged

USER = "postgres"
"""Who owns the cluster, without a password: it listens on the loopback only, for the length of a job."""
_SETTINGS = ("-c", "max_connections=200", "-c", "wal_level=logical", "-c", "listen_addresses=127.0.0.1")


def cluster(folder: Path, port: int) -> list[Command]:
    """How to make a cluster in `folder`, unless it is there, and start it at `port`, with fsync on as it comes."""
    # PostgreSQL refuses to be run by the superuser.
    user = unprivileged()
    place = folder / "postgres"
    place.mkdir(exist_ok=True)
    if user is not None:
        shutil.chown(place, user)
    data = place / "data"
    initdb = str(Path(install.program("postgres") or "postgres").with_name("initdb"))
    # A second start is of the same files: a killed server is started again.
    words = [
        "sh", "-c", '[ -e "$0/PG_VERSION" ] || exec "$1" -D "$0" -U "$2" -A trust -N --locale=C -E UTF8',
        str(data), initdb, USER,
    ]  # fmt: skip
    server = [install.program("postgres") or "postgres", "-D", str(data), "-p", str(port), "-k", str(place), *_SETTINGS]
    # After a kill it listens while it still recovers, and refuses whoever comes.
    ready = ["sh", "-c", 'until "$0" -q -h 127.0.0.1 -p "$1"; do sleep 0.05; done']
    return [
        Command(words=words, port=None, folder=place, user=user),
        Command(words=server, port=port, folder=place, user=user),
        Command(words=[*ready, install.program("pg_isready") or "pg_isready", str(port)], port=None, folder=place),
    ]

"""Which peers there are: how each is started, what its acknowledgement is worth, and what it cannot do.

Each is set up as its documentation recommends, with what makes it fast and does not change what it promises; where a
stricter setting exists, that is a peer of its own. `python -m loadtest.peers --list` shows them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.peers import install, postgres
from loadtest.peers.processes import Command
from loadtest.peers.rows import JOBS

FULL: Final[Mapping[str, Sequence[Mapping[str, int]]]] = {
    "ack": ({"devices": 50, "seconds": 5},),
    "fanout": ({"devices": 500, "changes": 20, "bursts": 5}, {"devices": 2_000, "changes": 20, "bursts": 5}),
    "bootstrap": ({"records": 10_000, "bytes": 300, "rounds": 2},),
    "storm": ({"devices": 200, "edits": 20},),
    "idle": ({"devices": 1_000, "seconds": 2},),
}
"""What our own jobs do, as far as it fits into a run of minutes: job -> its sizes."""
SMALL: Final[Mapping[str, Sequence[Mapping[str, int]]]] = {
    "ack": ({"devices": 5, "seconds": 1},),
    "fanout": ({"devices": 20, "changes": 5, "bursts": 2},),
    "bootstrap": ({"records": 200, "bytes": 300, "rounds": 1},),
    "storm": ({"devices": 5, "edits": 4},),
    "idle": ({"devices": 20, "seconds": 1},),
}
"""To see that it works."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one run of a peer happens.

    Attributes:
        folder: its files, gone afterwards.
        home: where its group is installed.
        ports: free ones, by name: `server` is the one that clients go to.
    """

    folder: Path
    home: Path
    ports: Mapping[str, int]

    def node(self, script: str, *words: str) -> Command:
        """Run one of our scripts with the port and the folder as its first arguments."""
        port = self.ports["server"]
        return Command(words=["node", script, str(port), str(self.folder), *words], port=port, folder=self.home)


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One peer, set up in one way.

    Attributes:
        name: what it is called in tables.
        group: which of `pins.toml` it needs.
        package: whose version is told: of npm or PyPI, or "" for a program.
        adapter: the script in `node/` that speaks to it.
        durability: what its acknowledgement is worth.
        commands: how to start it.
        sizes: job -> sizes where it cannot do ours in time.
        cannot: job -> why it cannot do it.
        notes: job -> what a reader must know of its figures.
    """

    name: str
    group: str
    package: str
    adapter: str
    durability: str
    commands: Callable[[Place], Sequence[Command]]
    sizes: Mapping[str, Sequence[Mapping[str, int]]] = {}
    cannot: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}

    def version(self) -> str:
        """What is pinned, or what the system brings of a program."""
        wanted = install.pins()[self.group]
        return wanted.npm.get(self.package) or wanted.pip.get(self.package) or install.program_version(self.package)

    def remarks(self, job: str) -> list[str]:
        """What a reader must know of its figures in a job."""
        return [self.notes[job]] if job in self.notes else []


def sizes(peer: Peer, job: str, *, small: bool) -> Sequence[Mapping[str, int]]:
    """How large a job is for a peer."""
    return SMALL[job] if small else peer.sizes.get(job, FULL[job])


def _ws(place: Place) -> list[Command]:
    return [place.node("ws-server.mjs")]


def _mosquitto(place: Place) -> list[Command]:
    port = place.ports["server"]
    data = place.folder / "data"
    data.mkdir()
    # The broker gives up the superuser's rights by itself, to a user that must be able to write here.
    data.chmod(0o777)
    told = place.folder / "mosquitto.conf"
    told.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {data}/\n"
        "set_tcp_nodelay true\nmax_queued_messages 0\n",
        "utf-8",
    )
    return [
        Command(words=[install.program("mosquitto") or "mosquitto", "-c", str(told)], port=port, folder=place.folder)
    ]


def _hocuspocus(*words: str) -> Callable[[Place], list[Command]]:
    return lambda place: [place.node("hocuspocus-server.mjs", *words)]


def _pycrdt(place: Place) -> list[Command]:
    port = place.ports["server"]
    script = str(install.HERE / "python" / "pycrdt_server.py")
    words = [str(place.home / "venv/bin/python"), script, str(port), str(place.folder)]
    return [Command(words=words, port=port, folder=place.folder)]


def _pouchdb(place: Place) -> list[Command]:
    port = place.ports["server"]
    words = ["node_modules/.bin/pouchdb-server", "--port", str(port), "--host", "127.0.0.1", "--dir", str(place.folder)]
    settings = ["--config", str(place.folder / "config.json"), "--no-stdout-logs", "--no-color"]
    return [Command(words=[*words, *settings], port=port, folder=place.home)]


def _kinto(place: Place) -> list[Command]:
    port, database = place.ports["server"], place.ports["other"]
    url = f"postgresql://{postgres.USER}@127.0.0.1:{database}/postgres"
    told = place.folder / "kinto.ini"
    backends = [
        line
        for each in ("storage", "permission")
        for line in (f"kinto.{each}_backend = kinto.core.{each}.postgresql", f"kinto.{each}_url = {url}")
    ]
    told.write_text(
        "\n".join(
            [
                "[server:main]", "use = egg:waitress#main", "host = 127.0.0.1", "port = %(http_port)s", "threads = 8",
                "[app:main]", "use = egg:kinto", "kinto.userid_hmac_secret = of a benchmark", *backends,
                "kinto.cache_backend = kinto.core.cache.memory", "kinto.bucket_create_principals = system.Everyone",
                "kinto.bucket_write_principals = system.Everyone", "kinto.storage_max_fetch_size = 20000",
                "[loggers]", "keys = root", "[handlers]", "keys = console", "[formatters]", "keys = plain",
                "[logger_root]", "level = ERROR", "handlers = console",
                "[handler_console]", "class = StreamHandler", "args = (sys.stderr,)", "level = ERROR",
                "formatter = plain", "[formatter_plain]", "format = %(message)s", "",
            ]
        ),
        "utf-8",
    )  # fmt: skip
    kinto = [str(place.home / "venv/bin/kinto")]
    return [
        *postgres.cluster(place.folder, database),
        Command(words=[*kinto, "migrate", "--ini", str(told)], port=None, folder=place.folder),
        Command(words=[*kinto, "start", "--ini", str(told), "--port", str(port)], port=port, folder=place.folder),
    ]


def _jazz(place: Place) -> list[Command]:
    return [place.node("jazz-server.mjs")]


def _tinybase(place: Place) -> list[Command]:
    return [place.node("tinybase-server.mjs")]


def _automerge(place: Place) -> list[Command]:
    port = place.ports["server"]
    env = {"PORT": str(port), "DATA_DIR": str(place.folder)}
    return [Command(words=["node_modules/.bin/automerge-repo-sync-server"], port=port, folder=place.home, env=env)]


def _zero(place: Place) -> list[Command]:
    port, streamer, database = place.ports["server"], place.ports["third"], place.ports["other"]
    url = f"postgresql://{postgres.USER}@127.0.0.1:{database}/postgres"
    tools = "node_modules/.bin/"
    psql = install.program("psql") or "psql"
    made = "CREATE TABLE IF NOT EXISTS record (id text PRIMARY KEY, value text NOT NULL)"
    deploy = [tools + "zero-deploy-permissions", "--schema-path", "zero-schema.mjs", "--upstream-db", url]
    env = {
        "ZERO_UPSTREAM_DB": url,
        "ZERO_PORT": str(port),
        "ZERO_CHANGE_STREAMER_PORT": str(streamer),
        "ZERO_CHANGE_STREAMER_STARTUP_DELAY_MS": "0",
        "ZERO_REPLICA_FILE": str(place.folder / "replica.db"),
        "ZERO_LOG_LEVEL": "error",
        # The server has one core here.
        "ZERO_NUM_SYNC_WORKERS": "1",
        "ZERO_ADMIN_PASSWORD": "of a benchmark",
        "DO_NOT_TRACK": "1",
    }
    return [
        *postgres.cluster(place.folder, database),
        Command(words=[psql, "-qc", made, url], port=None, folder=place.folder),
        Command(words=deploy, port=None, folder=place.home),
        Command(words=[tools + "zero-cache"], port=port, folder=place.home, env=env),
    ]


_NO_STORE: Final = "it keeps nothing and merges nothing: a floor for sending only"
PEERS: Final[Sequence[Peer]] = (
    Peer(
        name="Node ws, relay",
        group="ws",
        package="ws",
        adapter="ws",
        durability="none: it keeps nothing, and acknowledges nothing",
        commands=_ws,
        cannot=dict.fromkeys(("ack", "bootstrap", "storm"), _NO_STORE),
    ),
    Peer(
        name="mosquitto, QoS 1",
        group="mosquitto",
        package="mosquitto",
        adapter="mosquitto",
        durability="memory: PUBACK before anything is written; the file is saved every half hour",
        commands=_mosquitto,
        notes={"fanout": "subscribers at QoS 0, which is its fastest", "ack": "retained messages; the last one wins"},
        cannot=dict.fromkeys(
            ("bootstrap", "storm"), "no replica and no merge: a later message replaces an earlier one"
        ),
    ),
    Peer(
        name="Hocuspocus, as it comes",
        group="yjs",
        package="@hocuspocus/server",
        adapter="hocuspocus",
        durability="memory: acknowledged when applied; SQLite takes the document 2 to 10 s later",
        commands=_hocuspocus(),
    ),
    Peer(
        name="Hocuspocus, journal first, NORMAL",
        group="yjs",
        package="@hocuspocus/server",
        adapter="hocuspocus",
        durability="written before it is acknowledged, not forced to the disk (SQLite WAL, synchronous=NORMAL)",
        commands=_hocuspocus("NORMAL"),
    ),
    Peer(
        name="Hocuspocus, journal first, FULL",
        group="yjs",
        package="@hocuspocus/server",
        adapter="hocuspocus",
        durability="on the disk before it is acknowledged (SQLite WAL, synchronous=FULL), an fsync for each update",
        commands=_hocuspocus("FULL"),
    ),
    Peer(
        name="pycrdt-websocket",
        group="pycrdt",
        package="pycrdt-websocket",
        adapter="pycrdt",
        durability="memory: answered when applied; a task hands each update to SQLite behind that",
        commands=_pycrdt,
        sizes={
            "fanout": (
                {"devices": 500, "changes": 20, "bursts": 5},
                {"devices": 2_000, "changes": 5, "bursts": 2},
            ),
        },
        notes={"ack": "no acknowledgement: the answer to a state vector sent behind the edit is taken as one"},
    ),
    Peer(
        name="PouchDB server",
        group="pouchdb",
        package="pouchdb-server",
        adapter="pouchdb",
        durability="written before it is acknowledged, not forced to the disk (LevelDB)",
        commands=_pouchdb,
        sizes={
            "fanout": ({"devices": 500, "changes": 5, "bursts": 1},),
            "storm": ({"devices": 100, "edits": 20},),
        },
        notes={
            "bootstrap": "by PouchDB's replication, into a replica on the disk",
            "storm": "replicas are counted by the feed of changes; a conflict would be left for the application",
        },
    ),
    Peer(
        name="Kinto on PostgreSQL",
        group="kinto",
        package="kinto[postgresql]",
        adapter="kinto",
        durability="on the disk before it is acknowledged (PostgreSQL, fsync)",
        commands=_kinto,
        sizes={"bootstrap": ({"records": 2_000, "bytes": 300, "rounds": 2},), "storm": ({"devices": 50, "edits": 20},)},
        cannot=dict.fromkeys(("fanout", "idle"), "it has no push: clients ask, and nobody stays connected"),
        notes={"bootstrap": "one answer of JSON, not written anywhere"},
    ),
    Peer(
        name="Jazz",
        group="jazz",
        package="cojson",
        adapter="jazz",
        durability="written when it is acknowledged, not forced to the disk (SQLite WAL); encrypted end to end, signed",
        commands=_jazz,
        sizes={"storm": ({"devices": 100, "edits": 20},)},
        notes={"fanout": "the marks that listeners look for are in transactions that are not encrypted"},
    ),
    Peer(
        name="TinyBase",
        group="tinybase",
        package="tinybase",
        adapter="tinybase",
        durability="none stated: it acknowledges nothing, and saves to a JSON file after each change",
        commands=_tinybase,
        sizes={"storm": ({"devices": 50, "edits": 20},)},
        cannot={"bootstrap": "with our client a fresh one did not hold 2,000 records within 20 s; why was not found"},
        notes={"ack": "no acknowledgement: the server's hash becoming the client's is taken as one"},
    ),
    Peer(
        name="Automerge sync server",
        group="automerge",
        package="@automerge/automerge-repo-sync-server",
        adapter="automerge",
        durability="memory: its heads are told when it has merged; files follow",
        commands=_automerge,
        sizes={
            "fanout": ({"devices": 500, "changes": 5, "bursts": 1},),
            "storm": ({"devices": 50, "edits": 20},),
            "idle": ({"devices": 200, "seconds": 2},),
        },
        notes={"ack": "no acknowledgement: the server's heads becoming the client's are taken as one"},
    ),
    Peer(
        name="Zero on PostgreSQL",
        group="zero",
        package="@rocicorp/zero",
        adapter="zero",
        durability="on the disk before it is acknowledged (PostgreSQL, fsync), and replicated to its cache",
        commands=_zero,
        sizes={
            "fanout": ({"devices": 100, "changes": 5, "bursts": 1},),
            "idle": ({"devices": 100, "seconds": 2},),
        },
        cannot={"storm": "not made for edits offline: a client refuses them a minute after the server is gone"},
        notes={
            "ack": "acknowledged when the mutation comes back by replication, the only sign of the built-in mutators"
        },
    ),
)
assert all(job in JOBS for peer in PEERS for job in (*peer.cannot, *peer.sizes, *peer.notes))
assert len({peer.name for peer in PEERS}) == len(PEERS)

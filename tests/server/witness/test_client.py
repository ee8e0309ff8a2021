"""The log's side: every witness is asked, none is waited for long, and each verdict is the right one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from schemas.errors import StoreError, UsageError
from server.witness.app import build
from server.witness.client import ANSWER_BYTES_MAX, Verdict, WitnessAddress, WitnessClient
from server.witness.heads import Heads
from server.witness.request import SIZE_TYPE, AddCheckpoint
from server.witness.witness import Witness
from sync.evidence import merkle
from sync.evidence.note import MalformedError
from sync.evidence.policy import Policy
from tests.server.witness.submitting import FORK, HONEST, LOG_SIZE, request
from tests.sync.evidence.parties import LOG, NOW_S, WITNESSES, cosigned, signed_head
from tests.sync.evidence.trees import MemoryHashes

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]
ADDRESSES = [WitnessAddress(f"http://w{number}.example", each.key) for number, each in enumerate(WITNESSES, start=1)]
POLICY = Policy.of([LOG.key], [each.key for each in WITNESSES], 2)


class Network(httpx.AsyncBaseTransport):
    """The witnesses by their host names; what a test puts in the place of one answers instead."""

    def __init__(self) -> None:
        self.hosts: dict[str, Handler] = {}
        self.asked: list[tuple[str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand it to the host."""
        body = await request.aread()
        self.asked.append((request.url.host, AddCheckpoint.parse(body).old))
        return await self.hosts[request.url.host](request)

    def answers(self, host: str, status: int, body: bytes, kind: str = "text/plain") -> None:
        """Have a host give one answer to everything."""

        async def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(status, headers={"content-type": kind}, stream=httpx.ByteStream(body))

        self.hosts[host] = answer


@pytest_asyncio.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """Three witnesses that have seen nothing."""
    network = Network()
    async with AsyncExitStack() as stack:
        for number, party in enumerate(WITNESSES, start=1):
            heads = stack.enter_context(closing(Heads.open(tmp_path / f"w{number}.sqlite")))
            thread = stack.enter_context(ThreadPoolExecutor(1))
            witness = Witness(heads, [LOG.key], party.key, party.sign, lambda: NOW_S)
            app = httpx.ASGITransport(build(witness, thread))
            network.hosts[f"w{number}.example"] = app.handle_async_request
        yield network


@pytest_asyncio.fixture
async def client(network: Network) -> AsyncIterator[WitnessClient]:
    """A log that knows all three."""
    async with WitnessClient(ADDRESSES, transport=network) as client:
        yield client


def proofs(log: MemoryHashes = HONEST) -> Callable[[int, int], Awaitable[Sequence[bytes]]]:
    """Reads this log's consistency proofs."""

    async def prove(old: int, new: int) -> Sequence[bytes]:
        return merkle.consistency_proof(log, old, new)

    return prove


async def verdicts(client: WitnessClient, size: int, log: MemoryHashes = HONEST) -> list[Verdict]:
    """What came of asking for this head."""
    _, outcomes = await client.cosign(signed_head(log, size), proofs(log))
    assert [outcome.witness for outcome in outcomes] == [each.key.name for each in WITNESSES]
    assert all(bool(outcome.signatures) == (outcome.verdict is Verdict.COSIGNED) for outcome in outcomes)
    return [outcome.verdict for outcome in outcomes]


async def test_cosignatures_are_gathered(client: WitnessClient) -> None:
    """The note that comes back is the log's, with all three, and passes a policy that asks for them."""
    note, outcomes = await client.cosign(signed_head(HONEST, 9), proofs())
    assert note == cosigned(signed_head(HONEST, 9), WITNESSES)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.COSIGNED}
    assert set(POLICY.open(note).cosigned_s) == {each.key.name for each in WITNESSES}


async def test_the_size_that_a_witness_saw_is_remembered(client: WitnessClient, network: Network) -> None:
    """After the first head each witness is asked once, from the size that it has."""
    for size in (3, 9, 9, LOG_SIZE):
        assert set(await verdicts(client, size)) == {Verdict.COSIGNED}
    assert [old for host, old in network.asked if host == "w1.example"] == [0, 3, 9, 9]


async def test_a_log_that_has_forgotten_is_told(network: Network) -> None:
    """A server that starts anew learns each witness's size from its refusal, and proves from there."""
    for size in (9, 17):
        async with WitnessClient(ADDRESSES, transport=network) as client:
            assert set(await verdicts(client, size)) == {Verdict.COSIGNED}
    assert [old for host, old in network.asked if host == "w1.example"] == [0, 0, 9]


async def test_a_witness_that_hangs_holds_up_nobody(network: Network) -> None:
    """It is given up; the others' cosignatures are there."""
    never = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await never.wait()
        return httpx.Response(200)

    network.hosts["w2.example"] = hang
    async with WitnessClient(ADDRESSES, timeout_s=0.5, transport=network) as client:
        note, outcomes = await client.cosign(signed_head(HONEST, 9), proofs())
    assert [outcome.verdict for outcome in outcomes] == [Verdict.COSIGNED, Verdict.UNREACHABLE, Verdict.COSIGNED]
    assert len(POLICY.open(note).cosigned_s) == 2


async def test_a_witness_that_is_down_is_told_apart(client: WitnessClient, network: Network) -> None:
    """Refused connections and errors of its own are no alarm."""

    async def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    network.hosts["w1.example"] = refuse
    network.answers("w2.example", 503, b"come back later\n")
    assert await verdicts(client, 9) == [Verdict.UNREACHABLE, Verdict.UNREACHABLE, Verdict.COSIGNED]


async def test_a_fork_is_an_alarm(network: Network) -> None:
    """Of the same size, of more entries, and of fewer: a witness that saw the other history says so."""
    async with WitnessClient(ADDRESSES, transport=network) as honest:
        assert set(await verdicts(honest, 17)) == {Verdict.COSIGNED}
    async with WitnessClient(ADDRESSES, transport=network) as forked:
        for size in (17, 30, 9):
            assert set(await verdicts(forked, size, FORK)) == {Verdict.CONFLICT}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", "text/plain"),
        (200, b"no signature\n", "text/plain"),
        (200, b"\xff" * 100, "text/plain"),
        (200, b"x" * (2 * ANSWER_BYTES_MAX), "text/plain"),
        (404, b"", "text/plain"),
        (403, b"", "text/plain"),
        (400, b"", "text/plain"),
        (302, b"", "text/plain"),
        (409, b"", SIZE_TYPE),
        (409, b"-1\n", SIZE_TYPE),
        (409, b"\xff\n", SIZE_TYPE),
        (409, b"5\n", "text/plain"),
    ],
)
async def test_a_wrong_answer_is_no_cosignature(
    client: WitnessClient, network: Network, status: int, body: bytes, kind: str
) -> None:
    """Whatever it says, it is refused, and the others count."""
    network.answers("w3.example", status, body, kind)
    assert await verdicts(client, 9) == [Verdict.COSIGNED, Verdict.COSIGNED, Verdict.REFUSED]


async def test_a_cosignature_of_somebody_else_does_not_count(client: WitnessClient, network: Network) -> None:
    """A witness that answers with another's good signature has not signed; nor has one that signs another head."""
    network.hosts["w2.example"] = network.hosts["w1.example"]
    assert await verdicts(client, 9) == [Verdict.COSIGNED, Verdict.REFUSED, Verdict.COSIGNED]
    other = cosigned(signed_head(HONEST, 10), WITNESSES[:1]).splitlines(keepends=True)[-1]
    network.answers("w1.example", 200, other)
    assert (await verdicts(client, 10))[0] is Verdict.COSIGNED
    assert (await verdicts(client, 11))[0] is Verdict.REFUSED


async def test_a_witness_that_names_sizes_without_end_is_given_up(client: WitnessClient, network: Network) -> None:
    """It cannot keep the log busy."""
    network.answers("w1.example", 409, b"5\n", SIZE_TYPE)
    assert (await verdicts(client, 9))[0] is Verdict.UNREACHABLE
    assert len([host for host, _ in network.asked if host == "w1.example"]) == 4


async def test_a_fault_of_the_logs_own_store_is_raised(client: WitnessClient, network: Network) -> None:
    """It is no witness's fault, and nothing is left running."""

    async def fail(_old: int, _new: int) -> Sequence[bytes]:
        raise StoreError("no tree")

    assert set(await verdicts(client, 9)) == {Verdict.COSIGNED}
    before = asyncio.all_tasks()
    with pytest.raises(StoreError, match="no tree"):
        await client.cosign(signed_head(HONEST, 17), fail)
    assert asyncio.all_tasks() == before


async def test_what_is_no_checkpoint_is_not_sent(client: WitnessClient, network: Network) -> None:
    """The log's own mistake is found before anyone else sees it."""
    with pytest.raises(MalformedError):
        await client.cosign(request(0, 9), proofs())
    assert network.asked == []


def test_a_wrong_address_is_refused() -> None:
    """Said when the witnesses are configured."""
    for url in ("", "w1.example", "ftp://w1.example", "http://", "http://w1.example/?x=1", "file:///etc"):
        with pytest.raises(UsageError, match="no address of a witness"):
            WitnessAddress(url, WITNESSES[0].key)
    with pytest.raises(UsageError, match="key of a log"):
        WitnessAddress("http://w1.example", LOG.key)
    with pytest.raises(UsageError, match="named twice"):
        WitnessClient([ADDRESSES[0], ADDRESSES[0]])

"""`server.evidence.disclosure`: what is given out proves itself, and whoever changes a byte of it is found out."""

import hashlib
import random
from pathlib import Path

import msgspec
import pytest

from schemas.errors import BeatbookError, StoreError, UsageError
from schemas.ids import OfficerId
from server.evidence import checking, exported, page
from server.evidence.consulted import Consultations, Consulted
from server.evidence.disclosure import Disclosures, Export
from server.evidence.exported import EVIDENCE, PAGE, STORY, Evidence
from server.evidence.findings import Report
from server.logbook import ACT
from server.registry import acts as a
from sync.evidence import checkpoint
from sync.evidence.note import VerifierKey
from sync.evidence.policy import Policy
from tests.server.evidence import station
from tests.server.evidence.station import DESK, HANDSET, Station, record_id

VAN = record_id("van")


class Heads:
    """The station's signed heads."""

    def __init__(self, one: Station) -> None:
        """Bind it."""
        self._station = one
        self.verifier: VerifierKey = one.verifier

    async def witnessed(self) -> tuple[int, bytes]:
        """See `Signs`."""
        tree = await self._station.store.tree()
        return tree.size, await self._station.checkpoint()


class Given(msgspec.Struct, frozen=True):
    """An export, and whose signatures count."""

    export: Export
    files: dict[str, bytes]
    policy: Policy
    acts: list[a.Act]


async def disclose(one: Station) -> Export:
    """Have the van's record disclosed."""
    giver = Disclosures(one.store, one.ledger, Heads(one))
    return await giver.make(
        VAN,
        by=station.BOSS,
        seat=DESK,
        recipients=("Aston Law Chambers",),
        why="defence <b>request</b>",
        at=one.clock(),
    )


@pytest.fixture
async def given(tmp_path: Path) -> Given:
    """The export of a record that two officers differ about, after a consultation over HTTP."""
    one, _ = await station.make(tmp_path / "data", rounds=3)
    await one.commit(one.seats[HANDSET].consult(VAN, record_id("shed"), why="house to house"))
    await Consultations(one).note(
        Consulted(what="consultation", officer=station.BOSS, seat=DESK, records=(VAN,), at=one.clock(), why="review")
    )
    export = await disclose(one)
    kept = await one.store.journal(ACT, 0, 500)
    await one.store.close()
    path = tmp_path / "van.zip"
    path.write_bytes(export.content)
    return Given(export, exported.read(path), one.policy, [a.decode(entry.body or b"") for entry in kept])


def check(given: Given, **changed: bytes) -> Report:
    """Check the export with some files exchanged."""
    names = {"evidence": EVIDENCE, "story": STORY, "page": PAGE}
    return checking.check({**given.files, **{names[name]: raw for name, raw in changed.items()}}, given.policy)


def remade(given: Given, evidence: Evidence) -> Report:
    """Check an export that somebody made from changed evidence, readable files and all."""
    raw = msgspec.json.encode(evidence)
    try:
        pages = page.readable(evidence, raw)
    except (BeatbookError, ValueError, KeyError):
        pages = {PAGE: given.files[PAGE], STORY: given.files[STORY]}  # nothing can be told of it any more
    return checking.check({EVIDENCE: raw, **pages}, given.policy)


def test_an_export_proves_itself(given: Given) -> None:
    """With the log's key alone, everything in it is found to be what the log has."""
    report = check(given)
    assert report.findings == ()
    assert any("signed by devices" in words for words in report.proven)
    assert any("not proven: that what somebody wrote is true" in note for note in report.notes)
    assert report.checked["signatures of devices"] > 2


def test_the_log_knows_of_the_disclosure_before_it_is_handed_over(given: Given) -> None:
    """The last act names recipients, reason and the export's own hash."""
    act = given.acts[-1]
    assert isinstance(act, a.Disclosed)
    assert act.recipients == ("Aston Law Chambers",)
    assert act.export == given.export.digest == hashlib.sha256(given.export.content).digest()


def test_the_pages_tell_the_story_and_hold_no_markup_of_others(given: Given) -> None:
    """People read who did what when and why, and who looked; a reason with markup in it stays text."""
    text = given.files[PAGE].decode()
    for words in ("WM1001", "(Officer WM1001)", "device hh-0042", "Note 0", "house to house", "refused (", "review"):
        assert words in text, words
    assert "defence &lt;b&gt;request&lt;/b&gt;" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "").replace('charset="utf-8"', "")
    story = msgspec.json.decode(given.files[STORY])
    assert story["kind"] == "incident"
    assert [one["op"] for one in story["ops"] if one["status"] == "refused"]


def test_without_a_key_of_their_own_a_reader_is_told(given: Given) -> None:
    """Keys that come along with a proof prove nothing."""
    report = checking.check(given.files, None)
    assert report.sound
    assert any("the log's key was taken from the export itself" in note for note in report.notes)


def test_another_logs_signature_proves_nothing(given: Given) -> None:
    """A log that somebody set up for the purpose is not the force's."""
    evidence = exported.evidence_in(given.files)
    key = station.Seat(HANDSET, OfficerId("WM1"), station.Clock()).key
    other = msgspec.structs.replace(given.policy.logs[0], public_key=key.public_key().public_bytes_raw())
    head = given.policy.open(evidence.checkpoint).checkpoint
    forged = msgspec.structs.replace(evidence, log=str(other), checkpoint=checkpoint.sign(head, other, key.sign))
    assert [one.row for one in remade(given, forged).findings] == ["checkpoint"]


def test_a_letter_changed_on_a_readable_page_is_found(given: Given) -> None:
    """What is read is what is proven."""
    assert {one.row for one in check(given, page=given.files[PAGE].replace(b"Note 0", b"Note 9")).findings} == {PAGE}
    assert {one.row for one in check(given, story=given.files[STORY].replace(b"Note 0", b"Note 9")).findings} == {STORY}


def test_every_flipped_bit_of_the_evidence_is_found(given: Given) -> None:
    """Of 300 flips anywhere in the evidence, with the readable files made anew from it, none passes."""
    draw = random.Random(4)
    raw = given.files[EVIDENCE]
    passed = []
    for _ in range(300):
        at, bit = draw.randrange(len(raw)), draw.randrange(8)
        changed = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
        try:
            evidence = exported.evidence_in({**given.files, EVIDENCE: changed})
            if evidence == exported.evidence_in(given.files):
                continue  # a space between two words of the JSON
            if told(evidence) != told(exported.evidence_in(given.files)):
                continue  # what the export says of itself is not proven by the log but by the act that bears its hash
            report = remade(given, evidence)
        except BeatbookError:
            continue
        if report.sound:
            passed.append((at, bit))
    assert passed == []


def told(evidence: Evidence) -> object:
    """What in an export is said and not proven."""
    reads = [msgspec.structs.astuple(one)[:6] for one in evidence.reads]
    about = (evidence.made_at, evidence.made_by, evidence.recipients, evidence.why, evidence.log)
    return (about, evidence.checkpoint.decode(errors="replace").strip(), reads)


@pytest.mark.parametrize("what", ["op", "own op", "head", "act", "order"])
def test_what_is_left_out_or_put_in_is_found(given: Given, what: str) -> None:
    """Whoever drops an op whose value stands, a signature, or the act that names the key, proves less than all."""
    evidence = exported.evidence_in(given.files)
    match what:
        case "op":
            changed = msgspec.structs.replace(evidence, ops=evidence.ops[1:])
        case "own op":
            other = msgspec.structs.replace(evidence.ops[0], body=evidence.ops[1].body)
            changed = msgspec.structs.replace(evidence, ops=(other, *evidence.ops[1:]))
        case "head":
            changed = msgspec.structs.replace(evidence, heads=evidence.heads[1:])
        case "act":
            seats = [one for one in evidence.acts if not isinstance(a.decode(one.body), a.DeviceEnrolled)]
            changed = msgspec.structs.replace(evidence, acts=tuple(seats))
        case _:
            first, second, *rest = evidence.ops
            swapped = (msgspec.structs.replace(first, proven=second.proven), second, *rest)
            changed = msgspec.structs.replace(evidence, ops=swapped)
    assert not remade(given, changed).sound


async def test_the_newest_head_proves_what_was_read_before_it(tmp_path: Path) -> None:
    """A covered op that came late, and a seat's first op, are proven by heads that lie elsewhere in the log."""
    one, _ = await station.make(tmp_path / "data", rounds=0)
    export = await disclose(one)
    await one.store.close()
    path = tmp_path / "van.zip"
    path.write_bytes(export.content)
    assert checking.check(exported.read(path), one.policy).findings == ()


@pytest.mark.parametrize(
    ("name", "recipients", "why", "words"),
    [
        ("van", (), "asked", "to whom"),
        ("van", ("Aston Law Chambers",), " ", "what for"),
        ("van", ("x" * 1000,), "asked", "disclosed-2"),
        ("nobody", ("Aston Law Chambers",), "asked", "there is no record"),
        ("gone", ("Aston Law Chambers",), "asked", "nothing is left of it"),
    ],
)
async def test_what_cannot_be_disclosed_is_said_and_not_logged(
    tmp_path: Path, name: str, recipients: tuple[str, ...], why: str, words: str
) -> None:
    """A disclosure that did not happen leaves no act of one."""
    one, _ = await station.make(tmp_path / "data", rounds=0)
    before = len(await one.store.journal(ACT, 0, 500))
    giver = Disclosures(one.store, one.ledger, Heads(one))
    with pytest.raises(UsageError, match=words):
        await giver.make(record_id(name), by=station.BOSS, seat=DESK, recipients=recipients, why=why, at=one.clock())
    assert len(await one.store.journal(ACT, 0, 500)) == before
    await one.store.close()


async def test_nothing_is_handed_over_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    """No export leaves that the log does not know of."""
    one, _ = await station.make(tmp_path / "data", rounds=0)

    class Broken:
        async def perform(self, *_acts: a.Act) -> None:
            raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="disk is full"):
        await Disclosures(one.store, Broken(), Heads(one)).make(
            VAN, by=station.BOSS, seat=DESK, recipients=("Aston Law Chambers",), why="asked", at=one.clock()
        )
    await one.store.close()


def test_what_is_no_export_is_told_apart(tmp_path: Path, given: Given) -> None:
    """A damaged file is refused in words, and never with a traceback."""
    for name, content in (("empty", b""), ("cut", given.export.content[:200]), ("text", b"PK\x03\x04 and no more")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="no disclosure export"):
            exported.read(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        checking.check({**given.files, EVIDENCE: b"{}"}, None)
    newer = msgspec.structs.replace(exported.evidence_in(given.files), format=2)
    with pytest.raises(UsageError, match="take a newer program"):
        checking.check({**given.files, EVIDENCE: msgspec.json.encode(newer)}, None)

"""Pins: a log that grows is followed, a log that does anything else is caught and the pin stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence import checkpoint, merkle, pin
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import EMPTY_ROOT
from sync.evidence.pin import NOTHING_SEEN, Alarm, LogAlarm, Pin
from sync.evidence.policy import Policy
from tests.sync.evidence.parties import LOG, ORIGIN, WITNESSES, Party, cosigned, log_of, signed_head
from tests.sync.evidence.trees import MemoryHashes, leaves_of

POLICY = Policy.of([LOG.key])
HONEST = log_of(40)


def pinned(size: int, log: MemoryHashes = HONEST) -> Pin:
    """What a device remembers that has seen this log at that size."""
    return Pin(size, merkle.root_at(log, size), signed_head(log, size)) if size else NOTHING_SEEN


def refused(old: Pin, new: bytes, proof: list[bytes], policy: Policy = POLICY) -> LogAlarm:
    """The alarm that this raises."""
    with pytest.raises(LogAlarm) as raised:
        pin.advance(old, new, proof, policy)
    assert raised.value.pin == old
    assert raised.value.checkpoint == new
    return raised.value


@given(st.integers(min_value=0, max_value=40), st.integers(min_value=0, max_value=40))
def test_a_log_that_grows_is_followed(one: int, other: int) -> None:
    """From any size to any size that is not smaller, the empty log included."""
    old, new = sorted((one, other))
    proof = merkle.consistency_proof(HONEST, old, new)
    after = pin.advance(pinned(old), signed_head(HONEST, new), proof, POLICY)
    assert after == Pin(new, merkle.root_at(HONEST, new), signed_head(HONEST, new))


@given(st.data())
def test_a_log_that_shrinks_is_caught(data: st.DataObject) -> None:
    """An older head, though it was signed once: a restored backup, or a cut."""
    old = data.draw(st.integers(min_value=1, max_value=40))
    new = data.draw(st.integers(min_value=0, max_value=old - 1))
    alarm = refused(pinned(old), signed_head(HONEST, new), [])
    assert alarm.what is Alarm.SHRUNK
    assert f"{new} entries, where {old} were seen" in str(alarm)


@given(st.data())
def test_a_rewritten_log_is_caught(data: st.DataObject) -> None:
    """One entry before the pin changed, then any growth, with the proof that the rewritten log itself gives."""
    old = data.draw(st.integers(min_value=1, max_value=40))
    new = data.draw(st.integers(min_value=old, max_value=40))
    leaves = leaves_of(40)
    leaves[data.draw(st.integers(min_value=0, max_value=old - 1))] = merkle.leaf_hash(b"rewritten")
    forged = MemoryHashes(leaves)
    alarm = refused(pinned(old), signed_head(forged, new), merkle.consistency_proof(forged, old, new))
    assert alarm.what is (Alarm.FORKED if new == old else Alarm.UNPROVEN)


def test_growth_without_its_proof_is_caught() -> None:
    """No proof, a proof of something else, a proof with a hash too many."""
    proof = merkle.consistency_proof(HONEST, 20, 33)
    wrong: list[list[bytes]] = [[], proof[:-1], [*proof, proof[0]], merkle.consistency_proof(HONEST, 19, 33)]
    for each in wrong:
        assert refused(pinned(20), signed_head(HONEST, 33), each).what is Alarm.UNPROVEN
    assert refused(pinned(20), signed_head(HONEST, 20), proof).what is Alarm.UNPROVEN


def test_a_head_that_is_not_the_logs_is_caught() -> None:
    """Another key, another log, no note at all."""
    impostor = Party(LOG.key.name, seed="impostor")
    strangers = Policy.of([impostor.key])
    assert refused(NOTHING_SEEN, signed_head(HONEST), [], strangers).what is Alarm.UNTRUSTED
    assert refused(NOTHING_SEEN, b"no note", []).what is Alarm.UNTRUSTED
    tampered = signed_head(HONEST).replace(b"\n40\n", b"\n41\n")
    assert refused(pinned(40), tampered, []).what is Alarm.UNTRUSTED


def test_witnesses_can_be_asked_for() -> None:
    """A device whose policy wants a witness is not content with the log's word."""
    policy = Policy.of([LOG.key], [WITNESSES[0].key], 1)
    assert refused(NOTHING_SEEN, signed_head(HONEST), [], policy).what is Alarm.UNTRUSTED
    witnessed = cosigned(signed_head(HONEST), WITNESSES[:1])
    assert pin.advance(NOTHING_SEEN, witnessed, [], policy).checkpoint == witnessed


def test_both_heads_of_a_fork_are_kept() -> None:
    """The alarm holds two notes with the log's own signature: what convinces somebody else."""
    alarm = refused(pinned(20), signed_head(log_of(20, "forged")), [])
    one, other = (POLICY.open(raw).checkpoint for raw in (alarm.pin.checkpoint, alarm.checkpoint))
    assert (one.origin, one.size) == (other.origin, other.size)
    assert one.root != other.root


def test_an_empty_log_that_is_not_empty_is_caught() -> None:
    """Size 0 with a root of something is no log's head."""
    head = checkpoint.sign(Checkpoint(ORIGIN, 0, bytes(32)), LOG.key, LOG.sign)
    assert refused(NOTHING_SEEN, head, []).what is Alarm.FORKED


def test_what_cannot_be_a_pin_is_refused() -> None:
    """Read back from a damaged store, say."""
    assert Pin(0, EMPTY_ROOT) == NOTHING_SEEN
    for size, root in ((-1, EMPTY_ROOT), (1, b"short")):
        with pytest.raises(UsageError, match="a log's head cannot"):
            Pin(size, root)

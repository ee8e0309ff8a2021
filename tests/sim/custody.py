"""The oracles of what was sealed and signed: nothing vanishes into quarantine, every chain verifies from its start.

What an officer may no longer read is on the device as sealed bytes or as a hash, and the server has it: among its ops
or in quarantine. The chains are checked as an expert would: with the journal, the ops and the devices' keys, and with
none of what the server or the device believes about them.
"""

import hashlib
from typing import Final

import msgspec

from schemas.codec import reread_op
from schemas.ids import DeviceId, OpNumber, op_id
from server.intake import SealedEdit
from server.logbook import HEAD, QUARANTINE
from sync.evidence.chain import SignedHead, genesis, head_words, link_after
from sync.outbox import ENDED, SHUT, OpState
from sync.replica import StoredOp
from tests.sim.device import SimDevice, unseal
from tests.sim.faults import require
from tests.sim.server import SimServer, verify
from tests.sim.store import SimStore

_HEAD: Final = msgspec.msgpack.Decoder(SignedHead)
_PART: Final = 12
"""Bytes of an op that nothing sealed has in common with it."""
_SEALED: Final = msgspec.msgpack.Decoder(SealedEdit)


def intact(device: SimDevice, n: OpNumber, body: bytes) -> StoredOp:
    """An op that was saved is there: as it was, sealed as it was, or, where another stands in its place, as a hash."""
    kept = device.tables.op(n)
    if kept is None:
        require(1, holds=False, text=f"{device.id}: op {n} was saved and is gone")
        raise AssertionError
    shut = kept.state in SHUT and unseal(kept.body) == body
    ended = kept.state in ENDED and kept.body == b""
    require(1, kept.body == body or shut or ended, f"{device.id}: op {n} was saved and has changed")
    return kept


def unreadable(device: SimDevice, n: OpNumber) -> None:
    """Nothing of an op on a record that a grant took away can be read on the device."""
    kept = device.tables.op(n)
    if kept is None:
        return
    body = device.made[n]
    parts = [body[at : at + _PART] for at in range(len(body) - _PART)]
    require(7, not any(part in kept.body for part in parts), f"{device.id}: op {n} can still be read in its bytes")
    require(7, kept.state in SHUT or not kept.body, f"{device.id}: op {n}, {kept.state.value}, can still be read")
    require(7, not (kept.detail or kept.why), f"{device.id}: what was said of op {n} can still be read")


def at_rest(server: SimServer, device: SimDevice) -> None:
    """Everything is handed over: what is shut is among the server's ops or in quarantine, and every hash is kept."""
    # No device of this world is ever copied, and a server that is set back holds a beginning of the same chain.
    require(8, device.copies == 0, f"{device.id} takes its own chain for another one")
    quarantine = {edit.id: unseal(edit.sealed) for edit in _edits(server.store, device.id)}
    digests = device.replica.digests(OpNumber(0), OpNumber(max(device.made, default=0)))
    for n, body in device.made.items():
        kept = intact(device, n, body)
        require(8, digests.get(n) == hashlib.sha256(body).digest(), f"{device.id}: the hash of op {n} is lost")
        require(1, kept.state is not OpState.SEALED, f"{device.id}: op {n} is never handed over")
        if kept.state is OpState.QUARANTINED:
            known = server.store.ops.get((device.id, n))
            taken = known is not None and known.result.status == "durable" and server.store.bodies[device.id, n] == body
            require(1, taken or quarantine.get(n) == body, f"{device.id}: op {n} is neither taken in nor in quarantine")


def _edits(store: SimStore, device: DeviceId) -> list[SealedEdit]:
    found = [_SEALED.decode(entry.body) for entry in store.entries(QUARANTINE)]
    return [edit for edit in found if edit.seat == device]


def chain(store: SimStore, device: DeviceId) -> None:
    """One device's chain, from its first link: each head is signed, no two tell of different ops, each op is in it."""
    links = {genesis(device).link: OpNumber(0)}
    told: dict[OpNumber, tuple[bytes, bytes]] = {}
    for entry in store.entries(HEAD):
        signed = _HEAD.decode(entry.body)
        if signed.seat != device:
            continue
        require(8, signed.before in links, f"{device}: the head behind op {signed.head.n} hangs in the air")
        link, last = signed.before, links[signed.before]
        for n, digest in signed.ops:
            require(8, n > last, f"{device}: op {n} comes after op {last} in a head")
            before, link, last = link, link_after(link, n, digest), n
            require(
                8, told.setdefault(n, (digest, before)) == (digest, before), f"{device}: two ops {n} are vouched for"
            )
            links[link] = n
        words = head_words(device, signed.head)
        require(
            8, verify(device.encode(), words, signed.signature), f"{device}: the head behind op {last} is not signed"
        )
    at = store.chain(device)
    require(8, links.get(at.link) == at.n, f"{device}: the chain stands where no head is")
    require(8, at.n == max(told, default=0), f"{device}: a head goes beyond the chain")
    for (owner, n), body in store.bodies.items():
        if owner == device:
            found = told.get(n)
            same = found == (hashlib.sha256(body).digest(), reread_op(body).link)
            require(8, same, f"{op_id(owner, n)} is not the op that its device vouched for, behind those before it")

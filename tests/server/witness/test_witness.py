"""The witness's rule: every status of C2SP tlog-witness where it belongs, and never a word for two histories."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from server.witness.heads import Head, Heads
from server.witness.request import SIZE_TYPE, AddCheckpoint
from server.witness.witness import Answer, Witness
from sync.evidence import merkle
from sync.evidence.checkpoint import Checkpoint, sign
from sync.evidence.cosign import cosigned_s
from sync.evidence.note import KeyType, Note, Signature
from tests.server.witness.submitting import FORK, FORKED_AT, HONEST, LOG_SIZE, request
from tests.sync.evidence.parties import LOG, NOW_S, ORIGIN, WITNESSES, Party, cosigned, signed_head
from tests.sync.evidence.trees import MemoryHashes

OWN = WITNESSES[0]


@pytest.fixture
def heads(tmp_path: Path) -> Iterator[Heads]:
    """A fresh memory."""
    with closing(Heads.open(tmp_path / "heads.sqlite")) as heads:
        yield heads


@pytest.fixture
def witness(heads: Heads) -> Witness:
    """A witness that has seen nothing."""
    return Witness(heads, [LOG.key], OWN.key, OWN.sign, lambda: NOW_S + 0.9)


def cosigns(answer: Answer, log: MemoryHashes, size: int) -> bool:
    """Whether this answer is a good cosignature of that head."""
    if answer.status != 200:
        return False
    note = Note.parse(signed_head(log, size))
    line = Signature.parse(answer.body.decode().removesuffix("\n"))
    return cosigned_s(note.signed([line]), [OWN.key]) == {OWN.key.name: NOW_S}


def known(answer: Answer) -> int:
    """The size that a refusal tells, in the form of the specification."""
    assert (answer.status, answer.media_type) == (409, SIZE_TYPE)
    assert answer.body.endswith(b"\n")
    return int(answer.body)


def test_a_growing_log_is_cosigned(witness: Witness) -> None:
    """From nothing, step by step, and once more at the same size."""
    for old, new in ((0, 3), (3, 17), (17, 17), (17, LOG_SIZE)):
        assert cosigns(witness.add_checkpoint(request(old, new)), HONEST, new)


def test_an_empty_log_is_cosigned_and_remembered(witness: Witness, heads: Heads) -> None:
    """Size 0 is a head like others; one with a root of something is none."""
    assert cosigns(witness.add_checkpoint(request(0, 0)), HONEST, 0)
    assert heads.latest(ORIGIN).note == signed_head(HONEST, 0)
    rootless = sign(Checkpoint(ORIGIN, 0, bytes(32)), LOG.key, LOG.sign)
    assert known(witness.add_checkpoint(AddCheckpoint(0, (), rootless).encode())) == 0


def test_who_does_not_know_the_size_is_told(witness: Witness) -> None:
    """409 with the size, whether the log thinks too little or too much."""
    witness.add_checkpoint(request(0, 17))
    for old in (0, 16, 18):
        assert known(witness.add_checkpoint(request(old, 20))) == 17


def test_an_old_size_above_the_checkpoints_is_nonsense(witness: Witness) -> None:
    """400, before anything is compared."""
    body = AddCheckpoint(18, (), signed_head(HONEST, 17)).encode()
    assert witness.add_checkpoint(body).status == 400


def test_a_log_does_not_go_back(witness: Witness, heads: Heads) -> None:
    """An older head is refused with the size, though it was signed once."""
    witness.add_checkpoint(request(0, 17))
    assert known(witness.add_checkpoint(AddCheckpoint(0, (), signed_head(HONEST, 9)).encode())) == 17
    assert witness.add_checkpoint(AddCheckpoint(17, (), signed_head(HONEST, 9)).encode()).status == 400
    assert heads.latest(ORIGIN).size == 17


def test_a_fork_of_the_same_size_is_refused_and_kept(witness: Witness, heads: Heads) -> None:
    """409; both signed heads are in the memory, as what convicts the log's keeper."""
    witness.add_checkpoint(request(0, 17))
    assert known(witness.add_checkpoint(request(17, 17, FORK))) == 17
    assert heads.latest(ORIGIN).note == signed_head(HONEST, 17)
    assert heads.conflicts(ORIGIN) == [signed_head(FORK, 17)]


def test_a_fork_that_grew_is_refused(witness: Witness, heads: Heads) -> None:
    """422 with any proof: the fork's own, the honest log's, none, one hash too many or one too few."""
    witness.add_checkpoint(request(0, 17))
    head = signed_head(FORK, 30)
    proofs = [merkle.consistency_proof(log, 17, 30) for log in (FORK, HONEST)]
    for proof in (*proofs, [], proofs[0][:-1], [*proofs[1], bytes(32)]):
        assert witness.add_checkpoint(AddCheckpoint(17, tuple(proof), head).encode()).status == 422
    assert heads.latest(ORIGIN).size == 17


def test_a_proof_where_none_belongs_is_refused(witness: Witness) -> None:
    """422: the proof must be empty from the empty log and at the same size."""
    assert witness.add_checkpoint(AddCheckpoint(0, (bytes(32),), signed_head(HONEST, 3)).encode()).status == 422
    witness.add_checkpoint(request(0, 3))
    assert witness.add_checkpoint(AddCheckpoint(3, (bytes(32),), signed_head(HONEST, 3)).encode()).status == 422


def test_before_the_fork_both_are_one_log(witness: Witness) -> None:
    """What two histories share may be cosigned by either; from the first difference on only one of them."""
    assert cosigns(witness.add_checkpoint(request(0, FORKED_AT, FORK)), HONEST, FORKED_AT)
    assert cosigns(witness.add_checkpoint(request(FORKED_AT, 9)), HONEST, 9)
    assert witness.add_checkpoint(request(9, 30, FORK)).status == 422


def test_strangers_are_refused(witness: Witness) -> None:
    """404 for a log that is not watched; 403 for a head that the log did not sign, or whose signature is wrong."""
    other = Party("log.other.example")
    foreign = sign(Checkpoint(other.key.name, 0, merkle.EMPTY_ROOT), other.key, other.sign)
    assert witness.add_checkpoint(AddCheckpoint(0, (), foreign).encode()).status == 404
    impostor = Party(ORIGIN, seed="impostor")
    unsigned = sign(Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), impostor.key, impostor.sign)
    assert witness.add_checkpoint(AddCheckpoint(0, (), unsigned).encode()).status == 403
    forged = signed_head(HONEST, 17).replace(b"\n17\n", b"\n18\n")
    assert witness.add_checkpoint(AddCheckpoint(0, (), forged).encode()).status == 403


def test_signatures_of_others_are_ignored(witness: Witness) -> None:
    """A checkpoint that other witnesses have cosigned before is cosigned all the same."""
    body = AddCheckpoint(0, (), cosigned(signed_head(HONEST, 9), WITNESSES[1:])).encode()
    assert cosigns(witness.add_checkpoint(body), HONEST, 9)


@pytest.mark.parametrize("body", [b"", b"\x00" * 1_000, b"old 0\n\n", b"old 0\n\nno note\n", request(0, 9)[:-1]])
def test_nonsense_is_answered(witness: Witness, body: bytes) -> None:
    """400, and the witness goes on."""
    assert witness.add_checkpoint(body).status == 400
    assert cosigns(witness.add_checkpoint(request(0, 9)), HONEST, 9)


def test_a_retired_key_and_its_successor_are_one_log(heads: Heads) -> None:
    """A log that changes its key keeps its origin, its entries and its head."""
    later = Party(ORIGIN, seed="successor")
    witness = Witness(heads, [LOG.key, later.key], OWN.key, OWN.sign, lambda: NOW_S)
    assert witness.add_checkpoint(request(0, 9)).status == 200
    head = sign(Checkpoint(ORIGIN, 17, merkle.root_at(HONEST, 17)), later.key, later.sign)
    proof = tuple(merkle.consistency_proof(HONEST, 9, 17))
    assert witness.add_checkpoint(AddCheckpoint(9, proof, head).encode()).status == 200


class _Failing(Heads):
    """A memory whose disk is full."""

    def advance(self, origin: str, old: Head, new: Head) -> bool:
        """Fail."""
        raise StoreError("/secret/folder: disk full")


def test_what_cannot_be_written_down_is_not_signed(tmp_path: Path) -> None:
    """503 without a word of the folder, and no signature."""
    with closing(_Failing.open(tmp_path / "heads.sqlite")) as heads:
        answer = Witness(heads, [LOG.key], OWN.key, OWN.sign, lambda: NOW_S).add_checkpoint(request(0, 9))
    assert answer.status == 503
    assert b"secret" not in answer.body


class _Racing(Heads):
    """A memory in which another process advances between the comparison and the replacement."""

    def advance(self, origin: str, old: Head, new: Head) -> bool:
        """Lose the race."""
        assert super().advance(origin, old, Head(11, merkle.root_at(FORK, 11), signed_head(FORK, 11)))
        return super().advance(origin, old, new)


def test_who_loses_a_race_gets_no_signature(tmp_path: Path) -> None:
    """The specification's own example of how a witness goes wrong: compare, be overtaken, roll back."""
    with closing(_Racing.open(tmp_path / "heads.sqlite")) as heads:
        witness = Witness(heads, [LOG.key], OWN.key, OWN.sign, lambda: NOW_S)
        assert known(witness.add_checkpoint(request(0, 9))) == 11
        assert heads.latest(ORIGIN).note == signed_head(FORK, 11)


@pytest.mark.parametrize("seed", range(5))
def test_many_at_once_never_get_two_histories(tmp_path: Path, seed: int) -> None:
    """Four witnesses in threads of their own on one file, and two logs that both have the log's key."""
    dice = random.Random(seed)
    path = tmp_path / "heads.sqlite"
    Heads.open(path).close()
    plans = [[(dice.choice((HONEST, FORK)), dice.randint(1, LOG_SIZE)) for _ in range(20)] for _ in range(4)]

    def submit(plan: list[tuple[MemoryHashes, int]]) -> list[tuple[int, bytes]]:
        signed = []
        with closing(Heads.open(path)) as heads:
            witness = Witness(heads, [LOG.key], OWN.key, OWN.sign, lambda: NOW_S)
            for log, size in plan:
                old = heads.latest(ORIGIN).size
                if old <= size and witness.add_checkpoint(request(old, size, log)).status == 200:
                    signed.append((size, merkle.root_at(log, size)))
        return signed

    with ThreadPoolExecutor(4) as threads:
        signed = [each for some in threads.map(submit, plans) for each in some]
    histories = [{(size, merkle.root_at(log, size)) for size in range(LOG_SIZE + 1)} for log in (HONEST, FORK)]
    assert signed
    assert any(set(signed) <= history for history in histories)


def test_a_witness_that_cannot_be_one_is_refused(heads: Heads) -> None:
    """No log, a key in the wrong role, its own key as a log's: said at the start."""
    with pytest.raises(UsageError, match="needs a log"):
        Witness(heads, [], OWN.key, OWN.sign, lambda: NOW_S)
    with pytest.raises(UsageError, match="watches logs"):
        Witness(heads, [OWN.key], OWN.key, OWN.sign, lambda: NOW_S)
    with pytest.raises(UsageError, match="type 0x04"):
        Witness(heads, [LOG.key], Party("w.example").key, OWN.sign, lambda: NOW_S)
    own = Party(ORIGIN, KeyType.ED25519, seed=OWN.key.name)
    with pytest.raises(UsageError, match="vouches for themselves"):
        Witness(heads, [own.key], OWN.key, OWN.sign, lambda: NOW_S)

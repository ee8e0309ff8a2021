"""Policies: who must have signed, said in a file that other programs read too."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from sync.evidence.note import KeyType, UntrustedError, VerifierKey
from sync.evidence.policy import Group, Policy
from tests.sync.evidence.parties import LOG, NOW_S, WITNESSES, Party, cosigned, head, log_of, signed_head

KEYS = [each.key for each in WITNESSES]
LOG_CHECKPOINT = signed_head(log_of(9))
EXAMPLE = f"""
# The force's log; the inspectorate has two witnesses, the university one.
log {LOG.key} https://log.force.example/

witness hmi-1 {KEYS[0]}
\twitness  hmi-2\t{KEYS[1]}
group hmi any hmi-1 hmi-2
witness university {KEYS[2]} https://witness.example/
group both all hmi university
quorum both
"""
CHAIN_OF_GROUPS = f"witness g0 {KEYS[0]}\n" + "".join(f"group g{at + 1} any g{at}\n" for at in range(300))


def passes(policy: Policy, parties: list[Party]) -> bool:
    """Whether the log's head, cosigned by these, is enough."""
    try:
        found = policy.open(cosigned(LOG_CHECKPOINT, parties))
    except UntrustedError:
        return False
    assert found.checkpoint == head(log_of(9))
    assert found.cosigned_s == {each.key.name: NOW_S for each in parties}
    return True


@pytest.mark.parametrize("least", range(4))
def test_k_of_n_asks_for_k(least: int) -> None:
    """Every subset of the witnesses passes or does not by its size alone."""
    policy = Policy.of([LOG.key], KEYS, least)
    for size in range(4):
        for some in combinations(WITNESSES, size):
            assert passes(policy, list(some)) == (size >= least)


def test_groups_hold_what_they_say() -> None:
    """One of the inspectorate's and the university's; two of the inspectorate's are not enough."""
    policy = Policy.parse(EXAMPLE)
    one, two, university = WITNESSES
    assert passes(policy, [one, university])
    assert passes(policy, [one, two, university])
    assert not passes(policy, [one, two])
    assert not passes(policy, [university])
    assert not passes(policy, [])


def test_one_witness_or_none_can_be_the_quorum() -> None:
    """A witness's own name, and `none`."""
    lines = f"log {LOG.key}\nwitness a {KEYS[0]}\nwitness b {KEYS[1]}\n"
    assert passes(Policy.parse(f"{lines}quorum a"), [WITNESSES[0]])
    assert not passes(Policy.parse(f"{lines}quorum a"), [WITNESSES[1]])
    assert passes(Policy.parse(f"{lines}quorum none\n"), [])


def test_a_witness_counts_once() -> None:
    """However often it signs, and a stranger not at all."""
    stranger = Party("stranger.example", KeyType.COSIGNATURE_V1)
    raw = cosigned(cosigned(LOG_CHECKPOINT, WITNESSES[:1], NOW_S + 1), [WITNESSES[0], stranger])
    with pytest.raises(UntrustedError, match=r"cosigned by w1\.witness\.example$"):
        Policy.of([LOG.key], KEYS, 2).open(raw)
    assert Policy.of([LOG.key], KEYS, 1).open(raw).cosigned_s == {KEYS[0].name: NOW_S + 1}


def test_without_the_log_no_number_of_witnesses_helps() -> None:
    """Witnesses say that a head is consistent; that it is the log's, only the log says."""
    impostor = Party(LOG.key.name, seed="impostor")
    with pytest.raises(UntrustedError, match="no signature of that log"):
        Policy.of([impostor.key], KEYS, 3).open(cosigned(LOG_CHECKPOINT, WITNESSES))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no `quorum` line"),
        ("quorum none\nquorum none", "line 2 .* second `quorum`"),
        ("quorum a", "line 1 .* no witness and no group 'a'"),
        (f"group g any a\nwitness a {KEYS[0]}\nquorum g", "line 1 .* no witness and no group 'a'"),
        (f"witness a {KEYS[0]}\nwitness a {KEYS[1]}\nquorum a", "line 2 .* 'a' is taken"),
        (f"witness none {KEYS[0]}\nquorum none", "'none' is taken"),
        (f"witness a {KEYS[0]}\ngroup a any a\nquorum a", "'a' is taken"),
        (f"witness a {KEYS[0]}\ngroup g 2 a\nquorum g", "'2' of 1 members"),
        (f"witness a {KEYS[0]}\ngroup g 0 a\nquorum g", "'0' of 1 members"),
        (f"witness a {KEYS[0]}\ngroup g some a\nquorum g", "'some' of 1 members"),
        (f"witness a {KEYS[0]}\ngroup g any a a\nquorum g", "belongs to a group already"),
        (f"witness a {KEYS[0]}\ngroup g any a\ngroup h any a\nquorum h", "line 3 .* belongs to a group already"),
        (f"witness a {KEYS[0]}\ngroup g any\nquorum a", "line 2 .* 'group' here"),
        (f"witness a {LOG.key}\nquorum a", "key of a log, not of a witness"),
        (f"log {KEYS[0]}\nquorum none", "key of a witness, not of a log"),
        (f"log {LOG.key}\nlog {LOG.key}\nquorum none", "a public key twice"),
        ("log nonsense\nquorum none", "line 1 .* no verifier key"),
        ("trust everyone", "'trust' here"),
        ("quorum none\x07", "control character"),
        ("quorum\N{NO-BREAK SPACE}none", "here: `log KEY`"),
        ("# " + "x" * 300_000, "are the most"),
        ("".join(f"witness w{at} {KEYS[0]}\n" for at in range(300)), "line 257 .* more than 256"),
        (f"log {LOG.key}\n" * 300, "line 257 .* more than 256"),
        (CHAIN_OF_GROUPS, "line 258 .* more than 256"),
    ],
)
def test_a_wrong_policy_is_told_where_and_why(text: str, said: str) -> None:
    """Whoever writes it by hand reads the line and what is wrong with it."""
    with pytest.raises(UsageError, match=said):
        Policy.parse(text)


def test_a_policy_made_in_code_is_checked_too() -> None:
    """No dangling names, no number that cannot be reached, no party that stands for two."""
    with pytest.raises(UsageError, match="neither a witness nor a group"):
        Policy((LOG.key,), {}, {}, "a")
    with pytest.raises(UsageError, match="does not stand above"):
        Policy((LOG.key,), {}, {"g": Group(1, ("g",))}, "g")
    with pytest.raises(UsageError, match="4 of 3 witnesses"):
        Policy.of([LOG.key], KEYS, 4)
    own = VerifierKey("witness.force.example", KeyType.COSIGNATURE_V1, LOG.key.public_key)
    with pytest.raises(UsageError, match="a public key twice"):
        Policy.of([LOG.key], [own], 1)
    renewed = Party(KEYS[0].name, KeyType.COSIGNATURE_V1, seed="renewed")
    with pytest.raises(UsageError, match="two keys of one witness"):
        Policy.of([LOG.key], [KEYS[0], renewed.key], 1)


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    """A policy or our own error, whatever is in the file."""
    try:
        Policy.parse(text)
    except UsageError:
        return
    assert "quorum" in text

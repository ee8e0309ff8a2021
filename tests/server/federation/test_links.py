"""The administrator's link of the first start: once, for a day, and kept as a hash."""

import pytest

from schemas.ids import DeviceId, Millis
from server.federation import codes, links, onetime
from server.federation.links import LIFETIME_MS, LinkRecord
from server.federation.refusals import RefusedError

NOW = Millis(1_767_225_600_000)


def refusal(record: LinkRecord | None, code: str, now: Millis = NOW) -> str:
    """The code of the refusal that it meets."""
    with pytest.raises(RefusedError) as caught:
        links.redeem(record, code, now)
    return caught.value.spec.code


def test_a_link_works_once() -> None:
    """It lets in, and then no more; nothing else about it changes."""
    code, record = links.make(NOW)
    used = links.redeem(record, code, Millis(NOW + 5))
    assert (used.used_at, used.digest, used.by) == (NOW + 5, record.digest, "server")
    assert refusal(used, code) == "code_used"


def test_a_link_works_for_a_day() -> None:
    """Up to its last millisecond."""
    code, record = links.make(NOW)
    assert links.redeem(record, code, Millis(NOW + LIFETIME_MS - 1)).used_at is not None
    assert refusal(record, code, Millis(NOW + LIFETIME_MS)) == "code_expired"
    shorter = links.make(NOW, lifetime_ms=1)
    assert refusal(shorter[1], shorter[0], Millis(NOW + 1)) == "code_expired"


def test_the_secret_is_in_the_fragment_and_not_in_what_is_kept() -> None:
    """256 bits that a browser sends to nobody and that the database does not hold."""
    code, record = links.make(NOW, random=lambda count: bytes(range(count)))
    assert code == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    page = "https://beatbook.example/first"
    assert links.address(page, code) == f"{page}#{code}"
    assert code not in repr(record)
    assert links.make(NOW)[0] != links.make(NOW)[0]


def test_a_guess_is_refused() -> None:
    """Whatever has the form of a secret and is not it; and any, where no link waits."""
    code, record = links.make(NOW)
    for guess in (code[::-1], code.swapcase(), "A" * 43):
        assert refusal(record, guess) == "code_unknown"
    assert refusal(None, code) == "code_unknown"


@pytest.mark.parametrize("code", ["", "A" * 42, "A" * 44, "A" * 43 + "\n", "é" * 43, "A" * 42 + "="])
def test_what_is_no_secret_of_a_link_is_refused(code: str) -> None:
    """Another form is a slip, and raises nothing else."""
    assert refusal(links.make(NOW)[1], code) == "code_mistyped"


def test_a_link_is_no_code() -> None:
    """The same bytes for another purpose have another hash."""
    text, _ = codes.make(NOW, DeviceId("hh-1"), by="WM1")
    assert codes.digest(text) != onetime.digest("administrator link", text.encode())

"""The administrator's link of the first start: once, for a day, and kept as a hash."""

import pytest

from schemas.ids import Millis
from server.federation import codes, links, onetime
from server.federation.links import LIFETIME_MS
from server.federation.refusals import RefusedError

NOW = Millis(1_767_225_600_000)


def test_a_link_is_taken_for_a_day() -> None:
    """Where nothing else is said."""
    assert links.make(NOW)[1].expires_at == NOW + LIFETIME_MS
    assert links.make(NOW, lifetime_ms=1)[1].expires_at == NOW + 1


def test_the_secret_is_in_the_fragment_and_not_in_what_is_kept() -> None:
    """256 bits that a browser sends to nobody and that the database does not hold."""
    code, record = links.make(NOW, random=lambda count: bytes(range(count)))
    assert code == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    page = "https://beatbook.example/first"
    assert links.address(page, code) == f"{page}#{code}"
    assert code not in repr(record)
    assert links.make(NOW)[0] != links.make(NOW)[0]


def test_a_guess_is_another_secret() -> None:
    """Whatever has the form of a secret and is not it is known as another one, to the case of a letter."""
    code, record = links.make(NOW)
    assert links.digest(code) == record.digest
    assert record.digest not in {links.digest(guess) for guess in (code[::-1], code.swapcase(), "A" * 43)}


@pytest.mark.parametrize("code", ["", "A" * 42, "A" * 44, "A" * 43 + "\n", "é" * 43, "A" * 42 + "="])
def test_what_is_no_secret_of_a_link_is_refused(code: str) -> None:
    """Another form is a slip, and raises nothing else."""
    with pytest.raises(RefusedError) as caught:
        links.digest(code)
    assert caught.value.spec.code == "code_mistyped"


def test_a_link_is_no_code() -> None:
    """The same bytes for another purpose have another hash."""
    text, _ = codes.make(NOW)
    assert codes.digest(text) != onetime.digest("administrator link", text.encode())

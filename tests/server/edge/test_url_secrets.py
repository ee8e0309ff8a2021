"""What opens a door must not stand in an address, however it is written there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.url_secrets import PARAMETERS, refusal

KNOWN = "pZ8-vXoT_kq1mN4rS7uW0yB3dF6gH9jL2aC5eE8iI1o"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJXTTIxODc3In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "url",
    [
        "/v1/sync?token=x", "/v1/sync?TOKEN=x", "/v1/sync?a=1&access_token=", "/v1/sync?a=1;token=x", "/v1/sync?token",
        "/v1/sync?%74oken=x", "/v1/sync?%2574oken=x", "/x?+token=1",
        f"/v1/records/{KNOWN}", f"/v1/records?after={KNOWN}", f"/{KNOWN}/x", f"/x?y=a%3d{KNOWN}",
        f"/x?z=Bearer%20{KNOWN}", f"/x?z={KNOWN.replace('Z', '%5A')}",
        f"/x?next={JWT}", f"/auth/{JWT}", f"/x?next={JWT.replace('.', '%2E')}", "/x?passphrase=correct+horse",
        "/x?pin=123456",
    ],
)  # fmt: skip
def test_a_secret_in_an_address_is_found(url: str) -> None:
    """By the parameter's name, by the form of a JSON Web Token, or because it is a token of this server."""
    path, _, query = url.partition("?")
    found = refusal(path.encode(), query.encode(), [KNOWN])
    assert found is not None
    assert found.status == 400
    assert KNOWN.encode() not in found.body()


@pytest.mark.parametrize(
    "url",
    [
        "/", "/v1/records?kind=incident&limit=500&after=01890000-0000-7000-8000-000000000001", "/v1/sync",
        "/openapi.json",
        "/v1/oidc/callback?code=4%2FP7q7W91a-oMsCeLvIaQm6bTrgtp7&state=af0ifjsldkj", "/v1/records?q=token",
        "/v1/devices/hh-0042/grants", f"/x/{KNOWN[:-1]}", f"/x/a{KNOWN}", "/pinned?tokens=5", "/x?eyJ=1",
    ],
)  # fmt: skip
def test_what_is_no_secret_passes(url: str) -> None:
    """Ids, cursors, words about tokens, and the single-use code of a sign-in elsewhere."""
    path, _, query = url.partition("?")
    assert refusal(path.encode(), query.encode(), [KNOWN]) is None


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_address_breaks_the_search(path: bytes, query: bytes) -> None:
    """Bytes of any kind are looked through without a fault."""
    refusal(path, query, [KNOWN])


@given(st.sampled_from(sorted(PARAMETERS)), st.integers(0, 2))
def test_layers_of_percent_signs_hide_no_name(name: str, layers: int) -> None:
    """A proxy may have encoded once more; nothing passes by it."""
    shown = "".join(f"%{ord(letter):02x}" for letter in name)
    for _ in range(layers):
        shown = shown.replace("%", "%25")
    assert refusal(b"/", shown.encode() + b"=x", []) is not None

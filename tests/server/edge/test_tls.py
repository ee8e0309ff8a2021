"""TLS by the server itself: 1.3 and nothing before it, for the right name, renewed while connections go on."""

import os
import ssl
from pathlib import Path

import pytest

from schemas.errors import StoreError
from server.edge.tls import Tls
from tests.server.edge.served import Authority, served


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that has issued a certificate for this server."""
    found = Authority(tmp_path)
    found.issue("localhost")
    return found


async def test_only_tls_1_3_is_spoken(authority: Authority) -> None:
    """A client that offers 1.2 at most is refused; one that can do more gets 1.3 and HTTP/1.1 inside."""
    old = authority.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new = authority.client()
    new.set_alpn_protocols(["h2", "http/1.1"])
    async with served(tls=Tls(authority.certificate_file, authority.key_file)) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.call(tls=old)
        caller = await server.call(tls=new)
        inside = caller.writer.get_extra_info("ssl_object")
        assert (inside.version(), inside.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        assert (await caller.ask()).status == 200
        assert server.app.scopes[0]["scheme"] == "https"


async def test_clear_text_on_a_tls_port_is_refused(authority: Authority) -> None:
    """Nothing of a request in clear is read as one."""
    async with served(tls=Tls(authority.certificate_file, authority.key_file)) as server:
        caller = await server.call()
        await caller.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in await caller.ended()
        assert server.app.scopes == []


async def test_a_certificate_for_another_name_is_refused_by_the_client(authority: Authority) -> None:
    """And so is one of an authority that the client does not know."""
    authority.issue("elsewhere.example")
    async with served(tls=Tls(authority.certificate_file, authority.key_file)) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await server.call(tls=authority.client())
        with pytest.raises(ssl.SSLCertVerificationError):
            await server.call(tls=ssl.create_default_context())


def serial(caller_ssl: ssl.SSLObject) -> object:
    """Which certificate the server showed."""
    return (caller_ssl.getpeercert() or {})["serialNumber"]


async def test_a_renewal_reaches_who_connects_next_and_disturbs_nobody(authority: Authority) -> None:
    """The connection of before goes on; the next one sees the new certificate."""
    tls = Tls(authority.certificate_file, authority.key_file)
    async with served(tls=tls) as server:
        before = await server.call(tls=authority.client())
        first = serial(before.writer.get_extra_info("ssl_object"))
        authority.issue("localhost")
        tls.reload()
        after = await server.call(tls=authority.client())
        assert serial(after.writer.get_extra_info("ssl_object")) != first
        assert (await before.ask()).status == 200
        assert (await after.ask()).status == 200


async def test_a_renewal_that_fails_changes_nothing(authority: Authority) -> None:
    """The certificate in use stays in use; the error says what is wrong."""
    tls = Tls(authority.certificate_file, authority.key_file)
    authority.key_file.write_text("no key")
    with pytest.raises(StoreError, match="cannot be used for TLS"):
        tls.reload()
    async with served(tls=tls) as server:
        assert (await (await server.call(tls=authority.client())).ask()).status == 200


def test_files_that_cannot_be_used_are_told_by_name(authority: Authority, tmp_path: Path) -> None:
    """An open key, a missing one, one of another certificate, an encrypted one: never a question at a terminal."""
    other = Authority(tmp_path)
    key, certificate = authority.key_file, authority.certificate_file
    good = certificate.read_bytes()
    key.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        Tls(certificate, key)
    key.chmod(0o600)
    certificate.write_bytes(other.ca_file.read_bytes())
    with pytest.raises(StoreError, match="key values mismatch"):
        Tls(certificate, key)
    certificate.write_bytes(b"")
    with pytest.raises(StoreError, match=r"certificate\.pem"):
        Tls(certificate, key)
    certificate.write_bytes(good)
    key.write_bytes(
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + b"MIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQww\n"
        b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(StoreError, match="unencrypted"):
        Tls(certificate, key)
    key.unlink()
    with pytest.raises(StoreError, match=r"key\.pem"):
        Tls(certificate, key)
    os.mkfifo(key)
    with pytest.raises(StoreError, match="no file"):
        Tls(certificate, key)

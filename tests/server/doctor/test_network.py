"""`server.doctor.network`: each trouble of port, certificate and witnesses, planted."""

import datetime as dt
import os
import socket
from pathlib import Path

import pytest
import trustme

from server.configuration_sections import Listen, TlsFiles, Witnesses
from server.doctor import network
from server.doctor.report import Level
from server.observing.settings import MetricsSettings
from sync.evidence.note import KeyType, VerifierKey
from tests.server.doctor.patients import NOW, levels, patient, served, words

TODAY = dt.datetime.fromtimestamp(NOW / 1_000, dt.UTC)


def issued(folder: Path, *names: str, days: float = 300, chain: bool = False) -> TlsFiles:
    """A certificate that ends in so many days, and its key."""
    root = trustme.CA()
    authority = root.create_child_ca() if chain else root
    one = authority.issue_cert(
        *names, not_before=TODAY - dt.timedelta(days=400), not_after=TODAY + dt.timedelta(days=days)
    )
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in one.cert_chain_pems))
    (folder / "key.pem").write_bytes(one.private_key_pem.bytes())
    (folder / "key.pem").chmod(0o600)
    return TlsFiles(certificate_file=folder / "cert.pem", key_file=folder / "key.pem")


def test_a_port_that_somebody_else_has_is_told(tmp_path: Path) -> None:
    """One that is free is fine, and so is one that this folder's own server holds."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Listen(port=other.getsockname()[1])
        assert "Address already in use" in words(network.port, patient(tmp_path, listen=taken), Level.TROUBLE)
        with served(tmp_path, os.getpid()):
            assert levels(network.port, patient(tmp_path, listen=taken)) == [Level.FINE]
        # What a killed server left there, whose number another process has by now.
        assert levels(network.port, patient(tmp_path, listen=taken)) == [Level.TROUBLE]
    assert levels(network.port, patient(tmp_path, listen=taken)) == [Level.FINE]


def test_the_metrics_port_is_looked_at_as_well(tmp_path: Path) -> None:
    """Whether it is free, and that nobody but the machine itself reaches it unasked."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = MetricsSettings(port=other.getsockname()[1])
        assert levels(network.port, patient(tmp_path, metrics=taken)) == [Level.FINE, Level.TROUBLE]
        assert "[metrics]" in words(network.port, patient(tmp_path, metrics=taken), Level.TROUBLE)
    open_to_all = MetricsSettings(host="0.0.0.0", port=0)  # noqa: S104  to tell it
    assert "neither TLS nor sign-in" in words(network.port, patient(tmp_path, metrics=open_to_all), Level.WARNING)


@pytest.mark.parametrize(("days", "level"), [(60, Level.FINE), (13, Level.WARNING), (-1, Level.TROUBLE)])
def test_the_end_of_a_certificate_is_told(tmp_path: Path, days: float, level: Level) -> None:
    """Two weeks before, and once it is over."""
    tls = issued(tmp_path / "tls", "beatbook.example", days=days)
    assert levels(network.certificate, patient(tmp_path, tls=tls)) == [level]


def test_a_certificate_for_another_name_is_told(tmp_path: Path) -> None:
    """Every name that devices call; a wildcard covers one label."""
    tls = issued(tmp_path / "tls", "beatbook.example", "*.force.example")
    listen = Listen(port=0, hosts=("beatbook.example", "sync.force.example"))
    assert levels(network.certificate, patient(tmp_path, tls=tls, listen=listen)) == [Level.FINE]
    listen = Listen(port=0, hosts=("a.b.force.example", "other.example"))
    said = words(network.certificate, patient(tmp_path, tls=tls, listen=listen), Level.TROUBLE)
    assert "is not for a.b.force.example" in said
    assert "is not for other.example" in said


def test_a_chain_that_is_none_is_told(tmp_path: Path) -> None:
    """Each certificate was issued by the one behind it."""
    tls = issued(tmp_path / "tls", "beatbook.example", chain=True)
    assert tls.certificate_file is not None
    assert Level.TROUBLE not in levels(network.certificate, patient(tmp_path, tls=tls))
    stranger = issued(tmp_path / "other", "other.example").certificate_file
    assert stranger is not None
    first = tls.certificate_file.read_bytes().partition(b"-----END CERTIFICATE-----\n")
    tls.certificate_file.write_bytes(first[0] + first[1] + stranger.read_bytes())
    assert "was not issued by the one behind it" in words(
        network.certificate, patient(tmp_path, tls=tls), Level.TROUBLE
    )


def test_files_that_are_no_certificate_are_told(tmp_path: Path) -> None:
    """Another key, a key that others read, and no file at all."""
    tls = issued(tmp_path / "tls", "beatbook.example")
    assert tls.key_file is not None
    tls.key_file.chmod(0o644)
    assert "chmod 600" in words(network.certificate, patient(tmp_path, tls=tls), Level.TROUBLE)
    tls.key_file.unlink()
    assert "cannot be read" in words(network.certificate, patient(tmp_path, tls=tls), Level.TROUBLE)
    issued(tmp_path / "tls", "beatbook.example")
    other = issued(tmp_path / "other", "beatbook.example")
    mixed = TlsFiles(certificate_file=tls.certificate_file, key_file=other.key_file)
    assert "cannot be used for TLS" in words(network.certificate, patient(tmp_path, tls=mixed), Level.TROUBLE)
    assert levels(network.certificate, patient(tmp_path)) == [Level.FINE]


def test_a_witness_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    """A warning: what it would have cosigned goes without; where none is configured nothing is said."""
    key = VerifierKey("witness.example", KeyType.COSIGNATURE_V1, bytes(range(32)))
    assert levels(network.witnesses, patient(tmp_path)) == []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        asked = Witnesses(ask=(f"http://127.0.0.1:{server.getsockname()[1]} {key}",))
        assert levels(network.witnesses, patient(tmp_path, witnesses=asked)) == [Level.FINE]
    assert "cannot be reached" in words(network.witnesses, patient(tmp_path, witnesses=asked), Level.WARNING)

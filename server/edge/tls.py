"""TLS: the certificate and its key, and how they are renewed while the server runs.

Only TLS 1.3 (RFC 8446) is spoken: every client is ours or a current browser, and what came before has modes that a
mistake can choose. A renewal makes a new context; connections keep the one they began with.
"""

import ssl
from pathlib import Path

from schemas.errors import StoreError
from server.secret_files import check_private

ALPN = ("http/1.1",)
"""What is spoken inside (RFC 7301): the WebSocket handshake is HTTP/1.1."""


class Tls:
    """The TLS side of a listening server."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        """Load both.

        Args:
            certificate_file: PEM: the server's certificate, then those of the intermediate authorities.
            key_file: PEM: its private key, not encrypted, readable by its owner only.

        Raises:
            StoreError: as `load` does.
        """
        self._certificate_file = certificate_file
        self._key_file = key_file
        self.context = self.load()

    def load(self) -> ssl.SSLContext:
        """Read the files into a new context.

        Raises:
            StoreError: a file cannot be read, others can read the key, or the two do not belong together.
        """
        check_private(self._key_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(list(ALPN))
        both = f"{self._certificate_file} and {self._key_file}"
        try:
            # The empty password keeps OpenSSL from asking at a terminal for that of an encrypted key.
            context.load_cert_chain(self._certificate_file, self._key_file, password="")
        except ssl.SSLError as error:
            reason = (error.reason or "not PEM").replace("_", " ").lower()
            raise StoreError(
                f"{both}: cannot be used for TLS ({reason}); give a PEM certificate chain and its unencrypted key"
            ) from None
        except OSError as error:
            raise StoreError(f"{both}: cannot be read ({error.strerror}); check paths and permissions") from None
        return context

    def reload(self) -> None:
        """Use the files as they are now for every connection that begins from here on.

        Raises:
            StoreError: as `load` does; what was in use stays in use.
        """
        self.context = self.load()

"""What a server is told about how it is watched: sections of its configuration."""

import socket
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from schemas.errors import StoreError
from server.edge.listening import listen
from server.observing.logs import LogFormat
from server.observing.tracing import Tracing

BACKLOG: Final = 16


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which form the log is written, on standard error."""

    format: Annotated[LogFormat, Meta(description="Lines of text, or one JSON object on each line.")] = "text"
    personal: Annotated[bool, Meta(description="Write collar numbers, devices' names and what foreign exceptions say "
                                   "as they are. Otherwise each name is a short hash, the same in every "
                                   "line.")] = False  # fmt: skip


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A port of its own for Prometheus: `/metrics`, `/healthz`, `/readyz`. No TLS and no sign-in: keep it inside."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port; 0 takes a free one.")] = 9_464

    def listen(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            StoreError: the address is taken, or is none of this machine.
        """
        try:
            return listen(self.host, self.port, BACKLOG)
        except StoreError as error:
            raise StoreError(f"metrics: {error}") from None


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Spans of pushes and HTTP requests, sent by OTLP over HTTP. They need the extra `otel`."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://\S+$", description="Where spans are sent, as in "
                        "`https://collector.example/v1/traces`.")] = "http://127.0.0.1:4318/v1/traces"  # fmt: skip
    share: Annotated[float, Meta(ge=0, le=1, description="Which part of pushes and requests is traced.",
                     extra={"unit": "of 1"})] = 0.1  # fmt: skip

    def begin(self) -> Tracing:
        """Begin to trace.

        Raises:
            UsageError: the extra is not installed.
        """
        return Tracing.to(self.endpoint, self.share)

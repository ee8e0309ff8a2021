"""Spans of pushes and HTTP requests, where `[tracing]` is configured: how one of them spent its time.

OpenTelemetry is an extra (`otel`) and is imported here only, when tracing begins. Whether one is traced is drawn before
anything is made of it, so what is not traced costs a random number. Spans are made when the work is done, from times
that were taken anyway. They bear the ids of `server.observing.correlation` and counts, and nothing of whom or of what.
"""

import importlib.metadata
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from schemas.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_S_MAX: Final = 5.0
"""How long one call of the collector may take."""
_NS: Final = 1_000_000_000


class Pushed(msgspec.Struct, frozen=True):
    """One submission on its way; moments by `perf_counter`.

    Attributes:
        by: for which connection or request.
        arrived: when its frame came; None for what the server itself, or a request, had committed.
        checked, gathered, answered, told: when it was handed in, its group was made, the writer had answered, and its
            results had been told.
        ops: how many ops it had.
    """

    by: str
    arrived: float | None
    checked: float
    gathered: float
    answered: float
    told: float
    ops: int


class Requested(msgspec.Struct, frozen=True):
    """One HTTP request; moments by `perf_counter`. `route` is its path without values, "" for none of ours."""

    by: str
    method: str
    route: str
    status: int
    began: float
    ended: float


class Spans(Protocol):
    """Who makes spans."""

    def chosen(self) -> bool:
        """Whether the next thing is traced."""

    def pushed(self, push: Pushed) -> None:
        """A submission was answered."""

    def requested(self, request: Requested) -> None:
        """An HTTP request was answered."""


class Tracing:
    """`Spans`, made with OpenTelemetry."""

    def __init__(self, provider: "TracerProvider", share: float, chance: Callable[[], float] = random.random) -> None:
        """Bind it. OpenTelemetry is there: the provider is made with it.

        Args:
            provider: makes and exports.
            share: which part is traced, 0 to 1.
            chance: random numbers in [0, 1).
        """
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        self._provider = provider
        self._nothing_around = Context()
        self._inside = set_span_in_context
        self._tracer = provider.get_tracer("beatbook")
        self._share = share
        self._chance = chance
        # Spans want nanoseconds since 1970, and everything here was measured by a clock that begins anywhere.
        self._epoch_ns = time.time_ns() - time.perf_counter_ns()

    @classmethod
    def to(cls, endpoint: str, share: float) -> "Tracing":
        """Spans that are sent to a collector, by OTLP over HTTP, from a thread beside the loop.

        Raises:
            UsageError: the extra is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError:
            raise UsageError(
                "tracing: OpenTelemetry is not installed; install Beatbook with its extra `otel` "
                "(pip install 'beatbook[otel]'), or take the section [tracing] out of the configuration"
            ) from None
        about = {"service.name": "beatbook", "service.version": importlib.metadata.version("beatbook")}
        provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S_MAX)))
        return cls(provider, share)

    def close(self) -> None:
        """Send what is left, and end; this waits for the collector."""
        self._provider.shutdown()

    def chosen(self) -> bool:
        """See `Spans`."""
        return self._chance() < self._share

    def pushed(self, push: Pushed) -> None:
        """See `Spans`: `push`, or `write` for what no device pushed, with `check`, `wait`, `commit` and `ack` in it."""
        moments = [push.checked, push.gathered, push.answered, push.told]
        stages = ["wait", "commit", "ack"]
        if push.arrived is not None:
            moments.insert(0, push.arrived)
            stages.insert(0, "check")
        name = "write" if push.arrived is None else "push"
        about: dict[str, str | int] = {"beatbook.id": push.by, "beatbook.ops": push.ops}
        whole = self._tracer.start_span(
            name, context=self._nothing_around, attributes=about, start_time=self._ns(moments[0])
        )
        inside = self._inside(whole, self._nothing_around)
        for stage, begin, end in zip(stages, moments, moments[1:], strict=False):
            self._tracer.start_span(stage, context=inside, start_time=self._ns(begin)).end(self._ns(end))
        whole.end(self._ns(push.told))

    def requested(self, request: Requested) -> None:
        """See `Spans`. Its path may hold the id of a record, so the route's stands for it."""
        about: dict[str, str | int] = {
            "http.request.method": request.method,
            "http.response.status_code": request.status,
            "beatbook.id": request.by,
        }
        if request.route:
            about["http.route"] = request.route
        name = f"{request.method} {request.route}".rstrip()
        began = self._ns(request.began)
        self._tracer.start_span(name, context=self._nothing_around, attributes=about, start_time=began).end(
            self._ns(request.ended)
        )

    def _ns(self, moment: float) -> int:
        return self._epoch_ns + int(moment * _NS)

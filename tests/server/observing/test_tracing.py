"""Spans tell how a push and a request spent their time, and nothing of whom; without `[tracing]` nothing is loaded."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schemas import wire
from schemas.codec import encode
from schemas.errors import UsageError
from server.observing.settings import TracingSettings
from server.observing.tracing import Pushed, Tracing
from tests.server.hostile import op_of
from tests.server.pushes import signed_push
from tests.server.running import Running

CHANCES = (0.0, 0.2, 0.3, 0.9)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keeps the spans that are made."""
    return InMemorySpanExporter()


@pytest.fixture
async def tracing(exporter: InMemorySpanExporter) -> AsyncIterator[Tracing]:
    """Traces all there is."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider, 1.0)
    yield tracing
    await asyncio.to_thread(tracing.close)


def about(span: ReadableSpan) -> dict[str, object]:
    """Its attributes."""
    return dict(span.attributes or {})


async def test_a_push_and_a_request_are_traced(
    server: Running, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    """Each stage follows the one before, all inside the whole; no name, path or value is in any span."""
    server.beatbook.measures.spans = tracing
    server.enrol("hh-0417", "area:birmingham", "force")
    raw = await server.live("hh-0417")
    await raw.send_message(signed_push(server.key("hh-0417"), encode(op_of("hh-0417", 1))))
    assert (await raw.until(wire.Results)).results[0].status == "durable"
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        answer = await http.get("/livez")
        assert (await http.get("/v1/records/hh-0417")).status_code in {401, 404}
    spans = exporter.get_finished_spans()
    (push,) = (span for span in spans if span.name == "push")
    inside = [span for span in spans if span.parent is not None and span.parent.span_id == push.context.span_id]
    assert [span.name for span in inside] == ["check", "wait", "commit", "ack"]
    moments = [push.start_time, *(span.end_time for span in inside)]
    assert moments == sorted(moments, key=lambda at: at or 0)
    assert [span.start_time for span in inside] == moments[:-1]
    assert moments[-1] == push.end_time
    assert about(push)["beatbook.ops"] == 1
    (request,) = (span for span in spans if span.name == "GET /livez")
    assert about(request) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/livez",
        "beatbook.id": answer.headers["x-request-id"],
    }
    assert "GET /v1/records/{record}" in {span.name for span in spans}
    assert "hh-0417" not in "".join(span.to_json() for span in spans)
    assert "birmingham" not in "".join(span.to_json() for span in spans)


async def test_only_a_share_is_traced(exporter: InMemorySpanExporter) -> None:
    """A draw decides before anything is made; a share of nothing traces nothing."""
    provider = TracerProvider(shutdown_on_exit=False)
    some = Tracing(provider, 0.25, iter(CHANCES).__next__)
    assert [some.chosen() for _ in CHANCES] == [True, True, False, False]
    none = Tracing(provider, 0.0, iter(CHANCES).__next__)
    assert not any(none.chosen() for _ in CHANCES)
    await asyncio.to_thread(provider.shutdown)


async def test_what_no_device_pushed_is_a_write(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    """What the server itself has committed came in no frame, so nothing of it was checked."""
    tracing.pushed(Pushed("", None, 1.0, 2.0, 3.0, 4.0, 0))
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["wait", "commit", "ack", "write"]
    assert (spans[-1].end_time or 0) - (spans[-1].start_time or 0) == 3_000_000_000


def test_without_the_extra_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, which names the section and the extra."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(UsageError, match=r"^tracing: .*extra `otel`"):
        TracingSettings().begin()


def test_a_server_without_tracing_loads_nothing_of_it() -> None:
    """The extra may be absent: importing all that serves must not ask for it."""
    code = "import sys, server.cli.serve; print(sum(name.startswith('opentelemetry') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"

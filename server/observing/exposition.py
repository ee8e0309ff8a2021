"""The figures as Prometheus reads them, in its text format or in OpenMetrics, whichever the scraper asks for."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from server.observing import declared
from server.observing.counting import Histogram
from server.observing.declared import METRICS, Watched

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class _Reading(Collector):
    """Reads every declared metric of a server once."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        for metric in METRICS:
            family = _family(metric)
            for labels, value in metric.read(self._watched):
                _add(family, labels, value)
            yield family


def _family(metric: declared.Metric) -> _Family:
    match metric.kind:
        case "counter":
            return CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case "gauge":
            return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case "histogram":
            return HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        case "info":
            return InfoMetricFamily(metric.name, metric.meaning, labels=metric.labels)


def _add(family: _Family, labels: tuple[str, ...], value: float | Histogram | Mapping[str, str]) -> None:
    if isinstance(family, HistogramMetricFamily) and isinstance(value, Histogram):
        family.add_metric(labels, buckets=value.buckets(), sum_value=value.total)
    elif isinstance(family, InfoMetricFamily) and isinstance(value, Mapping):
        family.add_metric(labels, dict(value))
    elif isinstance(family, CounterMetricFamily | GaugeMetricFamily) and isinstance(value, float | int):
        family.add_metric(labels, value)
    else:
        raise TypeError(f"{family.name}: {type(value).__name__} is no value of a {family.type}")


def exposed(watched: Watched, accept: str) -> tuple[bytes, str]:
    """All figures of a server.

    Args:
        watched: the server.
        accept: the scraper's Accept header.

    Returns:
        (the page, its Content-Type).
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(watched))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type

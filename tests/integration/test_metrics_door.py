"""What a scraper and a collector get of the readings of a process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from mainspring_kernel.limits import SCRAPE_HEAD_BYTES_MAX
from mainspring_kernel.tally import Spread
from mainspring_runtime import names
from mainspring_runtime.lifecycle import Service
from mainspring_runtime.readings import Reading
from mainspring_runtime.settings import Bind, ProcessSettings
from mainspring_runtime.telemetry import open_telemetry
from mainspring_runtime.watching import MetricsDoor, open_metrics
from tests.integration.collector import Collector, collecting
from tests.scraping import scrape

SETTINGS = ProcessSettings(metrics_bind=Bind("127.0.0.1", 0))


def readings() -> Iterator[Reading]:
    spread = Spread((0.1, 1.0))
    for value in (0.05, 0.5, 5.0):
        spread.note(value)
    yield Reading(names.QUEUE_TASKS, 7, {names.QUEUE: "default", names.TASK_STATE: "ready"})
    yield Reading(names.LEASES_EXPIRED, 3)
    yield Reading(names.TASK_WAIT, spread, {names.QUEUE: "default"})


def broken() -> Iterator[Reading]:
    raise ZeroDivisionError


@contextmanager
def taken() -> Generator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def exported(collector: Collector) -> dict[str, Metric]:
    """What a process sends when it closes."""
    telemetry = open_telemetry("test", ProcessSettings(otlp_endpoint=collector.endpoint))
    telemetry.metrics.watch(readings)
    telemetry.close()
    (body,) = collector.posted["/v1/metrics"]
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service("test", open_telemetry("test", SETTINGS))
    yield made
    await made.close()
    made.telemetry.close()


async def door_of(service: Service) -> MetricsDoor:
    door = await open_metrics(service, SETTINGS)
    assert door is not None
    return door


async def test_a_scraper_reads_gauges_counters_and_distributions(service: Service) -> None:
    service.telemetry.metrics.watch(readings)
    door = await door_of(service)

    found = await scrape(door.port)

    labels = {"mainspring_queue_name": "default"}
    assert found.value("mainspring_queue_tasks", mainspring_task_state="ready", **labels) == 7
    assert found.value("mainspring_lease_expired_total") == 3
    wait = "mainspring_task_schedule_to_start_seconds"
    assert found.value(f"{wait}_bucket", le="0.1", **labels) == 1
    assert found.value(f"{wait}_bucket", le="1.0", **labels) == 2
    assert found.value(f"{wait}_count", **labels) == 3
    assert found.value(f"{wait}_sum", **labels) == 5.55
    assert found.value("process_uptime_seconds") >= 0


async def test_the_lag_of_the_loop_is_told(service: Service) -> None:
    door = await door_of(service)

    found = await scrape(door.port)

    assert "mainspring_loop_lag_seconds" in found.names


async def test_what_the_sdk_records_stands_beside_it(service: Service) -> None:
    service.telemetry.metrics.record(names.TOOL_DURATION, 0.5, {names.TOOL_NAME: "bash"})
    door = await door_of(service)

    found = await scrape(door.port)

    assert found.value("gen_ai_execute_tool_duration_seconds_count", gen_ai_tool_name="bash") == 1


async def test_a_source_that_fails_hides_nothing_of_the_others(service: Service) -> None:
    service.telemetry.metrics.watch(broken)
    service.telemetry.metrics.watch(readings)
    door = await door_of(service)

    found = await scrape(door.port)

    assert found.value("mainspring_lease_expired_total") == 3


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
        (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 404"),
        (b"G" * (SCRAPE_HEAD_BYTES_MAX + 1) + b"\r\n\r\n", b""),
        (b"GET /metr", b""),
    ],
)
async def test_the_door_answers_a_scraper_and_nobody_else(
    service: Service, head: bytes, status: bytes
) -> None:
    door = await door_of(service)

    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head)
    writer.write_eof()
    answer = await reader.read()
    writer.close()

    assert answer[:12] == status


async def test_a_taken_port_is_told_at_the_start(service: Service) -> None:
    with taken() as port, pytest.raises(OSError, match="in use"):
        await open_metrics(service, ProcessSettings(metrics_bind=Bind("127.0.0.1", port)))


async def test_nobody_listens_where_nothing_is_set() -> None:
    service = Service("test", open_telemetry("test", ProcessSettings()))

    assert await open_metrics(service, ProcessSettings()) is None
    assert not service.telemetry.metrics.collected
    await service.close()


def test_a_collector_gets_the_same_readings() -> None:
    with collecting() as collector:
        found = exported(collector)

    assert found["mainspring.queue.tasks"].gauge.data_points[0].as_int == 7
    assert found["mainspring.lease.expired"].sum.is_monotonic
    point = found["mainspring.task.schedule_to_start"].histogram.data_points[0]
    assert list(point.bucket_counts) == [1, 1, 1]
    assert not point.HasField("min")

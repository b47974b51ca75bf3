"""Wiring by hand: what an event store consists of, and how it starts and drains."""

import os
from collections.abc import Sequence
from typing import Final

from mainspring_eventstore.adapters.grpc_eventstore import EventStoreServicer
from mainspring_eventstore.adapters.postgres import PostgresStore
from mainspring_eventstore.adapters.publisher import BusPublisher
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_messaging import NatsBus
from mainspring_postgres import Database, Options
from mainspring_rpc import event_store_service, serve
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.settings import Bind, ProcessSettings

NAME = "eventstore"
_CONNECTIONS_MAX: Final = 4
"""An append and reads of history; two cores read no faster with more."""


class EventStoreSettings(ProcessSettings, frozen=True, kw_only=True):
    database_url: str
    nats_url: str
    eventstore_bind: Bind = Bind("127.0.0.1", 9003)


async def start(settings: EventStoreSettings, service: Service) -> None:
    """The closers run backwards: the door first, then the lanes, the pool last."""
    stack = service.stack
    options = Options(
        url=settings.database_url,
        application_name=f"mainspring-{NAME}",
        connections_max=_CONNECTIONS_MAX,
    )
    database = await Database.open(options, migrated=True)
    stack.push_async_callback(database.close)
    bus = NatsBus(settings.nats_url, name=f"mainspring-{NAME}")
    stack.push_async_callback(bus.close)
    await bus.start()
    eventstore = await EventStore.open(PostgresStore(database), BusPublisher(bus))
    stack.push_async_callback(eventstore.drain)
    server = await serve(
        str(settings.eventstore_bind),
        [event_store_service(EventStoreServicer(eventstore, service.telemetry))],
    )
    stack.push_async_callback(server.stop)
    server.set_serving(serving=True)


def main(words: Sequence[str] = ()) -> int:
    return run_service(NAME, EventStoreSettings, start, os.environ, words)

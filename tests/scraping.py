"""What a Prometheus would read of a process."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


class Scraped:
    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[Series, float] = {}
        self.names: set[str] = set()
        for family in text_string_to_metric_families(text):
            self.names.add(family.name)
            for sample in family.samples:
                self._values[sample.name, frozenset(sample.labels.items())] = sample.value

    def value(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def total(self, name: str) -> float:
        """Of all its series; 0 where it has none."""
        return sum(value for (known, _), value in self._values.items() if known == name)


async def scrape(port: int) -> Scraped:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200"), head
    return Scraped(body.decode())

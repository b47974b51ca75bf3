"""Connection, wake-ups and fan-out; the only importer of nats."""

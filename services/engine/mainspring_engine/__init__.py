"""Durable state machines, tasks, leases and effects: ControlService and WorkerService on 9001."""

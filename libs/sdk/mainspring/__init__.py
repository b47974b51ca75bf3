"""Durable workflows in plain async Python: `@workflow`, `@step`, `@tool`, `Worker`, `Client`.

A workflow goes on after any crash and ends exactly once; a step that has finished is never called
again. A tool is a function that agents' models call.
"""

from mainspring.belonging import StepInfo
from mainspring.children import Child, child, run_child, start_detached
from mainspring.client import Client
from mainspring.declaring import (
    do,
    do_child,
    do_detached,
    do_sleep,
    do_wait_for_signal,
    parallel,
    sequence,
)
from mainspring.definitions import Call, Step, Workflow, step
from mainspring.descriptions import Description, Page
from mainspring.errors import (
    ApiError,
    AttemptOver,
    GiveUp,
    HeartbeatTimedOut,
    NotDone,
    NotInStep,
    NotInWorkflow,
    RetryAfter,
    StepFailed,
    TaskFailed,
    ToolError,
    Unserializable,
    WaitTimedOut,
    WorkflowFailed,
)
from mainspring.fleet import Fleet
from mainspring.handles import Handle, Starting
from mainspring.heartbeats import heartbeat, heartbeat_details
from mainspring.here import step_info
from mainspring.images import Image
from mainspring.queries import on_query
from mainspring.retries import NO_RETRY, Retry
from mainspring.tasks import Submitting, TaskDescription, TaskHandle
from mainspring.tools import Tool, ToolContext, tool
from mainspring.waiting import report, sleep, start_over, wait_for_signal
from mainspring.worker import Worker
from mainspring.workflows import workflow
from mainspring_schema.agents import InitialFile
from mainspring_schema.hooks import Hook
from mainspring_schema.toolsets import Brings

__all__ = [
    "NO_RETRY",
    "ApiError",
    "AttemptOver",
    "Brings",
    "Call",
    "Child",
    "Client",
    "Description",
    "Fleet",
    "GiveUp",
    "Handle",
    "HeartbeatTimedOut",
    "Hook",
    "Image",
    "InitialFile",
    "NotDone",
    "NotInStep",
    "NotInWorkflow",
    "Page",
    "Retry",
    "RetryAfter",
    "Starting",
    "Step",
    "StepFailed",
    "StepInfo",
    "Submitting",
    "TaskDescription",
    "TaskFailed",
    "TaskHandle",
    "Tool",
    "ToolContext",
    "ToolError",
    "Unserializable",
    "WaitTimedOut",
    "Worker",
    "Workflow",
    "WorkflowFailed",
    "child",
    "do",
    "do_child",
    "do_detached",
    "do_sleep",
    "do_wait_for_signal",
    "heartbeat",
    "heartbeat_details",
    "on_query",
    "parallel",
    "report",
    "run_child",
    "sequence",
    "sleep",
    "start_detached",
    "start_over",
    "step",
    "step_info",
    "tool",
    "wait_for_signal",
    "workflow",
]

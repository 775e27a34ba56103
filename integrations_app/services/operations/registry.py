"""Which operations there are: one line each."""

from __future__ import annotations

from integrations_app.services.operations.base import Operation
from integrations_app.services.operations.clone import Clone
from integrations_app.services.operations.connections import RegisterConnections, UnregisterConnection
from integrations_app.services.operations.create import Create
from integrations_app.services.operations.delete import Delete
from integrations_app.services.operations.edit import Edit
from integrations_app.services.operations.error_records import ResolveErrors, RetryErrors
from integrations_app.services.operations.flows import RunFlow, SwitchFlow
from integrations_app.services.operations.revision import TakeRevision
from integrations_app.services.operations.steps import InstallStep, UninstallStep

OPERATIONS: tuple[Operation, ...] = (
    Create(),
    Edit(),
    Clone(),
    Delete(),
    TakeRevision(),
    InstallStep(),
    UninstallStep(),
    SwitchFlow(),
    RunFlow(),
    RetryErrors(),
    ResolveErrors(),
    RegisterConnections(),
    UnregisterConnection(),
)

_BY_NAME = {operation.name: operation for operation in OPERATIONS}


def operation(name: str) -> Operation:
    """The operation of this name; raises KeyError for one that does not exist (any more)."""
    return _BY_NAME[name]

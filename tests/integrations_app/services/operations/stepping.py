"""An integration app half way through its installation, in the simulator and in the mirror, for tests of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.access.models import User
from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.services import integrations, listings, step_forms, vendor_writes
from integrations_app.services.step_forms import Step
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.operations.writing import work

NAME = "larkspur-celigo-sandbox"

CONNECTION = {
    "name": "Finance connection",
    "description": "Credentials for the ledger",
    "type": "connection",
    "sourceConnection": {"type": "http", "name": "Finance connection"},
    "completed": False,
}
FORM = {
    "name": "Choose warehouse",
    "type": "form",
    "completed": False,
    "form": {
        "fieldMap": {
            "warehouse": {
                "name": "warehouse",
                "type": "select",
                "label": "Warehouse",
                "required": True,
                "helpText": "Where orders go",
                "options": [{"items": [{"label": "East", "value": "EAST"}, {"label": "West", "value": "66d1f0"}]}],
            },
            "note": {"name": "note", "type": "textarea", "label": "Note"},
            "batch": {"name": "batch", "type": "number", "label": "Batch size", "defaultValue": 50},
            "live": {"name": "live", "type": "checkbox", "label": "Live at once"},
            "apiToken": {"name": "apiToken", "type": "text", "inputType": "password", "label": "API token"},
            "origin": {"name": "origin", "type": "hidden", "defaultValue": "app"},
        },
        "layout": {"fields": ["warehouse", "note", "batch", "live", "apiToken"]},
    },
}
URL = {"name": "Install the bundle", "type": "url", "installURL": "https://install.example/bundle", "completed": False}
STACK = {"name": "Stack", "type": "stack", "completed": False}
TEMPLATE = {"name": "Copy resources", "type": "template_zip", "templateZip": True, "completed": False}
HIDDEN = {"name": "Verify", "type": "hidden", "completed": False}
ALL_KINDS = (CONNECTION, FORM, URL, STACK, TEMPLATE, HIDDEN)
UNINSTALL = (
    {"name": "Export settings", "type": "form", "completed": False},
    {"name": "Remove the bundle", "type": "url", "uninstallURL": "https://install.example/remove", "completed": False},
)


def half_installed(
    simulator: SimulatorServer,
    account: VendorAccount,
    steps: Sequence[Mapping[str, Any]] = ALL_KINDS,
    uninstall: Sequence[Mapping[str, Any]] = UNINSTALL,
) -> Integration:
    """Make the account's first mirrored integration an app with these steps, and read it."""
    rows = Integration.objects.filter(vendor_account=account).select_related("tenant", "vendor_account__tenant")
    chosen = rows.order_by("name").first()
    assert chosen is not None
    world = simulator.world.account(NAME)
    assert world is not None
    number = simulator.world.items(simulator._vendors["celigo"], world).number_of(chosen.remote_id)
    assert number is not None
    fields = {
        "_connectorId": "66d1f000000000000000004d",
        "mode": "install",
        "installSteps": list(steps),
        "uninstallSteps": list(uninstall),
    }
    simulator.world.change_item(world, number, fields)
    integrations.refresh(chosen)
    return chosen


def steps_of(integration: Integration, kind: str = "install_steps") -> list[Step]:
    """The steps as a page has them: read anew from the vendor, redacted."""
    return step_forms.read(listings.items(listings.read(integration.vendor_account, integration, kind)))


def following(integration: Integration, kind: str = "install_steps") -> Step:
    step = step_forms.following(steps_of(integration, kind), uninstall=kind == "uninstall_steps")
    assert step is not None
    return step


def do(integration: Integration, by: User, given: Mapping[str, Any], *, step: Step | None = None) -> VendorWrite:
    """Do the next step (or another one that a form was drawn from) of installing, to its end."""
    step = step or following(integration)
    params = {"step": step.identity, "given": given}
    key = vendor_writes.new_key()
    return work(vendor_writes.request("install_step", by=by, integration=integration, params=params, key=key))

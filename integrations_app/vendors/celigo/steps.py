"""Installing and uninstalling, step by step.

Source: Celigo help, "Integration API endpoints"; bodies and answers as Celigo's web app sends and reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations_app.vendors.capabilities import RemoteItem
from integrations_app.vendors.celigo import items
from integrations_app.vendors.celigo.calls import LONG_SECONDS, Calls
from integrations_app.vendors.celigo.reading import is_masked
from integrations_app.vendors.errors import VendorError, VendorNotFoundError
from integrations_app.vendors.http import Answer
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents

INSTALL, UNINSTALL = "installSteps", "uninstallSteps"
# Yes, 201 for a GET: the vendor's page has it for installSteps.
STATUSES = (200, 201, 204)


class Steps(Calls):
    """SupportsSteps."""

    def submit_step(
        self, remote_id: str, answers: Mapping[str, Any], *, uninstall: bool
    ) -> tuple[RemoteItem, ...] | None:
        """Do the next step; returns all steps as they are then, None when uninstalling has removed the integration.

        Takes up to five minutes. Where the answer holds no steps (only warnings), they are read. Refuses to send a
        connection with Celigo's mask in it.
        Source: Celigo help: 200 for installSteps, 201 for uninstallSteps; Celigo's web app: an empty answer to the
        latter means that the integration is gone.
        """
        operation = "do an uninstall step" if uninstall else "do an install step"
        self._check_answers(operation, answers)
        answer = self._http.write(
            operation,
            "POST",
            ("integrations", remote_id, UNINSTALL if uninstall else INSTALL),
            document=dict(answers),
            expect=(200, 201, 204),
            seconds=LONG_SECONDS,
        )
        if uninstall and answer.document in (None, []):
            return None
        found = _steps_of(answer.document)
        return items.steps(found) if found is not None else self._read_after(operation, remote_id, answer, uninstall)

    def _check_answers(self, operation: str, answers: Mapping[str, Any]) -> None:
        waiting: list[Any] = [answers]
        while waiting:
            value = waiting.pop()
            if is_masked(value):
                raise self._refused(operation, "It holds Celigo's mask (asterisks), not the value behind it.")
            if isinstance(value, Mapping):
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)

    def _read_after(
        self, operation: str, remote_id: str, answer: Answer, uninstall: bool
    ) -> tuple[RemoteItem, ...] | None:
        """The steps as a question of their own, after a step that was done without telling them."""
        try:
            pages = self._pages(
                operation, ("integrations", remote_id, UNINSTALL if uninstall else INSTALL), expect=STATUSES
            )
            return items.steps([each for page, _ in pages for each in documents(page)])
        except VendorNotFoundError:
            if uninstall:
                return None
            raise self._http.unknown_outcome(operation, "The integration is gone after the step.", answer) from None
        except VendorError:
            raise self._http.unknown_outcome(operation, "The steps could not be read after it.", answer) from None


def _steps_of(body: Any) -> list[Mapping[str, Any]] | None:
    """The steps in either answer: a list of them, or an object that may have them beside its warnings."""
    found = body if isinstance(body, list) else object_of(body).get("steps", object_of(body).get("stepsToUpdate"))
    return documents(found) if isinstance(found, list) else None

"""Which connections of the account an integration lists, and whether one works.

Source: Celigo help, "Integration API endpoints" (register); developer.celigo.com, connections (ping).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations_app.vendors.base import Probe
from integrations_app.vendors.celigo.calls import Calls, read_reasons
from integrations_app.vendors.errors import VendorRejectedError
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import number

_PING = "ping a connection"
_WORKS, _FAILS = "its flows can run", "its flows fail until it is mended"


class Connections(Calls):
    """SupportsRegistration."""

    def register_connections(self, remote_id: str, connection_ids: Sequence[str]) -> None:
        """Put connections on an integration's list: one by its own address, several as a bare list of ids.

        Source: Celigo help, PUT .../connections/register and .../connections/<id>/register (200). What comes back is
        documented nowhere, so it is not read.
        """
        operation = "register connections"
        wanted = list(dict.fromkeys(connection_ids))
        if not wanted:
            raise self._refused(operation, "No connection was named.")
        place: tuple[str, ...] = ("integrations", remote_id, "connections")
        place += ("register",) if len(wanted) > 1 else (wanted[0], "register")
        self._http.write(
            operation,
            "PUT",
            place,
            document=wanted if len(wanted) > 1 else None,
            expect=(200, 201, 204),
            needs_answer=False,
        )

    def unregister_connection(self, remote_id: str, connection_id: str) -> None:
        """Take a connection off the list; steps that use it go on using it.

        Source: Celigo help, DELETE .../connections/<id>/register (204).
        """
        place = ("integrations", remote_id, "connections", connection_id, "register")
        self._http.write("unregister a connection", "DELETE", place, expect=(200, 204), needs_answer=False)

    def ping_connection(self, connection_id: str) -> Probe:
        """Have Celigo try a connection. Raises VendorErrors when Celigo itself refuses to or does not know it.

        Source: Celigo's skills for clients, POST /connections/<id>/ping; GET in older pages. Assumed: 200 with
        `{code, errors?}` also when the other system refuses.
        """
        try:
            answer = self._ask_either_way(_PING, ("connections", connection_id, "ping"), ("POST", "GET"))
        except VendorRejectedError as error:
            words = "; ".join(text for _, _, text in error.reasons if text)
            return Probe(_PING, False, words or f"Refused ({error.status})", _FAILS, error)
        if not isinstance(answer.document, dict):
            raise self._http.bad_answer(_PING, "The answer is not the result of a ping.", answer)
        return _probe(answer.document)


def _probe(result: dict[str, Any]) -> Probe:
    code = number(result.get("code"))
    told = [words or name for name, _, words in read_reasons(200, result) if words or name]
    is_good = not object_of(result).get("errors") and (code is None or 200 <= code < 300)
    if is_good:
        return Probe(_PING, True, "Yes, it answers", _WORKS)
    return Probe(_PING, False, "; ".join(told) or f"Refused ({code})", _FAILS)

"""Template archives: a signed, short-lived address and the zip behind it.

Source: Celigo help, "Integration API endpoints", `{_id}/template`. Assumed, for no source has it: the layout of the zip
(a folder per kind of resource, a file per resource; switch celigo.archive_layout).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

from integrations_app.simulator.celigo.clones import BELOW
from integrations_app.simulator.celigo.connections import masked
from integrations_app.simulator.celigo.documents import COUNTERS, Document
from integrations_app.simulator.celigo.errors import failed
from integrations_app.simulator.celigo.shelf import Shelf
from integrations_app.simulator.names import DATA_DATE
from integrations_app.simulator.wire import Account, PretendVendor, Request, Response
from integrations_app.simulator.world import World

LIFETIME_SECONDS = 300
ACCESS_KEY_ID = "AKIASIMULATED0000000"


class TemplateArchives:
    """Signs addresses of archives and serves them, as the vendor's file store would."""

    def __init__(self, world: World, vendor: PretendVendor) -> None:
        self._world = world
        self._vendor = vendor

    def sign(self, request: Request, account: Account, identifier: str) -> dict[str, Any]:
        """`{signedURL, key}` for one integration; the address is good for five minutes."""
        expires = int(self._world.timestamp()) + LIFETIME_SECONDS
        name = f"{account.name}/{identifier}.zip"
        query = urlencode(
            {"AWSAccessKeyId": ACCESS_KEY_ID, "Expires": expires, "Signature": self._signature(name, str(expires))}
        )
        return {"signedURL": f"{request.base_url}/files/{name}?{query}", "key": f"{identifier}.zip"}

    def download(self, request: Request) -> Response:
        """The archive behind a signed address. A store refuses a request that carries another authorization as well."""
        name = "/".join(request.segments[1:])
        expires, signature = request.param("Expires") or "", request.param("Signature") or ""
        if request.headers.get("authorization"):
            return _refuse(400, "InvalidArgument", "Only one auth mechanism allowed")
        if not hmac.compare_digest(signature, self._signature(name, expires)):
            return _refuse(403, "SignatureDoesNotMatch", "The request signature does not match")
        if self._world.timestamp() > int(expires):
            return _refuse(403, "AccessDenied", "Request has expired")
        account_name, _, file_name = name.partition("/")
        return Response(200, self._archive(account_name, file_name), [("Content-Type", "application/zip")])

    def _archive(self, account_name: str, file_name: str) -> bytes:
        account = self._world.account(account_name)
        shelf = Shelf(self._world, self._vendor, account) if account is not None else None
        document = shelf.items.get(file_name.removesuffix(".zip")) if shelf else None
        if shelf is None or document is None:
            raise failed(404, "not_found", "No such file.")
        with self._world.lock:
            inside = [(kind, masked(each)) for kind, each in _resources(shelf, document)]
        if self._world.switch("celigo.archive_layout") == "manifest":
            objects = [{"model": kind.capitalize(), "doc": each} for kind, each in inside]
            return _zip({"manifest.json": {"objects": objects}})
        folder = "../" if self._world.switch("celigo.archive_layout") == "hostile" else ""
        return _zip({f"{folder}{kind}s/{each['_id']}.json": each for kind, each in inside})

    def _signature(self, name: str, expires: str) -> str:
        key = f"simulated archive key {self._world.seed}".encode()
        return hmac.new(key, f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _resources(shelf: Shelf, document: Document) -> list[tuple[str, Document]]:
    """Everything an archive holds, with its kind: the integration first, without the counters of the list."""
    content = {name: value for name, value in document.items() if name not in COUNTERS}
    found = [("integration", content)]
    for kind in BELOW:
        found += [(kind, each) for each in shelf.all_of(kind, shelf.number(document["_id"]))]
    used = [*document.get("_registeredConnectionIds", []), *(each.get("_connectionId") for _, each in found)]
    connections = [shelf.get("connection", each) for each in dict.fromkeys(used) if each]
    return [*found, *(("connection", each) for each in connections if each is not None)]


def _zip(files: dict[str, Any]) -> bytes:
    """A zip of JSON files, the same bytes for the same content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            moment = (DATA_DATE.year, DATA_DATE.month, DATA_DATE.day, DATA_DATE.hour, DATA_DATE.minute, 0)
            archive.writestr(zipfile.ZipInfo(name, moment), json.dumps(content, indent=2))
    return packed.getvalue()


def _refuse(status: int, code: str, message: str) -> Response:
    """A file store speaks XML."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(status, body.encode(), [("Content-Type", "application/xml")])

"""Template archives: a zip of an integration, behind an address that is good for minutes.

Source: Celigo help, "Integration API endpoints", <_id>/template (its table says GET, its sample POST).
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations_app.vendors.capabilities import SignedFile
from integrations_app.vendors.celigo.calls import Calls
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import text

_URL_CHARACTERS = 8192


class Archives(Calls):
    """SupportsArchive."""

    def sign_archive(self, remote_id: str) -> SignedFile:
        """A fresh address of the integration's archive. VendorRejectedError for an Integration App, which has none.

        Source: as above, `{signedURL, key}`. Whichever of GET and POST works is asked first from then on.
        """
        operation = "sign a template archive"
        answer = self._ask_either_way(operation, ("integrations", remote_id, "template"), ("GET", "POST"))
        found = object_of(answer.document)
        url = found.get("signedURL")
        if not isinstance(url, str) or not 0 < len(url) <= _URL_CHARACTERS:
            raise self._http.bad_answer(operation, "The answer has no address of an archive.", answer)
        return SignedFile(url, text(found.get("key"), 200) or f"{text(remote_id, 190)}.zip")

    def fetch_archive(self, file: SignedFile, *, limit_bytes: int) -> Iterator[bytes]:
        """The archive in pieces. VendorAddressError, at once, when it is not at the region's place for files.

        An address that has expired is VendorForbiddenError: sign another. VendorResponseError beyond `limit_bytes`.
        Assumed, as usual for such addresses: they are fetched without the account's token, which would spoil them.
        """
        operation = "download a template archive"
        return iter(self._http.get_file(operation, file.url, host="files", limit_bytes=limit_bytes))

"""What every part of the client shares: the connection, the token, lists of any length, questions of two methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import urljoin

from requests.utils import parse_header_links

from integrations_app.vendors.base import Connection
from integrations_app.vendors.celigo import reading
from integrations_app.vendors.errors import VendorAuthError, VendorError, VendorNotFoundError, VendorRejectedError
from integrations_app.vendors.http import Answer, Params, VendorHTTP
from integrations_app.vendors.listing import ListGuard
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, text

# Celigo allows 1 to 1000 and contradicts itself about its default. A page of 200 is some two megabytes at most.
PAGE_SIZE = 200
# Copying and installing take as long as they take; Celigo's own web app waits five minutes for them.
LONG_SECONDS = 300.0

# Which of two methods a Celigo answers to, by base URL and operation, for as long as the process lives.
_METHODS_THAT_WORK: dict[tuple[str, str], str] = {}


class Calls:
    """The connection of one account, and the ways to ask that several parts of the client use."""

    slug: ClassVar[str] = reading.SLUG

    def __init__(self, connection: Connection) -> None:
        self._region = connection.region
        self._token = connection.credential.get("api_token", "").strip()
        self._http = VendorHTTP(self.slug, connection, reasons=read_reasons, authorize=self._authorization)

    def _pages(
        self, operation: str, segments: tuple[str, ...], params: Params = (), *, expect: Sequence[int] = (200, 204)
    ) -> Iterator[tuple[list[Any], bool]]:
        """A list page by page, each with whether another follows; a list of nothing is one empty page.

        The next page's address is followed as Celigo gives it. Raises VendorResponseError for a list that never ends or
        points at itself, VendorAddressError when the next page is elsewhere.
        Source: developer.celigo.com, "Pagination" (Link header, rel="next"; 204 for an empty list).
        """
        guard = ListGuard(self.slug, operation)
        answer = self._http.get(operation, segments, params=params, expect=expect)
        while True:
            items = self._items(operation, answer)
            guard.page(answer.url, len(items))
            following = next_url(answer)
            yield items, bool(following)
            if not following:
                return
            if following == answer.url:
                raise self._http.bad_answer(operation, "The list's next page is the same page again.", answer)
            answer = self._http.follow(operation, following, after=answer, expect=expect)

    def _items(self, operation: str, answer: Answer) -> list[Any]:
        if answer.status == 204:
            return []
        if not isinstance(answer.document, list):
            raise self._http.bad_answer(operation, "The answer is not a list.", answer)
        return answer.document

    def _ask_either_way(self, operation: str, segments: tuple[str, ...], methods: tuple[str, str]) -> Answer:
        """Ask what Celigo's own pages give two methods for; the one that works is tried first from then on.

        It changes nothing either way. Raises what the last method tried raises, but a plain "no such method" only when
        that is all there is to say.
        """
        place = (self._http.origin(), operation)
        first = _METHODS_THAT_WORK.get(place, methods[0])
        second = methods[1] if first == methods[0] else methods[0]
        try:
            answer = self._http.ask(operation, first, segments)
            _METHODS_THAT_WORK[place] = first
        except (VendorNotFoundError, VendorRejectedError) as error:
            if not _may_be_the_method(error):
                raise
            answer = self._ask_second(operation, second, segments, error)
            _METHODS_THAT_WORK[place] = second
        return answer

    def _ask_second(self, operation: str, method: str, segments: tuple[str, ...], first: VendorError) -> Answer:
        try:
            return self._http.ask(operation, method, segments)
        except (VendorNotFoundError, VendorRejectedError) as error:
            raise first if error.status == 405 else error from None

    def _authorization(self) -> str:
        """The header's value. Raises VendorAuthError for what Celigo shows in place of a token once it is made."""
        if reading.is_masked(self._token):
            raise VendorAuthError(
                "The API token is Celigo's mask (asterisks), not the token itself.",
                vendor=self.slug,
                operation="sign in",
            )
        if not self._token or not self._token.isascii() or not self._token.isprintable():
            raise VendorAuthError("The API token is empty or no token.", vendor=self.slug, operation="sign in")
        return f"Bearer {self._token}"

    def _refused(self, operation: str, why: str, field: str = "") -> VendorRejectedError:
        """An error for what is not sent, because it would do harm or could only be refused."""
        return VendorRejectedError(
            "Nothing was sent.", reasons=(("", text(field, 200), why),), vendor=self.slug, operation=operation
        )


def read_reasons(status: int, body: Any) -> Iterable[tuple[str, str, str]]:
    """What an error body says, as (code, field, text): `{errors: [...]}` in general, `{message}` for 401 and 403.

    Whatever else stands beside them (`steps`, when an installation fails) is no part of the reason.
    Source: developer.celigo.com, "Errors"; the second shape was seen in a client's live probes.
    """
    answer = object_of(body)
    errors = documents(answer.get("errors"))
    for error in errors:
        yield (text(error.get("code"), 80), text(error.get("field"), 200), text(error.get("message")))
    message = text(answer.get("message"))
    if message and not errors:
        yield "", "", message


def next_url(answer: Answer) -> str:
    """The address of the next page, absolute; "" on the last page, with or without other links."""
    for link in parse_header_links(answer.headers.get("link", "")):
        if "next" in link.get("rel", "").lower().split() and link.get("url"):
            return absolute(answer.url, link["url"])
    return ""


def absolute(base: str, url: str) -> str:
    """`url` as seen from `base`; as it stands where it is no address at all, for following it is refused then."""
    try:
        return urljoin(base, url)
    except ValueError:
        return url


def _may_be_the_method(error: VendorError) -> bool:
    """Whether a refusal could mean that the other method is the right one: not when Celigo refused the content."""
    return error.status != 422

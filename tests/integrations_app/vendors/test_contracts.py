"""Every vendor against what every vendor must have, and against its own contract: each field it documents is shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from integrations_app.vendors import base, capabilities, registry
from integrations_app.vendors.base import (
    LOOPBACK_NETWORKS,
    Connection,
    DocumentField,
    FieldKind,
    RemoteIntegration,
    SupportsLiveSearch,
    SupportsLookup,
    TokenFetch,
    VendorClient,
)
from integrations_app.vendors.errors import VendorResponseError
from tests.integrations_app.vendors.hostile import HostileServer, answer

DATA_DIR = Path(__file__).parents[2] / "data"
VENDORS = [pytest.param(client, id=client.slug) for client in registry.VENDORS]
CAPABILITIES = (SupportsLiveSearch, SupportsLookup)
# These may be missing without a reason: where a vendor has them and only this console does not offer them yet.
LATER_CAPABILITIES = (
    capabilities.SupportsEdit,
    capabilities.SupportsCreate,
    capabilities.SupportsDelete,
    capabilities.SupportsListings,
    capabilities.SupportsClone,
    capabilities.SupportsRevisions,
    capabilities.SupportsRegistration,
    capabilities.SupportsSteps,
    capabilities.SupportsFlows,
    capabilities.SupportsErrorRecords,
    capabilities.SupportsArchive,
)


@dataclass(frozen=True)
class Operation:
    """A GET that a client uses: where its 200 answer holds integrations, and what else in it the client reads."""

    path: str
    integrations_at: str
    read_elsewhere: frozenset[str] = frozenset()


OPERATIONS: Mapping[str, Sequence[Operation]] = {
    "alloy": (Operation("/integrations", "data[]."), Operation("/integrations/{integrationId}", "data.")),
    "celigo": (
        Operation("/v1/integrations", "[]."),
        Operation("/v1/integrations/{_id}", ""),
        # Whom the token belongs to, in the report of an account test.
        Operation("/v1/tokenInfo", "-", frozenset({"_userId", "scope"})),
    ),
    "membrane": (
        Operation("/integrations", "items[].", frozenset({"cursor"})),
        Operation("/integrations/{selector}", ""),
    ),
    "torq": (Operation("/v1alpha/integrations", "integrations[]."),),
}


def contract_of(slug: str) -> dict[str, Any]:
    contract: dict[str, Any] = json.loads((DATA_DIR / "contracts" / f"{slug}.contract.json").read_text())
    return contract


class Walker:
    """Names the fields of an operation's 200 answer, as dotted paths with `[]` for the items of a list."""

    def __init__(self, contract: Mapping[str, Any]) -> None:
        self._contract = contract
        self._known: dict[str, frozenset[str]] = {}

    def fields(self, path: str) -> frozenset[str]:
        if path not in self._known:
            self._known[path] = frozenset(self._read(path))
        return self._known[path]

    def _read(self, path: str) -> Iterator[str]:
        response = self._resolved(self._contract["paths"][path]["get"]["responses"]["200"])
        return self._walk(response["content"]["application/json"]["schema"], "", ())

    def _resolved(self, schema: Any) -> Any:
        while "$ref" in schema:
            schema = self._at(schema["$ref"])
        return schema

    def _at(self, reference: str) -> Any:
        found: Any = self._contract
        for part in reference.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def _walk(self, schema: Any, prefix: str, inside: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(schema, dict):
            return
        if reference := schema.get("$ref"):
            # A schema within itself (an error caused by an error) is named once.
            if reference not in inside:
                yield from self._walk(self._at(reference), prefix, (*inside, reference))
            return
        for combined in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(combined, ()):
                yield from self._walk(part, prefix, inside)
        for name, part in schema.get("properties", {}).items():
            yield prefix + name
            yield from self._walk(part, f"{prefix}{name}.", inside)
        if "items" in schema:
            yield from self._walk(schema["items"], prefix.removesuffix(".") + "[].", inside)


def unshown(walker: Walker, operations: Sequence[Operation], shown: Sequence[DocumentField]) -> set[str]:
    """The fields of the operations' answers that no DocumentField shows and nothing else reads."""
    missing = set()
    for operation in operations:
        # The list or object that holds them is no field of theirs.
        around = {operation.integrations_at.removesuffix(".").removesuffix("[]")} | operation.read_elsewhere
        for path in walker.fields(operation.path) - around:
            name = path.removeprefix(operation.integrations_at)
            if not path.startswith(operation.integrations_at):
                missing.add(f"{operation.path}: {path}")
            elif not is_shown(name, shown):
                missing.add(name)
    return missing


def is_shown(path: str, shown: Sequence[DocumentField]) -> bool:
    """Whether a field, or a whole it is part of, is shown; what is above a shown field is its heading."""
    for field in shown:
        is_heading = field.path.startswith((f"{path}.", f"{path}[]"))
        is_part = path.startswith((f"{field.path}.", f"{field.path}[]"))
        is_whole = field.kind in (FieldKind.DOCUMENT, FieldKind.SECRET)
        if field.path == path or is_heading or (is_part and is_whole):
            return True
    return False


# --- each field is shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", VENDORS)
def test_every_field_of_the_contract_is_shown(client: type[VendorClient]) -> None:
    assert unshown(Walker(contract_of(client.slug)), OPERATIONS[client.slug], client.document_fields) == set()


@pytest.mark.parametrize("client", VENDORS)
def test_a_field_that_nobody_shows_any_more_is_named(client: type[VendorClient]) -> None:
    walker, operations = Walker(contract_of(client.slug)), OPERATIONS[client.slug]
    documented = {
        path.removeprefix(operation.integrations_at)
        for operation in operations
        for path in walker.fields(operation.path)
    }
    named = []
    for dropped in client.document_fields:
        rest = [field for field in client.document_fields if field is not dropped]
        if dropped.path in documented and not is_shown(dropped.path, rest):
            assert dropped.path in unshown(walker, operations, rest)
            named.append(dropped.path)
    # Nearly every field is the only one that shows its path.
    assert len(named) > len(documented) / 3


@pytest.mark.parametrize("client", VENDORS)
def test_a_field_that_a_vendor_adds_is_named(client: type[VendorClient]) -> None:
    contract = copy.deepcopy(contract_of(client.slug))
    for schema in contract["components"]["schemas"].values():
        schema.setdefault("properties", {})["plantedField"] = {"type": "string"}
    missing = unshown(Walker(contract), OPERATIONS[client.slug], client.document_fields)

    assert "plantedField" in missing
    # Deep inside, too: in a list or an object within the document.
    assert any(path.endswith((".plantedField", "[].plantedField")) for path in missing)


# --- the payloads that the vendors publish ---------------------------------------------------------------------------


def published() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(slug, title, document) of each published integration."""
    examples: dict[str, Any] = json.loads((DATA_DIR / "published-examples.json").read_text())
    for title, body in examples.items():
        slug = title.partition(" ")[0]
        if " GET " not in title:
            continue
        inner = body.get("data", body.get("integrations", body.get("items")))
        for document in inner if isinstance(inner, list) else [inner]:
            yield slug, title, document


PUBLISHED = [
    pytest.param(slug, document, id=f"{title} {number}") for number, (slug, title, document) in enumerate(published())
]


@pytest.mark.parametrize(("slug", "document"), PUBLISHED)
def test_a_published_integration_is_read_as_it_stands(slug: str, document: dict[str, Any]) -> None:
    client = registry.vendor(slug)
    item = client.read_integration(document, client.regions[0])

    assert item.remote_id
    assert item.name
    assert item.raw == document


ANSWERS: dict[str, Any] = {
    title: body
    for title, body in json.loads((DATA_DIR / "published-examples.json").read_text()).items()
    if " GET " in title
}


@pytest.mark.parametrize("title", ANSWERS)
def test_a_published_answer_goes_through_the_client_raw(title: str, hostile: Callable[..., HostileServer]) -> None:
    """As a vendor prints it, placeholders included, over a socket: nothing is set aside and nothing lost."""
    slug, _, operation = title.partition(" GET ")
    client, body = registry.vendor(slug), ANSWERS[title]
    is_one = "{" in operation
    documents = [body["data"]] if is_one else next(value for value in body.values() if isinstance(value, list))
    # A list whose answer names a further page, as a printed one does, ends with an empty one.
    end: dict[str, list[Any]] = {name: [] for name, value in body.items() if isinstance(value, list)}
    server = hostile(answer(json.dumps(body).encode()), answer(json.dumps(end).encode()))
    region = replace(client.regions[0], hosts=dict.fromkeys(client.regions[0].hosts, server.url))
    made = client(
        Connection(
            region,
            {field.name: "fake" for field in client.credential_fields},
            {field.name: "fake" for field in client.binding_fields},
            tokens=KnownToken(),
            allowed_networks=LOOPBACK_NETWORKS,
        )
    )
    if is_one:
        read = [made.get_integration(documents[0]["integrationId"])]
    else:
        pages = list(made.list_integrations())
        assert not any(page.bad for page in pages)
        read = [item for page in pages for item in page.items]

    assert [item.raw for item in read] == documents
    assert documents


class KnownToken:
    """A token that needs no call, for a vendor that has one."""

    def current(self) -> str:
        return "fake-token"

    def renew(self, refused: str | None, fetch: TokenFetch) -> str:
        raise AssertionError("The token is good.")


@pytest.mark.parametrize(("slug", "document"), PUBLISHED)
def test_no_field_of_a_wrong_type_breaks_the_reading(slug: str, document: dict[str, Any]) -> None:
    client = registry.vendor(slug)
    for spoilt in spoilt_copies(document):
        try:
            item = client.read_integration(spoilt, client.regions[0])
        except VendorResponseError:
            continue
        assert isinstance(item, RemoteIntegration)
        hash((item.remote_id, item.name, item.app, item.vendor_words, item.aliases, item.parts, item.findings))
        assert all(isinstance(alias, str) and alias for alias in item.aliases)


def spoilt_copies(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with each value in turn replaced by values of other types, or left out."""
    for place in places(document, ()):
        for value in (None, "", 0, -1.5, True, [], [None], {}, {"a": [1]}, "x" * 3000, "\u0000\ud800", 10**30):
            spoilt = copy.deepcopy(document)
            inside(spoilt, place[:-1])[place[-1]] = value
            yield spoilt
        spoilt = copy.deepcopy(document)
        del inside(spoilt, place[:-1])[place[-1]]
        yield spoilt


def places(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*above, key)
        yield from places(part, (*above, key))


def inside(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


# --- what every vendor has -------------------------------------------------------------------------------------------


def test_every_vendor_has_its_operations_here() -> None:
    slugs = [client.slug for client in registry.VENDORS]

    assert sorted(OPERATIONS) == sorted(slugs)
    assert sorted({slug for slug, _, _ in published()}) == sorted(set(slugs) - {"celigo"})


@pytest.mark.parametrize("client", VENDORS)
def test_a_vendor_declares_itself(client: type[VendorClient]) -> None:
    assert client.slug.isidentifier()
    assert client.label
    assert len(client.mark) == 2
    names = [field.name for field in client.credential_fields] + [field.name for field in client.binding_fields]
    assert len(set(names)) == len(names)
    assert any(field.is_secret for field in client.credential_fields)
    paths = [field.path for field in client.document_fields]
    assert len(set(paths)) == len(paths)
    assert all(field.label for field in client.document_fields)


@pytest.mark.parametrize("client", VENDORS)
def test_real_regions_are_reached_over_tls_only(client: type[VendorClient]) -> None:
    slugs = [region.slug for region in registry.regions(client.slug, "http://127.0.0.1:8100/")]

    assert len(set(slugs)) == len(slugs)
    for region in client.regions:
        assert "api" in region.hosts
        assert all(base.startswith("https://") and not base.endswith("/") for base in region.hosts.values())
        assert region.app_url == "" or region.app_url.startswith("https://")


@pytest.mark.parametrize("client", VENDORS)
def test_the_simulator_is_a_region_only_where_there_is_one(client: type[VendorClient]) -> None:
    assert registry.regions(client.slug) == client.regions
    simulated = registry.regions(client.slug, "http://127.0.0.1:8100/")[len(client.regions) :]

    assert simulated
    for region in simulated:
        # Whatever host a real region has, the simulator has one for it too.
        assert set(region.hosts) == set().union(*(real.hosts for real in client.regions))
        assert all(base.startswith(f"http://127.0.0.1:8100/{client.slug}") for base in region.hosts.values())
        assert registry.region(client.slug, region.slug, "http://127.0.0.1:8100/") == region
        with pytest.raises(KeyError):
            registry.region(client.slug, region.slug)


@pytest.mark.parametrize("client", VENDORS)
def test_a_capability_is_there_or_its_absence_has_a_reason(client: type[VendorClient]) -> None:
    for capability in CAPABILITIES:
        has_reason = capability.__name__ in client.unsupported_reasons
        assert registry.supports(client.slug, capability) != has_reason, capability.__name__
    assert registry.supports(client.slug, SupportsLiveSearch) == bool(client.search_fields)


@pytest.mark.parametrize("client", VENDORS)
def test_a_capability_that_is_there_has_no_reason_against_it(client: type[VendorClient]) -> None:
    names = {capability.__name__ for capability in (*CAPABILITIES, *LATER_CAPABILITIES)}

    assert set(client.unsupported_reasons) <= names
    assert all(reason.endswith(".") for reason in client.unsupported_reasons.values())
    for capability in LATER_CAPABILITIES:
        is_there = registry.supports(client.slug, capability)
        assert not (is_there and capability.__name__ in client.unsupported_reasons), capability.__name__


@pytest.mark.parametrize("client", VENDORS)
def test_a_capability_has_what_it_speaks_of(client: type[VendorClient]) -> None:
    assert registry.supports(client.slug, capabilities.SupportsEdit) == (client.edit_rules is not None)
    assert registry.supports(client.slug, capabilities.SupportsListings) == bool(client.listings)
    assert registry.supports(client.slug, capabilities.SupportsClone) == bool(client.clone_notes)
    slugs = [kind.slug for kind in client.listings]
    assert len(set(slugs)) == len(slugs)
    for kind in client.listings:
        assert kind.label
        assert kind.empty.endswith(".")
        assert len({column.name for column in kind.columns}) == len(kind.columns)


def test_an_unknown_vendor_is_a_key_error() -> None:
    assert registry.label("torq") == "Torq"
    with pytest.raises(KeyError):
        registry.vendor("nobody")


@pytest.mark.parametrize("client", VENDORS)
def test_making_a_client_sends_nothing(client: type[VendorClient]) -> None:
    connection = Connection(client.simulator_region("http://127.0.0.1:9")[0], {}, {})
    assert isinstance(client(connection), client)
    assert "Connection(" not in repr(connection)


@pytest.mark.parametrize("client", VENDORS)
def test_pages_and_single_reads_agree(
    client: type[VendorClient], connect: Callable[..., Connection], simulator: Any
) -> None:
    account = next(each for each in simulator.world.accounts(client.slug) if each.script == "ok")
    made = client(connect(account.name))
    items = [item for page in made.list_integrations() for item in page.items]

    assert len(items) == account.size
    for item in items[:5]:
        assert made.get_integration(item.remote_id).remote_id == item.remote_id
        assert client.read_integration(item.raw, connect(account.name).region) == item


def test_the_contract_module_knows_no_django() -> None:
    for path in Path(base.__file__).parent.rglob("*.py"):
        source = path.read_text()
        assert "import django" not in source, path
        assert "from django" not in source, path
        assert "from console" not in source, path

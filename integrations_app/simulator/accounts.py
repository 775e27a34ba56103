"""The accounts of the simulated world: the demo's own, and how one that is added gets its keys."""

from __future__ import annotations

from integrations_app.simulator import names
from integrations_app.simulator.wire import Account

CUSTOMERS = {
    "brightwater": "Brightwater Foods",
    "kestrel": "Kestrel Freight",
    "larkspur": "Larkspur Outdoor",
    "nordhavn": "Nordhavn Energi",
    "osmond": "Osmond & Vale",
    "pallas": "Pallas Dental Group",
    "quill": "Quill Learning",
    "tamarind": "Tamarind Hotels",
}
VENDORS = ("alloy", "celigo", "membrane", "torq")
# Vendors at which one credential of ours serves every customer, told apart by the binding.
SHARED = ("alloy", "membrane")

# name, label, region, integrations, script
DEFAULT_ACCOUNTS: tuple[tuple[str, str, str, int, str], ...] = (
    ("brightwater-alloy", "Storefront", "simulator-current", 18, "ok"),
    ("brightwater-celigo", "Production", "simulator", 24, "ok"),
    ("kestrel-torq", "Operations", "simulator", 28, "ok"),
    ("kestrel-membrane", "Customer integrations", "simulator", 20, "ok"),
    ("kestrel-celigo", "Production", "simulator", 16, "partial"),
    ("larkspur-celigo", "Production", "simulator", 36, "ok"),
    ("larkspur-celigo-sandbox", "Sandbox", "simulator", 12, "ok"),
    ("larkspur-alloy", "Web shop", "simulator-legacy", 15, "ok"),
    ("nordhavn-torq", "Security operations", "simulator", 24, "ok"),
    ("nordhavn-torq-subsidiary", "Subsidiary", "simulator", 10, "ok"),
    ("nordhavn-membrane", "Customer integrations", "simulator", 18, "ok"),
    ("osmond-alloy", "Storefront", "simulator-current", 20, "ok"),
    ("osmond-membrane", "Customer integrations", "simulator", 26, "bad_item"),
    ("osmond-celigo", "Production", "simulator", 14, "failing"),
    ("pallas-membrane", "Customer integrations", "simulator", 22, "ok"),
    ("pallas-alloy", "Patient shop", "simulator-legacy", 15, "down"),
    ("pallas-torq", "IT operations", "simulator", 16, "failing"),
    ("quill-membrane", "New workspace", "simulator", 0, "empty"),
    ("quill-celigo", "Production", "simulator", 28, "ok"),
    ("tamarind-torq", "Front desk", "simulator", 20, "ok"),
    ("tamarind-alloy", "Booking engine", "simulator-current", 12, "ok"),
)

# What the console should come to say of an account with this script: state after a test, state of its sync.
EXPECTED = {
    "ok": ("ok", "succeeded"),
    "empty": ("ok", "succeeded"),
    "bad_item": ("ok", "partial"),
    "partial": ("partial", "succeeded"),
    "failing": ("failing", "failed"),
    "down": ("failing", "failed"),
    "forbidden": ("failing", "failed"),
}


def default_accounts(seed: int) -> dict[str, Account]:
    """The 21 accounts of the demo, by name."""
    made = {}
    for name, label, region, size, script in DEFAULT_ACCOUNTS:
        customer, vendor = name.split("-")[:2]
        made[name] = make_account(
            name=name, vendor=vendor, customer=customer, label=label, region=region, size=size, script=script,
            world_seed=seed,
        )  # fmt: skip
    return made


def make_account(
    *, name: str, vendor: str, customer: str, label: str, region: str, size: int, script: str, world_seed: int,
    seed: int | None = None,
) -> Account:  # fmt: skip
    """An account with its keys; `seed` None for the default world's own, a number for one that was added."""
    credential, binding = _keys(vendor, name, world_seed)
    return Account(
        name=name,
        vendor=vendor,
        customer=customer,
        customer_name=CUSTOMERS.get(customer, customer.replace("-", " ").title()),
        label=label,
        region=region,
        size=size,
        seed=world_seed if seed is None else seed,
        script=script,
        credential=credential,
        binding=binding,
        is_shared_credential=vendor in SHARED,
        is_added=seed is not None,
    )


def _keys(vendor: str, name: str, world_seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """Fake keys, recognisable as such; the shared ones depend on the world alone."""
    shared = names.digest(world_seed, vendor, "shared key").hex()
    own = names.digest(world_seed, vendor, name, "key").hex()
    if vendor == "alloy":
        return {"api_key": f"simulated-alloy-key-{shared[:24]}"}, {"end_user_id": own[:24]}
    if vendor == "celigo":
        return {"api_token": f"simulated-celigo-token-{own[:32]}"}, {}
    if vendor == "torq":
        client_id = names.uuid(f"{world_seed}:{name}:client", 1)
        return {"client_id": client_id, "client_secret": f"simulated-torq-secret-{own[:24]}"}, {}
    workspace = {
        "workspace_key": names.uuid(f"{world_seed}:membrane workspace", 1),
        "workspace_secret": f"simulated-membrane-secret-{shared[:40]}",
    }
    return workspace, {"tenant_key": f"tenant-{name}"}


def end_user_name(account: Account) -> str:
    """The username by which Alloy also knows the account's end user."""
    return f"{account.name}@{account.customer}.example"


def describe(account: Account) -> dict[str, object]:
    """One account as `GET /` lists it."""
    account_state, sync_state = EXPECTED[account.script]
    return {
        "account": account.name,
        "vendor": account.vendor,
        "customer": account.customer,
        "customer_name": account.customer_name,
        "label": account.label,
        "region": account.region,
        "credential": account.credential,
        "binding": account.binding,
        "is_shared_credential": account.is_shared_credential,
        "integrations": account.size,
        "script": account.script,
        "expected": {"account_state": account_state, "sync_state": sync_state},
    }

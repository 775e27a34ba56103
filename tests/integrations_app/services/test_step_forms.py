"""What a step asks for, from JSON that somebody else wrote: every kind of field, and every way to get it wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.template.loader import render_to_string

from console.access.vault import TenantVault
from integrations_app.services import step_forms
from integrations_app.services.documents import Redactor
from integrations_app.services.errors import InvalidError
from integrations_app.services.step_forms import Step
from integrations_app.step_form import StepForm
from integrations_app.vendors.celigo import items

HOSTILE = '<img src=x onerror="alert(1)">'
DEEP: Any = "x"
for _ in range(40):
    DEEP = {"fieldMap": {"a": {}}, "containers": [DEEP]}


def described(*steps: Any) -> list[Step]:
    """Steps as a worker reads them from the vendor's JSON."""
    return step_forms.read({"name": item.name, "values": item.values} for item in items.steps(steps))


def form_of(fields: Any, **more: Any) -> Step:
    return described({"name": "Ask", "type": "form", "form": {"fieldMap": fields, **more}})[0]


def kinds(step: Step) -> dict[str, str]:
    return {field.name: field.kind for field in step.fields}


def test_each_kind_of_field_is_drawn_as_what_it_asks_for() -> None:
    options = [{"items": ["a", {"label": "B", "value": 2}]}]
    step = form_of(
        {
            "line": {"type": "text"},
            "lines": {"type": "textarea"},
            "count": {"type": "number"},
            "tick": {"type": "checkbox"},
            "one": {"type": "select", "options": options},
            "ring": {"type": "radiogroup", "options": [["v", "Label"]]},
            "some": {"type": "multiselect", "options": options},
            "pass": {"type": "text", "inputType": "password"},
            "clientSecret": {"type": "text"},
            "kept": {"type": "hidden", "defaultValue": 7},
            "odd": {"type": "flux-capacitor"},
            "odd_object": {"type": "flux-capacitor", "defaultValue": {"a": 1}},
            "empty_choice": {"type": "select"},
            "words": {"type": "labeltitle", "label": "Not a question"},
        }
    )
    assert kinds(step) == {
        "line": "text",
        "lines": "long",
        "count": "number",
        "tick": "truth",
        "one": "choice",
        "ring": "choice",
        "some": "choices",
        "pass": "secret",
        "clientSecret": "secret",
        "kept": "hidden",
        "odd": "text",
        "odd_object": "json",
        "empty_choice": "text",
    }


def test_older_forms_list_their_fields_and_a_layout_orders_them() -> None:
    listed = described(
        {"name": "A", "type": "form", "form": {"fieldSets": [{"fields": [{"id": "x", "label": "X"}]}], "fields": []}}
    )[0]
    assert [field.label for field in listed.fields] == ["X"]
    ordered = form_of({"b": {}, "a": {}, "c": {}}, layout={"containers": [{"fields": ["c"]}, {"fields": ["a"]}]})
    assert [field.name for field in ordered.fields] == ["c", "a", "b"]


def test_answers_go_out_under_the_vendor_s_names_and_values() -> None:
    step = form_of(
        {
            "/warehouse": {"type": "select", "options": [{"value": {"no": 1}}, {"label": "East", "value": "66d1f0"}]},
            "some": {"type": "multiselect", "options": ["a", "b", "c"]},
            "left": {"type": "text", "defaultValue": "as it was"},
            "unsaid": {"type": "text"},
            "kept": {"type": "hidden", "defaultValue": 7},
        }
    )
    number = {field.name: str(field.number) for field in step.fields}
    given = {"fields": {number["/warehouse"]: 0, number["some"]: [0, 2]}}
    assert step_forms.to_send(step, given) == {
        "/warehouse": "66d1f0",
        "some": ["a", "c"],
        "left": "as it was",
        "kept": 7,
    }
    for wrong in (5, -1, "a", True and "x"):
        with pytest.raises(InvalidError, match="choose one of those offered"):
            step_forms.to_send(step, {"fields": {number["/warehouse"]: wrong}})


def test_a_required_answer_is_not_left_out() -> None:
    step = form_of({"region": {"type": "text", "required": True, "label": "Region"}})
    for given in ({}, {"fields": {"0": ""}}, {"fields": None}):
        with pytest.raises(InvalidError, match="Region needs an answer"):
            step_forms.to_send(step, given)


@pytest.mark.parametrize(
    "form",
    [
        None,
        [],
        "text",
        {"fieldMap": [1, 2]},
        {"fieldMap": {"a": "text", "b": None}},
        {"fields": {"a": 1}},
        {"fieldMap": {"": {}}},
        {"fieldMap": {"x" * 300: {}}},
        {"fieldMap": {f"f{number}": {} for number in range(5_000)}},
        {"fieldMap": {str(n): {"type": "select", "options": list(range(299))} for n in range(79)}},
        {"fieldMap": {"a": {"type": "select", "options": ["o" * 9] * 100_000}}},
        {"fieldMap": {"a": {"type": ["select"], "options": {"items": 1}, "required": "yes", "label": {"x": 1}}}},
        {"fieldMap": {"a": {"defaultValue": "x" * 1_000_000, "helpText": "y" * 1_000_000}}},
        {"fieldMap": {"a": {"defaultValue": DEEP}}, "layout": DEEP},
        DEEP,
    ],
)
def test_a_form_of_any_shape_is_small_and_can_be_answered(form: Any) -> None:
    step = described({"name": "Ask", "type": "form", "form": form})[0]
    assert len(json.dumps(items.steps([{"type": "form", "form": form}])[0].values["form"])) < 250_000
    assert step.wants in ("form", "document")
    assert len(step.fields) <= 80
    assert all(field.kind in step_forms.KINDS and len(field.choices) <= 300 for field in step.fields)
    StepForm(step=step).as_p()
    assert isinstance(step_forms.to_send(step, {"document": {}, "fields": {}}), dict)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"type": 7, "name": ["x"], "completed": "yes", "description": {"a": 1}},
        {"type": "connection", "sourceConnection": "netsuite"},
        {"type": "url", "url": {"href": "https://x.example"}},
        {"type": "never heard of it", "form": {"fieldMap": {"a": {}}}},
        {"type": "stack", "_stackId": 5},
    ],
)
def test_a_step_of_wrong_types_is_still_a_step(step: Any) -> None:
    found = described(step)[0]
    assert found.wants in step_forms.WANTS
    assert not found.is_done
    StepForm(step=found).as_p()


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://install.example/bundle", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("http://install.example/", False),
        ("//install.example/", False),
        ("https://user:pass@install.example/", False),
        ("https:///no-host", False),
        ("https://[broken", False),
        ("https://install.example\\@evil.example/", False),
        ("", False),
    ],
)
def test_only_a_plain_https_address_is_a_link(address: str, is_link: bool) -> None:
    step = described({"name": "Go there", "type": "url", "installURL": address})[0]
    assert step.address == address
    assert step.href == (address if is_link else "")


def test_a_name_is_text_and_never_markup() -> None:
    step = form_of({"a": {"label": HOSTILE, "helpText": HOSTILE, "options": [HOSTILE], "type": "select"}})
    shown = render_to_string("components/fields.html", {"form": StepForm(step=step)})
    assert "&lt;img" in shown
    assert "<img" not in shown


def test_only_the_next_step_tells_what_it_asks_for() -> None:
    many = [
        {"name": f"Step {n}", "type": "form", "completed": n < 4, "form": {"fieldMap": {"a": {}}}} for n in range(9)
    ]
    assert [bool(step.fields) for step in described(*many)] == [n == 4 for n in range(9)]


def test_the_questions_have_an_id_that_a_default_does_not_change() -> None:
    one, same, other = (
        form_of({"a": {"type": "text", "defaultValue": default, "label": label}})
        for default, label in (("x", "A"), ("y", "A"), ("x", "B"))
    )
    assert one.form_id == same.form_id != other.form_id


def test_a_secret_s_default_and_the_vendor_s_mask_are_not_told() -> None:
    step = form_of(
        {"apiToken": {"type": "text", "defaultValue": "not-a-real-token"}, "name": {"defaultValue": "******"}}
    )
    assert [field.default for field in step.fields] == [None, None]


# --- a new connection ------------------------------------------------------------------------------------------------


def test_a_secret_is_put_where_it_belongs() -> None:
    document = {"name": "Shop", "http": {"auth": {"type": "token"}}}
    whole = step_forms.with_secret(document, "http.auth.token.token", "s3cret")
    assert whole["http"]["auth"] == {"type": "token", "token": {"token": "s3cret"}}
    assert document == {"name": "Shop", "http": {"auth": {"type": "token"}}}
    for place in ("", "http..auth", "name.first", ".".join("x" * 30)):
        with pytest.raises(InvalidError):
            step_forms.with_secret(document, place, "s3cret")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        '{"name": "Shop", "http": {"auth": {"token": "hunter2-hunter2"}}}',
        '{"name": "Shop", "password": "hunter2-hunter2",}',
        '{"name": "Shop" "password" : "hunter2-hunter2"',
    ],
)
def test_a_typed_document_is_shown_again_without_its_secrets(typed: str, people: Any) -> None:
    redactor = Redactor((), TenantVault(people.tenant.pk).fingerprint)
    shown = step_forms.text_without_secrets(typed, redactor)
    assert "hunter2" not in shown
    assert '"Shop"' in shown


def test_a_mark_is_no_value() -> None:
    wrongs: list[Any] = [[], "x", {"a": {"$secret": "7f3a0c21"}}, {"a": [{"b": {"$secret": "7f3a0c21"}}]}]
    for wrong in wrongs:
        with pytest.raises(InvalidError):
            step_forms.check_document(wrong)

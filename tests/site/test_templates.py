"""Every template says what it needs, holds no style or script, trusts no text, and links to what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import get_resolver
from django.urls.resolvers import URLResolver

BASE = Path(settings.BASE_DIR)
TEMPLATES = BASE / "templates"
PATHS = sorted(TEMPLATES.rglob("*.html"))
NAMES = [str(path.relative_to(TEMPLATES)) for path in PATHS]
# Draws trees and icons from parts it escapes itself.
MAY_MARK_SAFE = BASE / "console" / "templatetags"

FORBIDDEN = {
    "an inline style": re.compile(r"<style\b|\sstyle\s*="),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc\s*=)", re.IGNORECASE),
    "an inline handler": re.compile(r"\son[a-z]+\s*=|\bhx-on\b|javascript:", re.IGNORECASE),
    "text trusted as HTML": re.compile(r"\|\s*safe(seq)?\b|{%\s*autoescape\s+off"),
}
URL_TAG = re.compile(r"""{%\s*url\s+["']([^"']+)["']""")


def troubles(text: str) -> set[str]:
    return {what for what, pattern in FORBIDDEN.items() if pattern.search(text)}


def says_what_it_needs(text: str, *, is_layout: bool = False) -> bool:
    """The first thing that is neither `extends` nor `load` is a comment that begins with "needs:"; a layout, which
    other files extend, names the blocks they fill instead.
    """
    start = re.sub(r"^\s*({%\s*(extends|load)\b[^%]*%}\s*)+", "", text)
    if is_layout and re.match(r"\s*({#|{%\s*comment\s*%})[^{]*\bblock", start, re.IGNORECASE):
        return True
    return bool(re.match(r"\s*{#\s*needs:\s*\S", start))


EXTENDED = set(re.findall(r"""{%\s*extends\s+["']([^"']+)""", "".join(path.read_text() for path in PATHS)))
# allauth's own templates extend this one.
LAYOUTS = EXTENDED | {"allauth/layouts/base.html"}


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_no_style_no_script_and_trusts_no_text(name: str) -> None:
    assert troubles((TEMPLATES / name).read_text()) == set()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('<p style="color: red">', "an inline style"),
        ("<style>p {}</style>", "an inline style"),
        ("<script>go()</script>", "an inline script"),
        ('<p onclick="go()">', "an inline handler"),
        ("{{ name|safe }}", "text trusted as HTML"),
        ("{% autoescape off %}", "text trusted as HTML"),
    ],
)
def test_a_planted_one_is_noticed(text: str, what: str) -> None:
    assert what in troubles(text)
    assert troubles("<script src=\"{% static 'js/a.js' %}\" defer></script>") == set()


@pytest.mark.parametrize("name", NAMES)
def test_its_first_comment_says_what_it_needs(name: str) -> None:
    assert says_what_it_needs((TEMPLATES / name).read_text(), is_layout=name in LAYOUTS)


def test_a_template_that_does_not_say_is_noticed() -> None:
    assert says_what_it_needs('{% extends "base.html" %}{% load console %}\n{# needs: job #}<p>')
    assert not says_what_it_needs('{% extends "base.html" %}<p>{# needs: job #}')


def _url_names(resolver: URLResolver, space: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _url_names(pattern, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        elif pattern.name:
            yield space + pattern.name


def unknown_names(text: str) -> set[str]:
    return set(URL_TAG.findall(text)) - set(_url_names(get_resolver())) - SWITCHED_OFF


# Addresses that allauth has only where one of its ways to sign in is switched on; its pages for them wear our shell.
SWITCHED_OFF = {
    "account_confirm_password_reset_code",
    "account_request_login_code",
    "account_signup_by_passkey",
    "mfa_signup_webauthn",
    "mfa_trust",
}
# The same holds for the whole of single sign-on.
LINKING = [
    name
    for name in NAMES
    if not name.startswith("socialaccount/") or "allauth.socialaccount" in settings.INSTALLED_APPS
]


@pytest.mark.parametrize("name", LINKING)
def test_its_links_name_addresses_that_exist(name: str) -> None:
    assert unknown_names((TEMPLATES / name).read_text()) == set()


def test_a_link_to_nowhere_is_noticed() -> None:
    assert unknown_names("{% url 'home' %}{% url 'planted:page' 1 %}") == {"planted:page"}


def _marks_safe(source: str) -> bool:
    """Whether a module uses mark_safe or SafeString: the words in a comment do not count."""
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    return bool(names & {"mark_safe", "SafeString", "SafeText", "html_safe"})


def test_only_the_template_tags_may_mark_text_as_html() -> None:
    modules = [*(BASE / "console").rglob("*.py"), *(BASE / "integrations_app").rglob("*.py")]
    assert [str(path) for path in modules if MAY_MARK_SAFE not in path.parents and _marks_safe(path.read_text())] == []
    assert _marks_safe("from django.utils.safestring import mark_safe\nx = mark_safe(y)")

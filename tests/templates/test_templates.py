"""What holds for every template file, whoever wrote it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

from console.access.models import Tenant

FOLDER = Path(settings.BASE_DIR) / "templates"
PAGES = sorted(FOLDER.rglob("*.html"))
names = [str(path.relative_to(FOLDER)) for path in PAGES]

INLINE = re.compile(r"""\sstyle\s*=|\son[a-z]+\s*=\s*["']|<style|hx-on|hx-vals\s*=\s*["']js:|javascript:""")
BARE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)")
STYLES = (Path(settings.BASE_DIR) / "static" / "console.css").read_text()


@pytest.mark.parametrize("name", names)
def test_it_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", names)
def test_it_has_no_inline_style_or_script(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert not INLINE.search(text)
    assert not BARE_SCRIPT.search(text)


@pytest.mark.parametrize("name", [name for name in names if "/_" in name or name.startswith("components/")])
def test_a_fragment_says_first_what_it_needs(name: str) -> None:
    assert (FOLDER / name).read_text().startswith("{# needs: ")


@pytest.mark.parametrize("name", names)
def test_its_icons_exist(name: str) -> None:
    sprite = (Path(settings.BASE_DIR) / "static" / "icons.svg").read_text()
    for icon in re.findall(r"""{% icon ['"](\w+)['"]""", (FOLDER / name).read_text()):
        assert f'id="i-{icon}"' in sprite


@pytest.mark.parametrize("colour", Tenant.Colour.values)
def test_every_colour_of_a_tenant_has_its_tones(colour: str) -> None:
    assert f'[data-colour="{colour}"] {{ --tenant: light-dark(' in STYLES


@pytest.mark.parametrize("name", ["400.html", "500.html", "403_csrf.html"])
def test_the_last_pages_need_no_request_and_no_manifest(name: str) -> None:
    html = get_template(name).render({"request_id": "0123"})
    assert "/static/console.css" in html

"""The page at /, in a real Chromium: what a person does with it and sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from structgen.python_types.exact import ExactValidator
from tests.server.browser import BROWSER, DRIVER, Browser
from tests.server.kit import Running

PAGE = Path(__file__).resolve().parents[2] / "structgen" / "server" / "playground.html"
needs_browser = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="chromium and chromedriver are missing")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = Browser()
    yield found
    found.close()


def ran(browser: Browser, server: Running, example: str) -> None:
    browser.open(server.url)
    browser.wait("return model !== null")
    browser.click(f"#example-{example}")
    browser.click("#go")
    browser.wait("return document.body.dataset.runs === '1'")


def test_the_page_asks_nobody_else() -> None:
    text = PAGE.read_text()
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*['\"(]?(?:https?:)?//", text)
    assert "import " not in text and len(text) < 20_000


@needs_browser
def test_a_schema_is_answered_token_by_token(browser: Browser, server: Running) -> None:
    ran(browser, server, "person")
    answer = browser.text("#answer")
    assert json.loads(answer)["age"] == 36
    tokens = browser.run("return rows")
    assert "".join(each["token"] for each in tokens).startswith(answer)
    assert all(each["allowed"] >= 1 and each["mask_us"] > 0 for each in tokens)
    shown = browser.run("return [...document.querySelectorAll('.token')].map(e => [e.className, e.title])")
    assert len(shown) == len(tokens)
    for (name, title), each in zip(shown, tokens, strict=True):
        assert ("forced" in name) == each["forced"]
        assert f"allowed: {each['allowed']}" in title
    assert browser.run("return document.querySelectorAll('#table tr').length") == len(tokens) + 1
    assert "masks" in browser.text("#sums") and "stop" in browser.text("#finish")
    assert browser.complaints() == []


@needs_browser
def test_a_type_in_lines_is_a_schema(browser: Browser, server: Running) -> None:
    ran(browser, server, "type")
    schema = browser.run("return schemaOfType(document.querySelector('#constraint').value)")
    assert schema["required"] == ["name", "age", "mood", "tags"] and schema["properties"]["mood"]["enum"] == [
        "good",
        "bad",
    ]
    assert ExactValidator(schema).fault(browser.text("#answer")) is None
    browser.type("#constraint", "name: strange")
    browser.click("#go")
    browser.wait("return document.querySelector('#error').style.display === 'block'")
    assert "line 1: the type strange is not known" in browser.text("#error")


@needs_browser
def test_calls_are_shown_with_their_arguments(browser: Browser, server: Running) -> None:
    browser.open(server.url)
    browser.wait("return model !== null")
    browser.click("#example-tools")
    options = "{...inner(), tool_choice: 'required', parallel_tool_calls: false}"
    browser.run(f"window.request = (inner => () => ({options}))(request)")
    browser.click("#go")
    browser.wait("return document.body.dataset.runs === '1'")
    assert browser.text(".call b").strip() == "set_light"
    assert set(json.loads(browser.text(".call code"))) == {"room", "state"}


@needs_browser
def test_an_error_is_shown_with_its_pointer_and_marked(browser: Browser, server: Running) -> None:
    ran(browser, server, "mistake")
    assert "SchemaError" in browser.text("#error") and "#/properties/age/type" in browser.text("#error")
    box = "document.querySelector('#constraint')"
    marked = browser.run(f"return {box}.value.slice({box}.selectionStart, {box}.selectionEnd)")
    assert marked == '"type"'
    browser.click("#example-date")
    browser.click("#go")
    browser.wait("return document.body.dataset.runs === '2'")
    assert browser.run("return document.querySelector('#error').style.display") == "none"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", browser.text("#answer"))


@needs_browser
def test_free_text_and_a_key(browser: Browser, start: object) -> None:
    running = start(api_key="open sesame")  # type: ignore[operator]
    browser.open(running.url)
    browser.wait("return document.querySelector('#model').textContent.includes('key')")
    browser.type("#key", "open sesame\t")
    browser.wait("return model !== null")
    browser.click("[data-kind=none]")
    browser.type("#budget", "5")
    browser.click("#go")
    browser.wait("return document.body.dataset.runs === '1'")
    assert len(browser.run("return rows")) <= 5
    assert "all" in browser.text("#table")

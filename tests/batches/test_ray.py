"""The recipe of docs/ray.md on one machine and on a cluster: killing workers loses no answer and doubles none."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from structgen.batches import Answerer

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("default"),  # Ray's own
]

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    json.dumps(
        {
            "custom_id": f"q{number}",
            "prompt": f"Bob is {number} years old.",
            "temperature": 1,
            "max_tokens": 30,
            **({"regex": "[a-z]{2,9}( [a-z]{2,9}){0,4}"} if number % 3 else {"regx": "a"}),
        }
    )
    for number in range(40)
]


class Answers:
    """As in docs/ray.md; `deaths` is a folder: the worker that makes one of its files is killed in that call."""

    def __init__(self, deaths: str, many: int) -> None:
        self.answer, self.deaths, self.many = Answerer(rows=4), Path(deaths), many

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answers = [json.dumps(answer) for answer in self.answer(batch["text"])]
        for number in range(self.many):
            file = self.deaths / str(number)
            try:
                file.touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)  # with its answers made, and not given
        return {"answer": answers}


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of processes: a head without cores, and two machines of one core each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    environment = {"env_vars": {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}}
    ray.init(address=cluster.address, runtime_env=environment, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield cluster, machines
    ray.shutdown()
    cluster.shutdown()


def answered(tmp_path: Path, many: int) -> Any:
    """The dataset of answers, not computed yet; `many` workers are killed on the way."""
    import ray

    source = tmp_path / "questions.jsonl"
    source.write_text("\n".join(LINES) + "\n")
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    return (
        ray.data.read_text(str(source))
        .repartition(10)
        .map_batches(
            Answers,
            fn_constructor_args=(str(deaths), many),
            batch_size=4,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=2),
        )
    )


def check(rows: Any) -> None:
    """Each line is answered once, as one process answers them all."""
    found = [json.loads(row["answer"]) for row in rows]
    assert sorted(answer["custom_id"] for answer in found) == sorted(json.loads(line)["custom_id"] for line in LINES)
    whole = {answer["custom_id"]: answer for answer in Answerer(rows=16)(LINES)}
    for answer in found:
        other = whole[answer["custom_id"]]
        assert (answer.get("text"), answer.get("error")) == (other.get("text"), other.get("error"))


def test_workers_that_are_killed(cluster: Any, tmp_path: Path) -> None:
    check(answered(tmp_path, many=3).iter_rows())
    assert len(list((tmp_path / "deaths").iterdir())) == 3


def test_a_machine_that_goes_away(cluster: Any, tmp_path: Path) -> None:
    """Beside a worker that is killed, one of two machines is taken out while its answers are still to come."""
    nodes, machines = cluster
    rows = iter(answered(tmp_path, many=1).iter_rows())
    first = [next(rows) for _ in range(2)]
    nodes.remove_node(machines[1], allow_graceful=False)
    check([*first, *rows])

"""Canvases: are masks right, what fits, what do they cost, and what do they change?

    python -m benchmarks canvas [--canvases 100000] [--schemas 120] [--tokenizer llama3] [--runs 20] [--parts bits,...]

`bits`: random small canvases against every fill (benchmarks/canvas_check.py). `costs`: milliseconds for the masks of
all slots, all open and half fixed, for one more token, and of tables. `nested`: the same without a bound of nesting.
`law`: its law, all slots open, and a whole run of `denoise`.
`fits`: schemas of maskbench-dev on 256 slots, the depth to which they are unrolled. `valid`: denoisers that know
nothing, by method and steps. Methods: plain; `rejected`, each token checked against holes of any length, 100 tries a
token (Mündler et al. 2025: the text is given up beyond); `slots`, masks of each slot, tokens of one step drawn by
themselves; `joint`, whole fills. `adapters`: valid texts of real pipelines (benchmarks/canvas_adapters.py). `overhead`:
the law beside a call of a bidirectional network with random weights.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import jsonschema
import numpy as np
from numpy.typing import NDArray

import structgen as sg
from benchmarks import corpora, tokenizers
from benchmarks.canvas_adapters import adapters
from benchmarks.canvas_check import wrong_bits
from benchmarks.data import RESULTS, Slow, at_most, maskbench, summary, write_results
from structgen.bits import ids_of
from structgen.disk_cache import cache_root
from structgen.infilling import tables
from structgen.infilling.canvas import Canvas
from structgen.infilling.nested import NestedSlots
from structgen.samplers.choosers import RandomChooser

STYLE = sg.JsonStyle("json_dumps", max_digits=None)
DEPTHS = (None, 3, 2, 1)  # None: with a stack, or to nesting 4
PARTS = ("bits", "costs", "nested", "law", "fits", "valid", "adapters", "overhead")
TRIES = 100
Model = Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]]


def bits(count: int) -> dict[str, int]:
    """Wrong bits of so many random canvases."""
    wrong = looks = seed = 0
    while looks < count:
        found = wrong_bits(seed, 150)
        wrong, looks, seed = wrong + found[0], looks + found[1], seed + 1
    return {"part": "bits", "canvases": looks, "languages": seed, "wrong": wrong}  # type: ignore[dict-item]


def forget_tables() -> None:
    """Make tables be made again: in memory and on disk there are none."""
    tables._tables.clear()
    shutil.rmtree(cache_root() / "canvases", ignore_errors=True)


def _ms(work: Callable[[], object], rounds: int = 3) -> float:
    """Least milliseconds of some rounds."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        found.append(1e3 * (time.perf_counter() - started))
    return min(found)


def costs(vocabulary: sg.Vocabulary) -> Iterator[dict[str, Any]]:
    """Tables and masks of five constraints."""
    regular = r"(\d{4}-\d\d-\d\d [A-Z]{3,8}: [^\n]{1,60}\n){1,20}"
    cases: dict[str, dict[str, Any]] = {
        "any JSON, any style": {"schema": True, "style": sg.JsonStyle.any()},
        "any JSON, json_dumps": {"schema": True, "style": STYLE},
        "SQL": {"gbnf": corpora.SQL},
        "Python": {"gbnf": corpora.PYTHON},
        "lines of a log (regex)": {"regex": regular},
    }
    for name, source in cases.items():
        constraint = sg.compile(vocabulary=vocabulary, **source)
        depth = 4 if "JSON" in name else 1
        forget_tables()
        started = time.perf_counter()
        try:
            first = Canvas(constraint, 256, depth=depth)
        except sg.LimitExceeded as error:
            yield {"part": "costs", "constraint": name, "depth": depth, "refused": error.limit}
            continue
        made = time.perf_counter() - started
        classes = tables.tables_of(constraint, 256, depth, (), tables.MOST_STATES).classes
        sizes = {"states": classes.states, "classes": classes.classes, "pairs": len(classes.pairs)}
        for slots in (32, 64, 128, 256):
            yield {
                "part": "costs",
                "constraint": name,
                "depth": depth,
                "exact": first.exact,
                "tables_s": made,
                **sizes,
                **_canvas_costs(constraint, slots, depth),
            }


def _canvas_costs(constraint: sg.Constraint, slots: int, depth: int) -> dict[str, Any]:
    """Milliseconds on one canvas: first masks, half of it fixed, each of the other tokens, rows, the law."""
    size, rng = constraint.vocabulary.size, np.random.default_rng(0)
    scores = rng.normal(size=(slots, size)).astype(np.float32)
    first = _ms(lambda: Canvas(constraint, slots, depth=depth).feasible())
    canvas = Canvas(constraint, slots, depth=depth)
    if not canvas.feasible():
        return {"slots": slots, "first_ms": first, "least_slots": canvas.least_slots()}
    rows = _ms(lambda: canvas.masks())
    law = canvas.law(scores)
    reading = _ms(lambda: canvas.law(scores), 1)
    started = time.perf_counter()
    fill, _ = law.best()
    law.log_marginals()
    dynamic = 1e3 * (time.perf_counter() - started)
    order = rng.permutation(slots).tolist()
    half = Canvas(constraint, slots, depth=depth)
    for slot in order[: slots // 2]:
        half.fix(slot, int(fill[slot]))
    commits = []
    half_ms = _ms(lambda: half.fork().feasible(), 1)
    for slot in order[slots // 2 :]:
        half.fix(slot, int(fill[slot]))
        commits.append(_ms(lambda: half.feasible(), 1))
    whole = {"first_ms": first, "rows_ms": rows, "half_ms": half_ms, "commit_ms": summary(commits)}
    return {"slots": slots, **whole, "reading_ms": reading, "best_and_marginals_ms": dynamic}


NESTED: dict[str, dict[str, Any]] = {
    "any JSON, any style": {"schema": True, "style": sg.JsonStyle.any()},
    "any JSON, json_dumps": {"schema": True, "style": STYLE},
    "JSON (gbnf)": {"gbnf": corpora.JSON},
    "GraphQL (gbnf)": {"gbnf": corpora.GRAPHQL},
}


def nested(vocabulary: sg.Vocabulary) -> Iterator[dict[str, Any]]:
    """Milliseconds of masks of all slots of texts that nest without bound."""
    rng = np.random.default_rng(0)
    for name, source in NESTED.items():
        constraint = sg.compile(vocabulary=vocabulary, **source)
        forget_tables()
        started = time.perf_counter()
        try:
            effects = tables.effects_of(constraint, 128, (), tables.MOST_STATES)
        except sg.StructgenError as error:
            yield {"part": "nested", "constraint": name, "refused": str(error).split(": ")[-1]}
            continue
        assert effects is not None
        sizes = {"states": effects.states, "classes": effects.classes, "kinds": len(effects.returns)}
        made = time.perf_counter() - started
        tables._tables.clear()
        read = _ms(partial(tables.effects_of, constraint, 128, (), tables.MOST_STATES), 1)
        for slots in (32, 64, 128):
            record = {"part": "nested", "constraint": name, "tables_s": made, "read_ms": read, "slots": slots, **sizes}
            effects = tables.effects_of(constraint, slots, (), tables.MOST_STATES)  # smaller ones have their own
            assert effects is not None
            started = time.perf_counter()
            try:
                NestedSlots(effects, slots, 0).feasible()
            except sg.LimitExceeded as error:
                yield {"part": "nested", "constraint": name, "slots": slots, "refused": error.limit}
                continue
            record["first_ms"] = 1e3 * (time.perf_counter() - started)
            commits = list(_random_commits(Canvas(constraint, slots), rng))
            yield record | {"commit_ms": summary(commits[slots // 2 :]), "early_ms": summary(commits[: slots // 2])}


def _random_commits(canvas: Canvas, rng: np.random.Generator) -> Iterator[float]:
    """Fill a canvas with random tokens of its masks in random order; milliseconds of each."""
    for slot in rng.permutation(canvas.slots).tolist():
        canvas.fix(slot, int(rng.choice(ids_of(canvas.masks()[slot]))))
        yield _ms(canvas.feasible, 1)
        assert canvas.feasible()


def law(vocabulary: sg.Vocabulary) -> Iterator[dict[str, Any]]:
    """Milliseconds of the law of texts that nest without bound, beyond reading the scores, and of a run of 16 steps."""
    rng = np.random.default_rng(0)
    for name, source in NESTED.items():
        constraint = sg.compile(vocabulary=vocabulary, **source)
        for slots in (16, 32, 64):
            scores = rng.normal(size=(1, slots, vocabulary.size)).astype(np.float32)
            canvas = Canvas(constraint, slots)
            record: dict[str, Any] = {"part": "law", "constraint": name, "slots": slots}
            if not canvas.exact:
                yield record | {"refused": "canvas_bytes"}
                continue
            canvas.law(scores[0])  # what is remembered
            record["reading_ms"] = _ms(partial(canvas.law, scores[0]), 1)
            found = canvas.law(scores[0])
            record["log_z_ms"] = _ms(lambda found=found: found.log_z, 1)  # type: ignore[misc]
            record["best_ms"] = _ms(found.best, 1)
            record["marginals_ms"] = _ms(found.log_marginals, 1)
            record["draw_ms"] = _ms(partial(found.sample, RandomChooser(0)))
            run = partial(sg.denoise, lambda ids, s=scores: s, canvas, mask_id=0, steps=16)  # type: ignore[misc]
            yield record | {"denoise_ms": _ms(run, 1)}


def fits(vocabulary: sg.Vocabulary, count: int, seconds: int) -> Iterator[dict[str, Any]]:
    """For each of a sample of real schemas: the depth that fits 256 slots, or why none does."""
    forget_tables()
    for row in maskbench(count):
        record: dict[str, Any] = {"part": "fits", "id": row["id"]}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                constraint = sg.compile(vocabulary=vocabulary, schema=row["schema"], style=STYLE)
        except sg.StructgenError as error:
            yield record | {"not_compiled": type(error).__name__}
            continue
        for depth in DEPTHS:
            started = time.perf_counter()
            try:
                with at_most(seconds):
                    canvas = Canvas(constraint, 256, depth=depth)
            except (sg.LimitExceeded, Slow) as error:
                record["refused"] = getattr(error, "limit", "seconds")
                continue
            except sg.UnsupportedCombination as error:
                record["refused"] = str(error)
                break
            classes, has_stack = canvas._layers.classes, isinstance(canvas._layers, NestedSlots)
            record |= {"depth": canvas.depth, "exact": canvas.exact, "stack": has_stack}
            record |= {"states": classes.states, "classes": classes.classes}
            record |= {"tables_s": time.perf_counter() - started, "feasible": canvas.feasible(), "refused": None}
            break
        yield record


class Task:
    """A schema, a model that reads its text, and the tokens of a canvas of it."""

    def __init__(self, vocabulary: sg.Vocabulary, schema: Any, model: Model, slots: int, mask_id: int) -> None:
        self.vocabulary, self.schema, self.model, self.slots, self.mask_id = vocabulary, schema, model, slots, mask_id
        self.constraint = sg.compile(vocabulary=vocabulary, schema=schema, style=STYLE)
        self.language = sg.language(schema=schema, style=STYLE)

    def canvas(self) -> Canvas:
        return Canvas(self.constraint, self.slots, depth=4)

    def is_valid(self, tokens: Sequence[int]) -> bool:
        """Whether the text before the first stop token is an instance, and only stop tokens follow."""
        stops = set(self.vocabulary.stop_ids)
        end = next((at for at, token in enumerate(tokens) if token in stops), len(tokens))
        try:
            jsonschema.validate(json.loads(self.vocabulary.decode(tokens[:end])), self.schema)
        except (ValueError, jsonschema.ValidationError):
            return False
        return set(tokens[end:]) <= stops

    def can_be_completed(self, tokens: Sequence[int | None]) -> bool:
        """The published check: whether some text has the fixed tokens in their order, with anything in between."""
        stops, parts, text = set(self.vocabulary.stop_ids), list[Any](), list[int]()
        end = next((at for at, token in enumerate(tokens) if token in stops), len(tokens))
        if any(token is not None and token not in stops for token in tokens[end:]):
            return False
        for token in tokens[:end]:
            if token is not None:
                text.append(token)
            elif text or not parts:
                parts += [self.vocabulary.decode(text, begins=not parts).decode("utf-8", "surrogateescape"), sg.Hole]
                text = []
        parts.append(self.vocabulary.decode(text, begins=not parts).decode("utf-8", "surrogateescape"))
        try:
            if sg.Hole not in parts:
                return parts[0] in self.language
            return not sg.infill(self.language, parts).is_empty()
        except (UnicodeEncodeError, sg.OptionError):
            return False


def run(task: Task, method: str, steps: int, seed: int) -> list[int] | None:
    """Fill a canvas in so many steps, surest tokens first; None where the method gave up."""
    canvas, chooser = task.canvas(), RandomChooser(seed)
    if method == "joint":
        found = sg.denoise(task.model, canvas, mask_id=task.mask_id, steps=steps, seed=seed)
        return list(found.tokens)
    tokens: list[int | None] = [None] * task.slots
    for share in np.array_split(np.arange(task.slots), steps):
        ids = np.array([[task.mask_id if token is None else token for token in tokens]])
        scores = task.model(ids)[0, :, : task.vocabulary.size].astype(np.float64)
        if method == "slots":
            for slot, row in enumerate(canvas.masks()):
                allowed = ids_of(row)
                kept = scores[slot, allowed]
                scores[slot] = -np.inf
                scores[slot, allowed] = kept
        if not np.isfinite(scores.max(axis=1)).all():
            return None  # no token is left somewhere: what was committed together does not go together
        scores -= np.logaddexp.reduce(scores, axis=1)[:, None]
        drawn = np.array([chooser.choice(row) for row in scores])
        sure = scores[np.arange(task.slots), drawn]
        order = [slot for slot in np.argsort(-sure, kind="stable").tolist() if tokens[slot] is None]
        for slot in order[: len(share)]:
            token = int(drawn[slot]) if method != "rejected" else _checked(task, tokens, slot, scores[slot], chooser)
            if token is None:
                return None
            tokens[slot] = token
            if method == "slots":
                canvas.fix(slot, token)
    return [token for token in tokens if token is not None]


def _checked(
    task: Task, tokens: list[int | None], slot: int, scores: NDArray[np.float64], chooser: RandomChooser
) -> int | None:
    """The first of at most 100 different draws that can still be completed."""
    for token in islice(chooser.order(scores), TRIES):
        if task.can_be_completed([*tokens[:slot], token, *tokens[slot + 1 :]]):
            return token
    return None


def network(vocabulary: sg.Vocabulary, hidden: int = 192, layers: int = 4) -> Model:
    """A bidirectional transformer with random weights: four layers over nano's tokens, 2.6 million of them."""
    import torch

    torch.manual_seed(0)
    embedding, head = torch.nn.Embedding(vocabulary.size + 1, hidden), torch.nn.Linear(hidden, vocabulary.size)
    places = torch.randn(512, hidden)
    layer = torch.nn.TransformerEncoderLayer(hidden, 6, 3 * hidden, 0.0, "gelu", batch_first=True)
    body = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False).eval()

    def model(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():
            hidden = body(embedding(torch.from_numpy(ids)) + places[: ids.shape[1]])
            found: NDArray[np.float32] = 3 * head(hidden).numpy()
        return found

    return model


def always(vocabulary: sg.Vocabulary, favoured: bytes) -> Model:
    """The same scores in every slot: 12 for each of these bytes, 0 for all other tokens."""
    scores = np.zeros(vocabulary.size)
    wanted = {bytes([byte]) for byte in favoured}
    scores[[token for token in range(vocabulary.size) if vocabulary.token_bytes(token) in wanted]] = 12.0
    return lambda ids: np.broadcast_to(scores, (1, ids.shape[1], len(scores)))


def tasks(count: int) -> Iterator[tuple[str, Task]]:
    """Denoisers that know nothing, or are against the constraint, and what they are to write."""
    from structgen import nano
    from structgen.nano.facts import exercises

    vocabulary = nano.vocabulary()
    random_network, size = network(vocabulary), vocabulary.size
    for one in islice((each for each in exercises("held:canvas", size=2) if each.sort == "extraction"), count):
        yield "random network, schemas", Task(vocabulary, one.schema, random_network, 40, size)
    for name, favoured in (("uniform", b""), ("brackets", b"[]"), ("always a beginning", b"{")):
        for _ in range(max(count // 4, 1)):
            yield f"{name}, any JSON", Task(vocabulary, True, always(vocabulary, favoured), 32, size)


def valid(count: int) -> Iterator[dict[str, Any]]:
    """Valid texts by denoiser, method and steps."""
    found: dict[tuple[str, str, int], list[bool | None]] = {}
    for number, (name, task) in enumerate(tasks(count)):
        for method in ("plain", "rejected", "slots", "joint"):
            for steps in (task.slots, 8, 1):
                tokens = run(task, method, steps, number)
                verdict = None if tokens is None else task.is_valid(tokens)
                found.setdefault((name, method, steps), []).append(verdict)
    for (name, method, steps), verdicts in found.items():
        counts = Counter(verdicts)
        record = {"part": "valid", "denoiser": name, "method": method, "steps": steps, "texts": len(verdicts)}
        yield record | {"valid": counts[True], "given_up": counts[None]}


def overhead(count: int) -> dict[str, Any]:
    """Milliseconds of a call of a network, and of everything else in a step; log Z at the first steps."""
    calls, rest, log_z = list[float](), list[float](), list[list[float]]()
    for name, task in islice(tasks(count), count):
        assert name == "random network, schemas"
        inside = [0.0]

        def timed(ids: NDArray[np.int64], task: Task = task, inside: list[float] = inside) -> Any:
            started = time.perf_counter()
            logits = task.model(ids)
            inside[0] += time.perf_counter() - started
            return logits

        started = time.perf_counter()
        found = sg.denoise(timed, task.canvas(), mask_id=task.mask_id, steps=16)
        calls.append(1e3 * inside[0] / 16)
        rest.append(1e3 * (time.perf_counter() - started - inside[0]) / 16)
        log_z.append([step.log_z for step in found.steps])
    means = [statistics.mean(step) for step in zip(*log_z, strict=True)]
    return {
        "part": "overhead",
        "model_ms": statistics.median(calls),
        "rest_ms": statistics.median(rest),
        "log_z": means,
    }


def main() -> None:
    """Measure, print, write benchmarks/results/canvas.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--canvases", type=int, default=100_000)
    parser.add_argument("--schemas", type=int, default=120)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--tokenizer", choices=tokenizers.NAMES, default="llama3")
    parser.add_argument("--parts", default=",".join(PARTS), help="others are kept as they were measured")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    kept = [] if parts == list(PARTS) else _kept(parts)
    records: list[dict[str, Any]] = kept or [{"part": "settings", **vars(arguments)}]

    def note(record: dict[str, Any]) -> None:
        records.append(record)
        print(json.dumps(record), flush=True)

    vocabulary = tokenizers.load(arguments.tokenizer).vocabulary
    measured: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
        "bits": lambda: [bits(arguments.canvases)],
        "costs": lambda: costs(vocabulary),
        "nested": lambda: nested(vocabulary),
        "law": lambda: law(vocabulary),
        "fits": lambda: fits(vocabulary, arguments.schemas, arguments.seconds),
        "valid": lambda: valid(arguments.runs),
        "adapters": lambda: adapters(arguments.texts),
        "overhead": lambda: [overhead(min(arguments.runs, 10))],
    }
    for part in parts:
        for record in measured[part]():
            note(record)
    write_results("canvas", records)


def _kept(parts: Sequence[str]) -> list[dict[str, Any]]:
    """The records of all other parts, as they were written last."""
    lines = (RESULTS / "canvas.jsonl").read_text().splitlines()[1:]
    return [record for record in map(json.loads, lines) if record["part"] not in parts]


if __name__ == "__main__":
    main()

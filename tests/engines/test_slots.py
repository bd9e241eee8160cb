"""Rows in slots give what `prefill` gives, however they join, leave, move and share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from structgen.engines import slots as module
from structgen.engines.decode import Request, decode, open_row, take_tokens
from structgen.engines.packed import pack, unpack
from structgen.engines.slots import Batches, Slots, rows_of
from structgen.engines.transformers import TransformersEngine
from structgen.errors import InvariantError, OptionError
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from tests.engines.conftest import CONFIGS

Engines = Callable[..., TransformersEngine]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"}}}


def logits_of(engine: TransformersEngine, text: list[int]) -> torch.Tensor:
    return engine.prefill([text], 0)[0][0]


def closed(rows: Slots | Batches, asked: list[Request], engine: TransformersEngine, seed: int) -> list[bytes]:
    """All requests through rows that come and go, in a random order; their texts in the order of the requests."""
    random, options = np.random.default_rng(seed), SamplingOptions(seed=7)
    waiting = [int(at) for at in random.permutation(len(asked))]
    running: list[int] = []
    opened = {at: open_row(request, engine.vocabulary, options, at) for at, request in enumerate(asked)}
    texts: dict[int, bytes] = {}
    while waiting or running:
        new = waiting[: min(rows.room, int(random.integers(1, 4)))]
        del waiting[: len(new)]
        logits: list[torch.Tensor] = []
        if running and not (rows.reads_whole and new):
            logits.append(rows.feed(0, [[opened[at].last_token] for at in running]))
        if new:
            shared = [rows.open(asked[at].prompt) for at in new]
            read = [list(asked[at].prompt[known:]) for at, known in zip(new, shared, strict=True)]
            logits.append(rows.feed(len(running), read))
            running += new
        take_tokens([opened[at] for at in running], torch.cat(logits), weigh=False)
        for place in reversed(range(len(running))):
            output = opened[running[place]].output()
            if output is not None:
                texts[running[place]] = output.data
                assert rows.leave(place) == len(running) - 1
                running[place] = running[-1]
                running.pop()
    return [texts[at] for at in range(len(asked))]


@pytest.mark.parametrize("family", [*CONFIGS, "windowed"])
def test_rows_that_come_and_go_write_what_generate_writes(
    family: str, make_engine: Engines, constrain: Callable[..., Constraint]
) -> None:
    engine = make_engine("mistral" if family == "windowed" else family, double=True)
    constraint = constrain(SCHEMA)
    prompts = [[5 + at % 3, 6, 7, 8, *range(20, 21 + at)] for at in range(9)]
    asked = [
        Request(prompt, constraint if at % 2 else None, max_tokens=10 + 3 * at, stream=at)
        for at, prompt in enumerate(prompts)
    ]
    window = engine.model.config.sliding_window if hasattr(engine.model.config, "sliding_window") else None
    try:
        if family == "windowed":
            engine.model.config.sliding_window = 6
        expected = [decode(engine, [request], SamplingOptions(seed=7))[0].data for request in asked]
        for seed in range(2):
            rows, why_not = rows_of(engine, rows=4, length=64, kept=2)
            assert isinstance(rows, Slots), why_not
            assert closed(rows, asked, engine, seed) == expected
            assert rows.count == 0
            assert rows.reused > 0
        assert closed(Batches(engine, rows=4, length=64), asked, engine, 3) == expected
    finally:
        if window is not None or family == "windowed":
            engine.model.config.sliding_window = window


def test_a_prompt_is_read_in_pieces_and_shares_what_any_slot_holds(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    rows = Slots(engine, rows=3, length=64, kept=1)
    one, other = [*range(10, 40)], [*range(10, 35), 60, 61]
    assert rows.open(one) == 0
    rows.feed(0, [one[:7]])
    assert rows.waits(other)  # the row that is being read will hold 25 of its tokens, and holds 7
    assert not rows.waits([9, *other])
    found = rows.feed(0, [one[7:]])
    torch.testing.assert_close(found[0], logits_of(engine, one), rtol=0, atol=1e-9)
    assert not rows.waits(other)
    assert rows.open(other) == 25
    torch.testing.assert_close(rows.feed(1, [other[25:]])[0], logits_of(engine, other), rtol=0, atol=1e-9)
    assert rows.open(one) == 29  # the last token is read for its logits
    torch.testing.assert_close(rows.feed(2, [one[29:]])[0], logits_of(engine, one), rtol=0, atol=1e-9)
    assert rows.leave(0) == 2
    assert rows.leave(0) == 1
    assert rows.leave(0) == 0
    assert rows.open([*other, 42]) == 27  # of rows that have left
    assert rows.reused == 25 + 29 + 27
    both = rows.feed(0, [[42]])
    torch.testing.assert_close(both[0], logits_of(engine, [*other, 42]), rtol=0, atol=1e-9)


def test_what_was_used_last_stays_longest(make_engine: Engines) -> None:
    engine = make_engine(double=True)
    rows = Slots(engine, rows=1, length=16, kept=1)
    first, second, third = [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]
    for text in (first, second):
        rows.open(text)
        rows.feed(0, [text])
        rows.leave(0)
    assert rows.open([*first, 20]) == 4
    rows.feed(0, [[20]])
    rows.leave(0)
    assert rows.open(third) == 0  # in the place of the second, which was used before the first
    rows.feed(0, [third])
    rows.leave(0)
    assert rows.open(second) == 0
    assert rows.room == 0


def test_rows_are_refused_by_name(make_engine: Engines) -> None:
    engine = make_engine()
    with pytest.raises(OptionError, match="rows must be at least 1"):
        Slots(engine, rows=0, length=8)
    rows = Slots(engine, rows=1, length=8)
    for prompt in ([], [5] * 8):
        with pytest.raises(OptionError, match="1 to 7 tokens"):
            rows.open(prompt)
    rows.open([5, 6])
    with pytest.raises(InvariantError, match="1 rows run"):
        rows.open([5])
    with pytest.raises(OptionError, match="9 tokens in slots of 8"):
        rows.feed(0, [[5] * 9])
    with pytest.raises(InvariantError, match="1 of 1"):
        rows.leave(1)


def test_a_model_that_slots_would_change_runs_in_batches(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    monkeypatch.setattr(module._Layer, "copy", lambda *_: None)  # a mutant: moved rows keep what was there before
    rows, why_not = rows_of(engine, rows=2, length=16)
    assert isinstance(rows, Batches)
    assert "differ from plain decoding" in (why_not or "")
    monkeypatch.undo()
    monkeypatch.setattr(engine.model.config, "_attn_implementation", "flash_attention_2")
    assert "flash_attention_2" in (rows_of(engine, rows=2, length=16)[1] or "")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_weights_give_the_same_logits(dtype: torch.dtype, make_engine: Engines) -> None:
    engine = make_engine(seed=3)
    engine.model.to(dtype)
    try:
        prompts = [[5, 6, 7, 8], [9, 10]]
        plain = engine.prefill(prompts, 1)[0]
        layers = list(engine.model.state_dict())
        why_not = pack(engine, 4)
        if why_not is not None:
            pytest.skip(why_not)
        assert sum(type(each).__name__ == "_Packed" for each in engine.model.modules()) == 15
        torch.testing.assert_close(engine.prefill(prompts, 1)[0], plain, rtol=1e-5, atol=1e-3)
        assert engine.model.get_output_embeddings().weight.shape[0] == engine.vocabulary.size
        unpack(engine)
        assert list(engine.model.state_dict()) == layers
    finally:
        engine.model.float()


def test_weights_that_cannot_be_packed_say_why(make_engine: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "float64" in (pack(make_engine(double=True), 4) or "")
    engine = make_engine()
    monkeypatch.setattr("structgen.engines.packed.difference", lambda *_: 1.0)
    assert "differ" in (pack(engine, 4) or "not packed")
    assert not any(type(each).__name__ == "_Packed" for each in engine.model.modules())

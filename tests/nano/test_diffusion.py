"""The shipped diffusion model: its file, what it scores, and that it copies names from a text."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import structgen as sg  # noqa: E402
from structgen import nano  # noqa: E402
from structgen.engines.loading import load_tokenizer  # noqa: E402
from structgen.nano import train_diffusion, train_fim  # noqa: E402
from structgen.nano.diffusion import FILE, Denoiser, likeliest_tokens, load, pack, unpack  # noqa: E402
from structgen.nano.prompts import prompt_text  # noqa: E402
from structgen.nano.train import Options  # noqa: E402

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model() -> Denoiser:
    return load()


def prompt(text: str) -> list[int]:
    ids: list[int] = load_tokenizer(nano.path(), local_files_only=True)(prompt_text(SCHEMA, text))["input_ids"]
    return ids


def test_its_file_is_small() -> None:
    assert (nano.path() / FILE).stat().st_size <= 4 * 2**20


def test_packed_weights_are_within_half_a_step() -> None:
    weight = torch.randn(7, 50)
    found = unpack(pack({"a": weight, "b": weight[0]}))
    assert found["b"].allclose(weight[0], atol=1e-2)
    assert ((found["a"] - weight).abs() <= weight.abs().amax(dim=1, keepdim=True) / 127 * 0.51 + 1e-3).all()


def test_every_place_sees_all_others(model: Denoiser) -> None:
    ids = np.array([prompt("Ada is 36.") + [model.mask_id] * 4])
    other = ids.copy()
    other[0, -1] = 5
    assert not np.allclose(model(ids)[0, 0], model(other)[0, 0])


def test_it_reads_a_name_and_an_age(model: Denoiser) -> None:
    vocabulary, ids = nano.vocabulary(), prompt("Maria Sanchez is 34 years old.")
    constraint = sg.compile(vocabulary=vocabulary, schema=SCHEMA, style=sg.JsonStyle("json_dumps", max_digits=3))
    for steps in (1, 8):
        canvas = sg.Canvas(constraint, 28)
        asked = {"prompt": ids, "mask_id": model.mask_id, "shifted": True, "commit": "best"}
        found = json.loads(sg.denoise(model, canvas, steps=steps, **asked).text)
        assert set(found) == {"name", "age"} and isinstance(found["age"], int)
    assert found == {"name": "Maria Sanchez", "age": 34}
    *_, last = likeliest_tokens(model, ids, 28, 4)
    assert None not in last and len(last) == 28


def test_what_is_masked_is_learnt() -> None:
    """A step of training lowers the loss on its own batch, and slots alone are masked."""
    torch.manual_seed(0)
    options = Options(start=str(nano.path()), facts=1, longest=64, batch_tokens=256, steps=1, threads=1)
    tokenizer = train_diffusion.build_tokenizer(options)
    network = train_diffusion.build_model(options, tokenizer)
    ((inputs, labels),) = islice(train_diffusion.batches(options, tokenizer), 1)
    losses = []
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(2):
        loss = train_diffusion.MaskedLoss(options, tokenizer.pad_token_id, tokenizer.eos_token_id)(
            network, inputs, labels
        )
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]


def test_a_document_with_a_hole_is_the_document() -> None:
    options = Options(start=str(nano.path()), longest=120)
    tokenizer = train_fim.build_tokenizer(options)
    tokenizer.add_tokens(list(train_fim.MARKS), special_tokens=True)
    for ids, first in islice(train_fim.holes(options, tokenizer, 2), 20):
        before, _, rest = tokenizer.decode(ids[1:first]).partition(train_fim.MARKS[1])
        behind, middle, nothing = rest.partition(train_fim.MARKS[2])
        text = before + tokenizer.decode(ids[first:-1]) + behind
        assert ids[0] == tokenizer.convert_tokens_to_ids(train_fim.MARKS[0]) and middle and not nothing
        assert json.loads(text.split("\n", 1)[1] if "\n" in text and text[0] not in '{["' else text) is not None
        assert ids[-1] == tokenizer.eos_token_id

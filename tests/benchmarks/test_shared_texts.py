"""The model of the benchmark of schemas: texts that begin alike are read once, and have the logits of plain reading."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("transformers")

from benchmarks.jsonschemabench.model import SharedTexts
from structgen.api.models import engine_of

PROMPT = "Maria Sanchez is 34 years old and lives in Lima, she says."


@pytest.mark.parametrize("kept", ["", "Maria Sanchez is 34", "Maria Sanchez was", "Bob"])
def test_logits_are_those_of_each_text_alone(kept: str) -> None:
    engine = engine_of(None)
    texts = SharedTexts(engine)
    written = [engine.encode(PROMPT), engine.encode(PROMPT[:30]), engine.encode("Bob is 3.")]
    if kept:
        texts.keep(engine.encode(kept))
    logits = texts.open(written)
    numbers = np.random.default_rng(5)
    for count in (1, 3, 3, 5, 2, 1, 1, 4):
        for row, text in enumerate(written):
            alone = engine.prefill([text], 1)[0][0].numpy()
            np.testing.assert_allclose(logits[row], alone, rtol=1e-4, atol=1e-4)
        rows = numbers.integers(0, len(written), count).tolist()
        tokens = numbers.integers(5, 200, count).tolist()
        written = [[*written[row], token] for row, token in zip(rows, tokens, strict=True)]
        logits = texts.step(rows, tokens)
        assert logits.shape[0] == count
    assert (len(texts.prompt_ms), len(texts.one_row_ms)) == (3, 1)

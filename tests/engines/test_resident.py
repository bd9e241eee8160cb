"""Rows and tables that stay on a device: the same logits and states as matchers give, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import structgen as sg
from structgen.engines.masking import apply_masks, apply_table, apply_with_torch, pack
from structgen.engines.resident import ResidentRows, TokenTable
from structgen.errors import LimitExceeded, OptionError
from structgen.grammars.ir import Grammar, Literal, Rule, alt, seq, special
from structgen.kernels.layout import DEAD, FINISHED, START

TOKENS = [b"", b"", *(bytes([b]) for b in range(32, 127)), b"ab", b"abc", b"-1", b"12", b"", b"bb", b"}{"]
VOCABULARY = sg.Vocabulary.from_bytes(TOKENS, eos=[0, 1])
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def random_rows(rng: np.random.Generator, count: int, words: int) -> list[np.ndarray]:
    return [rng.integers(0, 1 << 32, words, dtype=np.uint32) for _ in range(count)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [96, 100, 129])
def test_kernel_and_torch_make_the_same_logits(device: str, dtype: torch.dtype, width: int) -> None:
    rows = random_rows(np.random.default_rng(width), 3, 3)
    table = torch.from_numpy(pack(rows).view(np.int32)).to(device)
    index = torch.tensor([2, -1, 0, 0], dtype=torch.int32, device=device)
    kernel = torch.randn(4, width).to(dtype).to(device)
    by_torch, strided = kernel.clone(), torch.empty(4, 2 * width, dtype=dtype, device=device)[:, ::2].copy_(kernel)
    apply_table(kernel, table, index)
    apply_with_torch(by_torch, table, index)
    apply_table(strided, table, index)
    assert torch.isneginf(kernel).any() and not torch.isneginf(kernel[1]).any()
    assert torch.equal(kernel, by_torch) and torch.equal(kernel, strided)


@pytest.mark.parametrize("device", DEVICES)
def test_resident_rows_come_and_go(device: str) -> None:
    rng = np.random.default_rng(1)
    pool = random_rows(rng, 20, 4)
    resident = ResidentRows(4, device, capacity=6)
    for _ in range(60):
        rows = [None if k == 20 else pool[k] for k in rng.integers(0, 21, 6)]
        logits = torch.randn(6, 140, device=device)
        expected = apply_masks(logits, rows)
        resident.apply(logits, resident.index(rows))
        assert torch.equal(logits, expected)
    with pytest.raises(OptionError, match="7 rows"):
        resident.index(pool[:7])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pattern", ["(ab|abc)*-?12?", "[a-c]{0,5}|x+", "a"])
def test_a_token_table_is_the_matcher(device: str, pattern: str) -> None:
    constraint = sg.compile(regex=pattern, vocabulary=VOCABULARY)
    table = TokenTable(constraint, device)
    matchers, states = [constraint.matcher() for _ in range(8)], table.start(8)
    rng = np.random.default_rng(4)
    for _ in range(12):
        logits = torch.randn(8, 110, device=device)
        expected = apply_masks(logits, [m.mask() for m in matchers])
        table.apply(logits, states)
        assert torch.equal(logits, expected)
        tokens, old = rng.integers(0, len(TOKENS), 8), states
        states = table.advance(states, torch.from_numpy(tokens).to(device))
        for i, matcher in enumerate(matchers):
            assert matcher.accept(int(tokens[i])) == (int(states[i]) != DEAD)
            assert matcher.is_finished() == (int(torch.where(states[i] == DEAD, old[i], states[i])) == FINISHED)
        states = torch.where(states == DEAD, old, states)  # a rejected token changes nothing
    assert (table.next[:, :2].sum() == 2 * FINISHED * (table.next[:, 0] == FINISHED).sum()).item()


@pytest.mark.parametrize("device", DEVICES)
def test_special_tokens_are_symbols_in_a_token_table(device: str) -> None:
    texts = [b"", b"a", b"\xff", b"\xffuser\xfe", b"<user>", b"user", b"a\xfe"]
    vocabulary = sg.Vocabulary.from_bytes(texts, eos=[0], special=[5], names={"<user>": 4, "user": 5})
    body = seq(Literal(b"a"), alt(special("user"), special("<user>"), Literal(b"<user>a")), Literal(b"a"))
    constraint = sg.compile(grammar=Grammar((Rule("r", body),)), vocabulary=vocabulary)
    table, number = TokenTable(constraint, device), {START: START, DEAD: DEAD, FINISHED: FINISHED}
    pending = [START]
    while pending:
        state = pending.pop()
        for token in range(vocabulary.size):
            after, found = constraint.step(state, token), int(table.next[number[state], token])
            if after not in number:
                number[after] = found
                pending.append(after)
            assert number[after] == found
    assert len(number) > 5 and not table.next[:, [2, 3, 6]].any() and table.next[:, 5].any()


def test_a_recursive_constraint_has_no_table() -> None:
    schema = {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    constraint = sg.compile(schema=schema, vocabulary=VOCABULARY)
    with pytest.raises(LimitExceeded, match="most_states"):
        TokenTable(constraint, most_states=500)

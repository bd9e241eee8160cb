"""What each drafter proposes, on texts whose next tokens are known."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from structgen.compiler import compile_grammar
from structgen.engines.decode import Request, decode
from structgen.errors import ModelError
from structgen.grammars.json_schema import compile_schema
from structgen.kernels.layout import DEAD, START
from structgen.matcher import Constraint
from structgen.options import SamplingOptions
from structgen.speculation.drafters import (
    DraftModel,
    EarlierOutputs,
    ForcedText,
    OtherVocabulary,
    Place,
    PromptLookup,
    RecycledTokens,
    Seen,
    TrainedHeads,
    WordLookup,
    skipping,
)
from structgen.speculation.drafters import model as model_module
from structgen.speculation.drafters.base import share_of_eighths
from structgen.speculation.drafters.layout import Habits, Layout
from structgen.speculation.tree import DraftTree
from structgen.vocabulary import Vocabulary

TOKENS = [b"<end>", *(bytes([byte]) for byte in range(9, 127)), b" York", b"New", b"true", b'":', b'",', b' "', b"\n  "]
VOCABULARY = Vocabulary.from_bytes(TOKENS, eos=[0])


class Spelling:
    """Longest tokens first, as an encoder."""

    def tokens_of(self, text: str) -> list[int]:
        data, out = text.encode(), []
        while data:
            best = max((token for token in TOKENS[1:] if data.startswith(token)), key=len)
            out.append(TOKENS.index(best))
            data = data[len(best) :]
        return out


SPELLING = Spelling()


def schema(**properties: Any) -> Constraint:
    text = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return compile_grammar(compile_schema(text).grammar, VOCABULARY)


def place(text: str, constraint: Constraint | None = None, prompt: str = "?") -> Place:
    """Behind a text that was written after a prompt."""
    start, written = SPELLING.tokens_of(prompt), SPELLING.tokens_of(text)
    tokens = [*start, *written]
    state = START if constraint is None else constraint.read(START, text.encode())
    tree = DraftTree(tokens[-1], state, constraint, VOCABULARY.stop_ids)
    return Place(tokens, len(start), text.encode(), tree, constraint, VOCABULARY)


def drafted(drafter: Any, where: Place, most: int = 30) -> bytes:
    """The text of a drafter's first drafts, one behind the other."""
    drafter.begin(where)
    node, out = 0, b""
    while len(out) < most:
        drafts = list(drafter.drafts(where, node))
        if not drafts:
            break
        node = where.tree.add(node, drafts[0].token, 0.9, (drafter.name, drafts[0].kind))
        if node < 0:
            break
        out += TOKENS[drafts[0].token]
    return out


# ----------------------------------------------------------------------------------------------------------- forced


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", b'"name": "'),  # no blanks were seen: one behind a colon, none behind a bracket
        ('{"name": "x"', b', "of": {"deep": '),
        ('{\n  "name": "x"', b',\n  "of": {\n    "deep": '),
        ('{\n  "name": "x",', b'\n  "of": {\n    "deep": '),
        ('{\n  "name": "x",\n ', b' "of": {\n    "deep": '),
        ('{\n    "name": "x",\n    "of": {', b'\n        "deep": '),
        ('{\n  "name":"x"', b',\n  "of":{\n    "deep":'),
        ('{"name":"x","of":{"deep":1', b""),  # another digit, or the end
        ('{\n  "name": "x",\n  "of": {\n    "deep": true', b"\n  }\n}"),
        ('{"name": "x', b""),  # inside a string nothing is forced
    ],
)
def test_forced_text_goes_on_as_the_text_was_laid_out(text: str, expected: bytes) -> None:
    deep = {"type": "object", "properties": {"deep": {"enum": [True, 1, 12]}}, "required": ["deep"]}
    constraint = schema(name={"type": "string"}, of={**deep, "additionalProperties": False})
    assert drafted(ForcedText(SPELLING), place(text, constraint)) == expected


def test_what_is_forced_and_what_is_guessed_are_different_kinds() -> None:
    constraint = compile_grammar(compile_schema({"const": {"a": [True, "x"]}}).grammar, VOCABULARY)
    drafter, where = ForcedText(SPELLING), place('{"a": [tr', constraint)
    drafter.begin(where)
    assert [(TOKENS[draft.token], draft.kind) for draft in drafter.drafts(where, 0)] == [(b"u", 2)]  # then blanks
    only = compile_grammar(compile_schema({"const": "xyz"}).grammar, VOCABULARY)
    where = place('"x', only)
    drafter = ForcedText(SPELLING)
    drafter.begin(where)
    assert [(TOKENS[draft.token], draft.kind) for draft in drafter.drafts(where, 0)] == [(b"y", 0)]
    assert not list(ForcedText(SPELLING).drafts(place("x"), 0))  # without a constraint


def test_layouts_follow_json() -> None:
    habits = Habits()
    text = b'{\n   "a": [1, 2, {"b\\"{": [\n      3,\n      4\n   ]}],\n   "c": "'
    layout = Layout()
    for cut in range(len(text)):  # in any pieces
        layout = layout.after(text[cut : cut + 1], habits)
    assert layout == Layout().after(text)
    assert layout.in_string
    assert (habits.unit, habits.gaps[b":"[0]], habits.breaks) == (b"   ", b" ", {b"{"[0]: False, b"["[0]: True})
    ended = layout.after(b'",')
    assert (ended.broken, habits.behind(ended), habits.closing(ended)) == ((True,), b"\n   ", b"\n")
    assert Layout().after(b'{"x": "a\\').escaped


# ----------------------------------------------------------------------------------------------------------- lookup


def test_lookup_goes_on_as_the_longest_match_did() -> None:
    where = place("abc", prompt="abcdef; xbczzz; bcq")
    drafter = PromptLookup()
    assert drafted(drafter, where, 3) == b"def"
    first, second = PromptLookup(), place("abc", prompt="abcdef; xbczzz; bcq")
    first.begin(second)
    drafts = list(first.drafts(second, 0))
    assert [TOKENS[draft.token] for draft in drafts] == [b"d", b"q"]
    assert drafts[0].kind < drafts[1].kind
    assert drafted(PromptLookup(), place("zzzzy", prompt="aaaa"), 3) == b""


def test_the_output_is_looked_up_too_and_a_longer_match_counts_as_more() -> None:
    drafter = PromptLookup()
    drafter.begin(place("hello wor", prompt="?"))
    where = place("hello world, hello wor", prompt="?")
    drafter.begin(where)
    (draft,) = drafter.drafts(where, 0)
    assert (TOKENS[draft.token], draft.kind) == (b"l", 9)


# ------------------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"city": "New', b" York, NY"),
        ('{"city": "', b"New York, NY"),
        ('{"City":"n', b""),  # too little of a word
        ('{"mail": "bob', b"@x.org"),
        ('{"mail": "', b"bob@x.org"),
        ('{"zip": "', b""),
    ],
)
def test_words_are_found_whatever_stands_between(text: str, expected: bytes) -> None:
    prompt = "The facts:\ncity: New York, NY\nmail = bob@x.org\n"
    assert drafted(WordLookup(SPELLING), place(text, prompt=prompt)) == expected


def test_two_words_count_more_than_one() -> None:
    prompt = "home city: Rome\nwork city: Oslo\nend\n"
    assert drafted(WordLookup(SPELLING), place('{"home": {"city": "', prompt=prompt)) == b"Rome"
    assert drafted(WordLookup(SPELLING), place('{"other": {"city": "', prompt=prompt)) == b"Oslo"  # the latest


def test_words_of_the_output_are_found_once_they_are_complete() -> None:
    drafter = WordLookup(SPELLING)
    assert drafted(drafter, place("alpha beta; alp"), 8) == b"ha beta;"
    assert drafted(drafter, place("alpha beta; alpha gamma; alpha"), 7) == b" gamma;"


# --------------------------------------------------------------------------------------------------------- recycled


def seen(tail: bytes, state: int, **likely: float) -> Seen:
    tokens = [TOKENS.index(name.encode()) for name in likely]
    return Seen(tuple(SPELLING.tokens_of(tail.decode())), state, tokens, list(likely.values()))


def test_the_closest_finding_counts() -> None:
    def first(text: str) -> list[tuple[bytes, int]]:
        where = place(text)
        drafter.begin(where)
        return [(TOKENS[draft.token], draft.kind) for draft in drafter.drafts(where, 0)]

    drafter = RecycledTokens()
    drafter.begin(place("x"))
    drafter.observe(seen(b"ab", START, x=0.9, y=0.1))
    drafter.observe(seen(b"cb", START, z=1.0))
    assert first("ab") == [(b"x", share_of_eighths(0.9)), (b"y", share_of_eighths(0.1))]
    assert first("qb") == [(b"z", 16 + 8)]
    assert first("q!") == [(b"x", 3 * 16 + share_of_eighths(0.5)), (b"z", 3 * 16 + share_of_eighths(0.5))]


def test_only_legal_tokens_share_the_chances() -> None:
    constraint = schema(ok={"type": "boolean"})
    drafter, where = RecycledTokens(), place('{"ok":', constraint)
    drafter.begin(where)
    drafter.observe(seen(b'"ok":', where.tree.states[0], x=0.5, true=0.4, y=0.1))
    (draft,) = drafter.drafts(where, 0)
    assert (TOKENS[draft.token], draft.kind) == (b"true", 8)


def test_shares_of_probability_are_ordered() -> None:
    found = [share_of_eighths(chance / 1000) for chance in range(1001)]
    assert (found[0], found[-1], found == sorted(found), set(found)) == (0, 8, True, set(range(9)))


# ------------------------------------------------------------------------------------------------------------ store


def test_an_earlier_output_of_the_same_constraint_is_drafted() -> None:
    constraint, other = schema(name={"type": "string"}), schema(name={"type": "string"})
    EarlierOutputs().begin(place('{"name": "Ada Lovelace"}', constraint))
    assert drafted(EarlierOutputs(), place('{"name": "Ada', constraint), 11) == b' Lovelace"}'
    assert drafted(EarlierOutputs(), place('{"name": "Ada', other)) == b""
    assert drafted(EarlierOutputs(), place("Ada")) == b""  # without a constraint
    assert drafted(EarlierOutputs(most=10), place('{"name": "Ada', constraint)) == b""  # full: what was kept goes


# ----------------------------------------------------------------------------------------------------- models, heads


def test_a_draft_model_drafts_what_it_would_write(make_engine: Any) -> None:
    engine = make_engine(double=True)
    prompt = engine.encode("the quick brown fox")
    expected = decode(engine, [Request(prompt, None, 6)], SamplingOptions(temperature=0))[0].token_ids
    tree = DraftTree(prompt[-1], START, None, engine.vocabulary.stop_ids)
    where = Place(prompt, len(prompt), b"", tree, None, engine.vocabulary)
    drafter = DraftModel(engine, most=5, wide=1, least=0.0)
    node, found = 0, []
    drafter.begin(where)
    while drafts := list(drafter.drafts(where, node)):
        node = where.tree.add(node, drafts[0].token, 0.9, ("model", drafts[0].kind))
        found.append(drafts[0].token)
    assert found == list(expected[:5])
    assert not list(drafter.drafts(where, 0 if len(found) < 5 else node))  # deep enough
    where.tree.worth[0] = 0.1
    assert not list(DraftModel(engine).drafts(where, 0))  # not likely enough


def test_skipped_layers_come_back(make_engine: Any) -> None:
    engine = make_engine(double=True)
    layers = list(engine.model.base_model.layers)
    ids = [engine.encode("the quick brown fox")]
    whole = engine.prefill(ids, 0)[0]
    if len(layers) < 3:
        engine.model.base_model.layers.extend([layers[0], layers[1]])
    deep = list(engine.model.base_model.layers)
    try:
        inside = skipping(engine.model)
        for _ in range(2):
            with inside:
                assert sum(a is not b for a, b in zip(engine.model.base_model.layers, deep, strict=True)) == 1
            assert list(engine.model.base_model.layers) == deep
    finally:
        del engine.model.base_model.layers[len(layers) :]
    assert torch.equal(engine.prefill(ids, 0)[0], whole)
    with pytest.raises(ModelError, match="no list of layers"):
        skipping(torch.nn.Linear(2, 2))


def test_a_model_with_another_vocabulary_drafts_bytes(make_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "_LOOKED_AT", 400)  # a random model's likeliest tokens are seldom legal
    engine = make_engine(double=True)
    constraint = schema(name={"enum": ["the quick fox", "the lazy dog"]})
    where = place('{"name": "the ', constraint, prompt="the quick fox")
    with pytest.raises(ModelError, match="OtherVocabulary"):
        DraftModel(engine).begin(where)
    text = drafted(OtherVocabulary(engine, SPELLING, most=4, least=0.0), where)
    assert b"quick fox".startswith(text[:1]) or b"lazy dog".startswith(text[:1])
    assert text
    assert constraint.read(where.tree.states[0], text) != DEAD
    assert not drafted(OtherVocabulary(engine, SPELLING, most=4, least=0.9), place('{"name": "the ', constraint))


def test_heads_draft_by_depth_from_the_last_state() -> None:
    calls = []

    def function(state: torch.Tensor, token: int) -> list[list[tuple[int, float]]]:
        calls.append((state.tolist(), token))
        return [[(SPELLING.tokens_of("a")[0], 0.9)], [(SPELLING.tokens_of("b")[0], 0.3)]]

    where = place("x")
    assert drafted(TrainedHeads(function), where) == b""  # no state is known behind the prompt
    where.state = torch.tensor([1.0, 2.0])
    assert drafted(TrainedHeads(function), where) == b"ab"
    assert calls == [([1.0, 2.0], where.tokens[-1])]

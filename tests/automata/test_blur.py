"""Masks made from blurred states, against full walks and brute force: counts inside counts, and automata that count."""

from __future__ import annotations

import random
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from structgen.automata.blur import like_count
from structgen.automata.configurations import Configurations
from structgen.automata.likeness import similar
from structgen.automata.masks import MaskTable
from structgen.automata.network import build_network
from structgen.automata.policy import WalkPolicy
from structgen.automata.trie import build_trie
from structgen.bits import ids_of
from structgen.grammars.ir import Grammar, Literal, Rule, Terminal, seq
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.kernels import entries, registers
from structgen.kernels.layout import START

LETTERS = "ab -"
TOKENS = [b"", *("".join(word).encode() for size in range(1, 6) for word in product(LETTERS, repeat=size))]
TOKENS += [*(b"a" * size for size in range(6, 30)), *(b"ab " * size for size in range(2, 9))]
TOKENS += [b'"', b'",', b'"}', b'a"', b"\xc3\xa9"]
TRIE = build_trie(b"".join(TOKENS), np.cumsum([0, *map(len, TOKENS)]).astype(np.int64))
BLURRED = WalkPolicy(long=-1, learnt=-1, reaches=(1, 2, 4), counting=0)  # whatever can be is made from blurred rows
POLICIES = [
    BLURRED,
    WalkPolicy(long=-1, learnt=0, reaches=(3, 7), counting=0),
    WalkPolicy(long=60, learnt=1, reaches=(2, 5), counting=8),
]
NESTED = [
    "([ab]{1,7} ){0,9}",
    "(a{2,9}(-b{1,5}){0,6} ){3,12}",
    "([ab]{0,20}-){6,}[ab]{9}",
    "((a{1,4} ){1,8}-){1,8}",
    "[ab]{12,15}( [ab]{3,30})?",
]


def random_pattern(rng: random.Random, depth: int) -> str:
    kind = rng.random()
    low = rng.choice((0, 0, 1, 2, 9))
    bounds = f"{{{low},{rng.choice(('', max(low, 1), low + 3, low + 12))}}}"
    if depth == 0 or kind < 0.35:
        return rng.choice(("a", "b", "[ab]", "[^ ]", "é", "-")) + bounds
    if kind < 0.6:
        return random_pattern(rng, depth - 1) + rng.choice((" ", "-", "")) + random_pattern(rng, depth - 1)
    if kind < 0.7:
        return f"({random_pattern(rng, depth - 1)}|{random_pattern(rng, depth - 1)})"
    return f"({rng.choice(('', 'a'))}{random_pattern(rng, depth - 1)}{rng.choice((' ', '-', ''))}){bounds}"


def follow(pattern: str, policy: WalkPolicy, rng: random.Random, inside: bool, **more: int) -> MaskTable:
    """Ask for every mask of a random text; each is compared with a full walk."""
    schema = {"type": "string", "pattern": f"^(?:{pattern})$", **more}
    grammar = compile_schema({"type": "array", "items": {"properties": {"a": schema}}} if inside else schema).grammar
    automaton = Configurations(build_network(grammar))
    masks, state = MaskTable(automaton, TRIE, (0,), policy=policy, check=True), START
    for byte in b'[{"a":' if inside else b"":
        state = automaton.advance(state, bytes([byte]))
    for _ in range(12):
        allowed = [token for token in ids_of(masks.row(state)).tolist() if token]
        if not allowed:
            break
        state = automaton.advance(state, TOKENS[min(rng.sample(allowed, min(3, len(allowed))))])
    return masks


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pattern", NESTED)
def test_counts_inside_counts(pattern: str, policy: WalkPolicy) -> None:
    for seed in range(3):
        follow(pattern, policy, random.Random(seed), inside=seed == 2)


@pytest.mark.parametrize("seed", range(60))
def test_random_counts(seed: int) -> None:
    rng = random.Random(seed)
    follow(random_pattern(rng, 3), rng.choice(POLICIES), rng, inside=rng.random() < 0.3)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pattern", ["([ab]+ +){0,9}[ab]+", "(a+(-|é)?){3,}", "([ab]{1,3}-){2,12}", "([ab]+-){5,12}"])
def test_words_and_characters_are_counted(pattern: str, policy: WalkPolicy) -> None:
    """Words by states and characters by weights; their bounds are met, and far away."""
    for seed, most in product(range(3), (12, 30, 90)):
        follow(pattern, policy, random.Random(seed), inside=seed == 2, maxLength=most)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("most", [20, 45])
def test_the_bound_of_a_first_word_leaves_room_for_the_others(most: int, policy: WalkPolicy) -> None:
    schema = {"type": "string", "pattern": "^([ab]+-){5,8}$", "maxLength": most}
    automaton = Configurations(build_network(compile_schema(schema).grammar))
    masks, state = MaskTable(automaton, TRIE, (0,), policy=policy, check=True), automaton.advance(START, b'"')
    for written in range(most - 9):
        assert state, written
        masks.row(state)
        state = automaton.advance(state, b"a")
    assert automaton.advance(state, b"-a-a-a-a-") and not automaton.advance(state, b"a")


def test_a_text_far_from_its_bounds_is_in_one_blurred_state_a_place() -> None:
    schema = {"type": "string", "pattern": "^([ab]+ +){0,60}[ab]+$", "maxLength": 300}
    automaton = Configurations(build_network(compile_schema(schema).grammar))
    masks, state = MaskTable(automaton, TRIE, (0,), policy=BLURRED, check=True), automaton.advance(START, b'"')
    for _ in range(30):
        masks.row(state := automaton.advance(state, b"ab "))
        masks.row(state := automaton.advance(state, b"b"))
    assert [len(blurred.rows) for blurred in masks._blurs()] == [2, 2, 2]


@pytest.mark.parametrize("form", ["email", "hostname"])
@pytest.mark.parametrize("policy", POLICIES)
def test_automata_that_count_by_their_states(form: str, policy: WalkPolicy) -> None:
    automaton = Configurations(build_network(compile_schema({"type": "string", "format": form}).grammar))
    masks, state = MaskTable(automaton, TRIE, (0,), policy=policy, check=True), START
    for part in (b'"', b"ab", b"-a", b"aaaa", *([b"@b"] if form == "email" else []), b"-b", *[b"a" * 9] * 5):
        masks.row(state)
        state = automaton.advance(state, part)
        assert state
    masks.row(state)


@pytest.mark.parametrize("before", [b'{"k0":"","k1":"ab ', b'{"k1":"","k0":"ab ', b'{"k2":"","k1":"ab '])
def test_members_that_were_written_are_the_same_in_a_blurred_state(before: bytes) -> None:
    """Registers number interned sets where an object has more members than they have bits, and automata intern each
    their own."""
    words = {"type": "string", "pattern": "^([ab]{1,20} ){0,50}$"}
    schema = {"properties": {f"k{k}": words for k in range(70)}, "required": ["k0", "k1"], "type": "object"}
    style = JsonStyle("compact", property_order="any")
    automaton = Configurations(build_network(compile_schema(schema, style=style).grammar))
    masks = MaskTable(automaton, TRIE, (0,), policy=BLURRED, check=True)
    state = automaton.advance(START, before)
    assert (TOKENS.index(b'"}') in ids_of(masks.row(state))) == (b"k2" not in before)
    assert len(masks._blurs()[0].rows) == 1


def test_words_of_one_length_share_their_rows() -> None:
    """Twenty words of a text, no bound within reach of a token: one blurred state of each reach."""
    grammar = compile_schema({"type": "string", "pattern": "^([ab]{1,20} ){0,50}$"}).grammar
    automaton = Configurations(build_network(grammar))
    masks, state = MaskTable(automaton, TRIE, (0,), policy=BLURRED), START
    for _ in range(20):
        masks.row(state := automaton.advance(state or START, b'"ab a' if state == START else b"b ba"))
    assert [len(blurred.rows) for blurred in masks._blurs()] == [1, 1, 1]


def test_like_counts_answer_alike() -> None:
    for least, most, more in product(range(9), (3, 5, 12, 1 << 60), range(1, 5)):
        net = SimpleNamespace(segments=np.array([[0, least, 0, 0, most, 0, more]]))
        for count in range(min(most, 14) + 1):
            like = like_count(count, least, most, more)
            assert like <= count and like == like_count(like, least, most, more)
            assert like == registers.like_count.py_func(net, 0, count)
            for read in range(1, more + 1):
                assert (count + read < most) == (like + read < most) or count + read > most
                assert (count + read >= least) == (like + read >= least)


ALIKE = ["(?!.*--)[ab-]{1,40}", "(?=[ab]{3,6}-)(a|b|-b){2,40}", "[ab]{12}|[a-]{12}"]
REACHES = (0, 1, 2, 4)


def names_that_take_the_same_texts(automaton: Configurations) -> list[int]:
    """How many names there are by reach; every text is tried at every node and at the one it is named after."""
    names = similar(automaton, REACHES)
    inner = [node for node in range(names.shape[1]) if automaton.networks.arrays.nodes[node, 5] > 0]
    states = {node: automaton.gather([(node, START, 0)]) for node in inner}
    for number, reach in enumerate(REACHES):
        for node in inner:
            assert names[number, names[number, node]] == names[number, node] <= node
            for word in product(b"ab->", repeat=reach):
                alive = [automaton.advance(states[n], bytes(word)) != 0 for n in (node, int(names[number, node]))]
                assert alive[0] == alive[1]
    found = [len(set(row.tolist())) for row in names]
    assert found == sorted(found)
    return [*found, len(names[0])]


@pytest.mark.parametrize("pattern", ALIKE)
def test_similar_nodes_take_the_same_texts(pattern: str) -> None:
    body = lower(Language.regex(pattern), utf8)
    grammar = Grammar((Rule("start", seq(Literal(b"<"), body, Literal(b">"))),))
    first, *_, last, nodes = names_that_take_the_same_texts(Configurations(build_network(grammar)))
    assert first < last < nodes


@pytest.mark.parametrize("pattern", [*ALIKE, "(a-)*b-", "((a|b)-){0,9}>-"])
def test_what_is_alike_in_a_terminal_is_so_whatever_follows(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found in the first grammar alone, where what follows goes on like the terminal itself."""
    body, compared = Terminal(lower(Language.regex(pattern), utf8)), list[int]()
    kernel = entries.similar_nodes

    def counted(h: object, moves: object, silently: bool, chosen: np.ndarray, names: object) -> int:
        compared.append(int(chosen.sum()))
        return kernel(h, moves, silently, chosen, names)

    monkeypatch.setattr(entries, "similar_nodes", counted)
    for behind in (b"ab-ab", b">", b"bb>", b"aaaa"):
        grammar = Grammar((Rule("start", seq(Literal(b"aa"), body, Literal(behind))),))
        names_that_take_the_same_texts(Configurations(build_network(grammar)))
    assert [n for n in compared if n > 2] == compared[:1]  # the rule that calls it is compared each time


@pytest.mark.parametrize("most", [0, 1, 3, 5, 40])
def test_longer_tokens_are_a_trie_of_their_own(most: int) -> None:
    short, longer = TRIE.longer(most)
    assert ids_of(short).tolist() == [t for t, token in enumerate(TOKENS) if 0 < len(token) <= most]
    longer.validate()
    assert sorted(longer.arrays.token.tolist()) == [t for t, token in enumerate(TOKENS) if len(token) > most]
    path = bytearray()
    for node in range(1, len(longer.arrays.byte)):
        path[longer.arrays.depth[node] - 1 :] = bytes([longer.arrays.byte[node]])
        first, end = longer.arrays.token_start[node : node + 2]
        assert all(TOKENS[token] == path for token in longer.arrays.token[first:end])

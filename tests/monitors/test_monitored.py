"""Constraints with a monitor: states and masks against the plain meaning, read text by text."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Iterable

import numpy as np
import pytest
import torch

import structgen as sg
from benchmarks.monitors import bits
from structgen import nano
from structgen.bits import has_bit, ids_of
from structgen.constraint_files import to_bytes
from structgen.engines.decode import Request, decode
from structgen.errors import OptionError, StorageError
from structgen.kernels.layout import DEAD, START
from structgen.monitors import Members, Question, Silent
from structgen.monitors.analyses.table import Table
from structgen.monitors.lexical.python import Python
from structgen.monitors.monitored import Monitored
from structgen.options import SamplingOptions
from structgen.testing import check_automaton_laws, check_mask_laws, check_matcher_laws
from structgen.vocabulary import Vocabulary

TABLE = Table({"p": ["grams", "gross", "id"], "q": ["p", "größe"], "empty": [], "ids": ["id", "idle", "p"]})
PIECES = [".g", "p.", "p.g", ".id", "()", ").", "().", ".p.", ".p.id", "q.p", "grams", "gr", "ams", "id", ".grams)",
          "x.y", "\n", "  ", " p", " .", ". ", ".  id", "id.", "idle", "größe", "grö", "ö".encode()[:1], "'a'.", "#p.x",
          "import q.p", "if p.", "le", "\n p.", " = q.", "p .id", "p. grams", "q.p.g", "ids.p.i"]  # fmt: skip
TEXTS = [piece if isinstance(piece, bytes) else piece.encode() for piece in PIECES]
SINGLE = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_bytes([b"", *SINGLE, *(text for text in TEXTS if len(text) > 1)], eos=[0])
EXPRESSION = r"[pq](\.[a-zö-ÿ]+|\(\)|\[[0-9]\])*( = [pq](\.[a-z]+)*)?"


def anything() -> sg.Constraint:
    return sg.compile(regex=r"(?s).*", vocabulary=VOCABULARY)


def members(**options: str) -> Members:
    return Members(TABLE, "work.py", after="rest", **options)  # type: ignore[arg-type]


def allowed(text: bytes, before: bytes = b"") -> bool:
    """The plain meaning: every member access of the table's words in the text names a member, or begins one at the end;
    behind any access a name comes, or blanks and a name."""
    lexer, state, whole = Python(), Python().start(), before + text
    for at, byte in enumerate(whole):
        if lexer.is_access(state, byte) and at >= len(before) - 1:
            rest = whole[at + 1 :]
            skipped = len(rest) - len(rest.lstrip(b" \t\f" if not state.open else b" \t\f\r\n"))
            name = re.match(rb"[A-Za-z_\x80-\xf4][A-Za-z0-9_\x80-\xf4]*", rest[skipped:])
            if name is None:
                return not rest[skipped:]
            answer = TABLE.members(Question("work.py", whole[: at + 1]))
            names = [each for each in answer if each] if not isinstance(answer, Silent) else []
            open_end = at + 1 + skipped + name.end() == len(whole)
            if names and not any(each == name[0] or (open_end and each.startswith(name[0])) for each in names):
                return False
        state = lexer.after(state, byte)
    return True


def walks(seed: int, count: int, constraint: sg.Constraint) -> Iterable[int]:
    """States along random tokens that are allowed, accesses preferred."""
    rng = random.Random(seed)
    for _ in range(count):
        state = START
        for _ in range(rng.randrange(1, 9)):
            ids = ids_of(constraint.masks.row(state))
            ids = ids[ids > 0]
            if not len(ids):
                break
            likely = [token for token in ids.tolist() if token > 256 or chr(token - 1) in "pq.()= "]
            token = rng.choice(likely if likely and rng.random() < 0.85 else ids.tolist())
            state = constraint.automaton.advance(state, VOCABULARY.token_bytes(token))
            yield state


@pytest.mark.parametrize("seed", range(4))
def test_texts_mean_what_the_table_says(seed: int) -> None:
    constraint, rng = anything() & members(), random.Random(seed)
    parts = ["p", "q", "ids", "empty", "self", ".", ".", ".", "grams", "gross", "gr", "id", "größe", " ", "(", ")", "x",
             "\n", "'", "# ", "import ", "if ", "=", "1", "idle", "p.id", "q.p."]  # fmt: skip
    seen = {True: 0, False: 0}
    for _ in range(700):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 9))).encode()
        try:
            text.decode()
        except UnicodeDecodeError:
            continue
        alive = constraint.automaton.advance(START, text) != DEAD
        assert alive == allowed(text), text
        seen[alive] += 1
    assert min(seen.values()) > 50


@pytest.mark.parametrize("regex", [r"(?s).*", EXPRESSION])
@pytest.mark.parametrize("seed", range(3))
def test_masks_are_those_of_reading_every_token(seed: int, regex: str) -> None:
    constraint = sg.compile(regex=regex, vocabulary=VOCABULARY) & members()
    states = [START, *walks(seed, 40, constraint)]
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, sorted(set(states)))


def test_a_name_is_due_at_the_cursor() -> None:
    constraint = anything() & members(before="x = p.")
    assert set(constraint.live_bytes(START)) == {*b"gi", *b" \t\f"}
    assert constraint.expected() == ("'grams'", "'gross'", "'id'")
    check_mask_laws(constraint.automaton, constraint.masks, VOCABULARY, [START, *walks(1, 10, constraint)])
    spaced = anything() & members(before="x = p. ")
    assert set(spaced.live_bytes(START)) >= set(b"gi")
    assert not set(spaced.live_bytes(START)) & set(b"xyz")


def test_laws_of_automata_and_matchers() -> None:
    constraint = sg.compile(regex=EXPRESSION, vocabulary=VOCABULARY) & members()
    texts = [b"p.grams", "q.größe = p.id".encode(), b"p.gx", b"q.p.id()", b"p.id = q.p"]
    check_automaton_laws(constraint.automaton, texts)
    check_matcher_laws(constraint, seed=1)
    check_matcher_laws(anything() & members(), seed=2)


def test_only_names_that_the_constraint_can_read_are_kept() -> None:
    constraint = sg.compile(regex=r"p\.(id|size)\(\)", vocabulary=VOCABULARY) & members()
    assert constraint.forced(constraint.read(START, b"p.")) == b"id()"
    clash = sg.compile(regex=r"p\.size", vocabulary=VOCABULARY) & members()
    assert clash.accepts("p.size")  # no member fits: the monitor is silent, and says so
    assert clash.report.silent == {"no name fits the constraint": 1}
    number = sg.compile(regex=r"p\.[0-9]", vocabulary=VOCABULARY) & members()
    assert number.accepts("p.5")  # no name can come: nothing is due


def test_silence_has_its_reasons() -> None:
    constraint = anything() & members()
    for text in (b"empty.x", b"unknown.y", b"self.z"):
        assert constraint.read(START, text) != DEAD
    assert constraint.report.silent == {"no names": 1, "not in the table": 1, "an attribute may be made here": 1}
    assert constraint.report.sites == 3
    assert constraint.report.active == 0
    inside = Table({"self": ["a"]})
    own = anything() & Members(inside, "work.py", after="more")
    assert own.read(START, b"self.new = 1") != DEAD
    assert own.read(START, b"x = self.new") == DEAD
    alone = anything() & Members(inside, "work.py")
    assert alone.read(START, b"x = self.new") != DEAD


def test_a_question_is_asked_once_per_text() -> None:
    asked: list[bytes] = []

    class Counting(Table):
        def members(self, question: Question) -> frozenset[bytes] | Silent:
            asked.append(question.before)
            return super().members(question)

    constraint = anything() & Members(Counting({"p": ["id"]}), "work.py", before="# a file\n", after="tail")
    matcher = constraint.matcher()
    for byte in b"(p.id":
        assert matcher.accept(1 + byte)
        matcher.mask()
    matcher.rollback(2)
    matcher.mask()
    matcher.fork().mask()
    assert asked.count(b"# a file\n(p.") == 1
    assert constraint.report.questions == len(asked) == len(set(asked))


def test_what_makes_no_difference_is_asked_once() -> None:
    asked: list[Question] = []

    class Strings(Table):
        def members(self, question: Question) -> frozenset[bytes] | Silent:
            asked.append(question)
            return frozenset((b"join",)) if question.before.endswith(b'"".') else super().members(question)

    constraint = anything() & Members(Strings({"p": ["id"]}), "work.py", before="p = q\n", after="tail")
    for text in (b"p.id", b"p .id", b"p  . id", b"('a'.join", b'x = "b" .join', b"''.join", b"x1 .a", b"1 .real"):
        assert constraint.read(START, text) != DEAD, text
    assert constraint.read(START, b"'a'.id") == DEAD
    assert [each.before for each in asked] == [b"p = q\np.", b'"".', b"p = q\nx1 .", b"p = q\n1 ."]
    assert constraint.read(START, b"b'a'.join") != DEAD
    assert asked[-1] == Question("work.py", b'b"".')


def test_two_monitors_on_one_constraint() -> None:
    first, second = Table({"p": ["a", "id"]}), Table({"p": ["id", "z"], "q": ["z"]})
    constraint = anything() & Members(first, "w.py", after="x") & Members(second, "w.py", after="x")
    assert isinstance(constraint, Monitored)
    assert constraint.read(START, b"p.id") != DEAD
    assert constraint.read(START, b"p.a") == DEAD
    assert constraint.read(START, b"p.z") == DEAD
    assert constraint.read(START, b"q.z") != DEAD
    check_matcher_laws(constraint, seed=4)
    clash = anything() & Members(Table({"p": ["a"]}), "w.py", after="x") & Members(second, "w.py", after="x")
    assert clash.read(START, b"p.a") != DEAD
    assert clash.report.silent["no name fits the constraint"] == 1


def test_it_belongs_to_its_process() -> None:
    constraint = anything() & members()
    with pytest.raises(StorageError):
        pickle.dumps(constraint)
    with pytest.raises(StorageError):
        to_bytes(constraint)
    assert constraint.fingerprint != anything().fingerprint
    assert constraint.fingerprint == (anything() & members()).fingerprint
    assert constraint.fingerprint != (anything() & members(before="x")).fingerprint
    with pytest.raises(OptionError, match="a monitor goes on a constraint"):
        members().__rand__("x")
    with pytest.raises(OptionError, match="no lexer for 'cobol'"):
        Members(TABLE, "x", language="cobol")


def test_special_tokens_are_no_text() -> None:
    texts = [b"", *SINGLE, b"p.", b".x"]
    vocabulary = Vocabulary.from_bytes([*texts, b""], eos=[0], special=[259], names={"<mid.p>": 259})
    from structgen.compiler import compile_grammar
    from structgen.grammars.ir import ByteSet, GrammarBuilder, Repeat, seq, special

    builder, any_byte = GrammarBuilder(), Repeat(ByteSet((1 << 128) - 1), 0, None)
    grammar = builder.build(builder.rule("text", seq(any_byte, special("<mid.p>"), any_byte)))
    constraint = compile_grammar(grammar, vocabulary) & members()
    check_matcher_laws(constraint, seed=5)
    behind = constraint.steps(START, [1 + ord("p"), 259, 1 + ord(".")])
    assert len(behind) == 3
    assert constraint.step(behind[-1], 1 + ord("z")) == DEAD  # the dot stands behind `p`, whatever token is between
    rows = [constraint.row(state) for state in behind]
    assert all(isinstance(row, np.ndarray) for row in rows)


def drawn(constraint: sg.Constraint, state: int, weights: np.ndarray) -> np.ndarray:
    """The law of a token that is drawn again where it may not come, over every outcome."""
    law = np.zeros(len(weights))

    def draw(row: np.ndarray, share: float) -> None:
        ids = ids_of(row)
        ids = ids[weights[ids] > 0]
        chances = share * weights[ids] / weights[ids].sum()
        for token, chance in zip(ids.tolist(), chances.tolist(), strict=True):
            after = constraint.tightened(state, row, token)
            if has_bit(after, token):
                law[token] += chance
            else:
                assert np.array_equal(after & ~row, np.zeros_like(row))
                draw(after, chance)

    draw(constraint.loose_row(state), 1.0)
    return law


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("regex", [r"(?s).*", EXPRESSION])
def test_a_loose_row_draws_by_the_law_of_the_exact_one(regex: str, stacked: bool) -> None:
    rng, refused = np.random.default_rng(5), 0
    written = [t for t in range(VOCABULARY.size) if t > 256 or t == 0 or chr(t - 1) in "pqid.( )gz="]

    def built() -> sg.Constraint:
        found = sg.compile(regex=regex, vocabulary=VOCABULARY) & members()
        return found & Members(Table({"p": ["id", "z"], "q": ["p"]}), "w.py", after="x") if stacked else found

    for text in (b"", b"p", b"q", b"p.", b"p.i", b"p.id", b"ids.id", b"q.p", b"p.gross = p", b"p.id = q.", b"empty"):
        constraint, again = built(), built()
        state = constraint.read(START, text)
        if state == DEAD:
            continue
        weights = np.zeros(VOCABULARY.size)
        weights[written] = rng.exponential(size=len(written))
        law = drawn(constraint, state, weights)
        row = again.row(again.read(START, text))
        exact = np.where(np.isin(np.arange(VOCABULARY.size), ids_of(row)), weights, 0)
        assert np.abs(law - exact / exact.sum()).max() < 1e-12
        loose = constraint.loose_row(state)
        assert np.array_equal(loose & row, row)
        refused += not np.array_equal(loose, row)
    assert refused > 1


def test_loose_rows_ask_for_what_is_due_alone() -> None:
    constraint = anything() & members()
    matcher = constraint.matcher()
    for byte in b"p":
        matcher.accept(1 + byte)
        row = constraint.loose_row(matcher.state)
    assert constraint.report.questions == 0
    crossing = {text: token for token, text in enumerate(constraint.vocabulary.token_bytes(t) for t in range(290))}
    kept, refused = crossing[b".g"], crossing[b".p.id"]
    assert has_bit(row, kept)
    assert constraint.tightened(matcher.state, row, kept) is row
    assert constraint.report.questions == 1
    assert not has_bit(constraint.tightened(matcher.state, row, refused), refused)
    assert constraint.report.questions == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_decode_asks_about_drawn_names_alone(temperature: float) -> None:
    """The same texts whatever is known before, none with a wrong name, one question for each access that is drawn."""
    rng = np.random.default_rng(1)
    rows = torch.from_numpy(rng.normal(size=(64, VOCABULARY.size)))
    likely = [t for t in range(VOCABULARY.size) if VOCABULARY.token_bytes(t) in TEXTS or t in (1 + ord("p"), 1 + 0x2E)]
    rows[:, likely] += 6

    class Fixed:
        vocabulary = VOCABULARY

        def prefill(self, prompts: list[list[int]], reserve: int) -> tuple[torch.Tensor, list[int]]:
            return rows[: len(prompts)], [0]

        def extend(self, tokens: list[int], context: list[int]) -> torch.Tensor:
            context[0] += 1
            return torch.stack([rows[(7 * row + context[0]) % 64] for row in range(len(tokens))])

    found = []
    options = SamplingOptions(temperature=temperature, seed=3)
    shared = anything() & members()
    for constraint in (shared, shared, anything() & members()):
        requests = [Request([], constraint, max_tokens=20, steer=False) for _ in range(6)]
        outputs = decode(Fixed(), requests, options, weigh=False)
        found.append([output.data for output in outputs])
        assert all(allowed(output.data) for output in outputs)
    assert found[0] == found[1] == found[2]
    exact = anything() & members()
    weighed = decode(Fixed(), [Request([], exact, max_tokens=20, steer=False)] * 6, options, weigh=True)
    if not temperature:
        assert [output.data for output in weighed] == found[0]
    accesses = sum(output.data.count(b".") for output in weighed)
    assert 0 < shared.report.questions <= accesses + 40
    assert exact.report.questions > shared.report.questions


def test_no_wrong_bits_along_programs() -> None:
    """A small run of `python -m benchmarks monitors bits`: four languages, regions, imports, on nano's vocabulary."""
    found = bits.measure("nano", nano.vocabulary(), 250)
    assert found["wrong"] == found["wrong_loose"] == 0
    assert found["due"] > 5
    assert found["narrowed"] > 20

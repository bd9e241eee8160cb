"""The ways to say which texts are meant: each function makes a `Language`, to be combined and passed as `grammar=`.

    sg.regex(r"[A-Z]\\w+") & sg.length(characters=(3, 20))     sg.template("Dear {name},", name=sg.regex("[A-Z][a-z]+"))
    sg.span(passage, words=True) | sg.choices(["unknown"])   sg.library("json") & sg.avoiding("null")

What each means, with examples that are run: docs/constraints.md. All raise LimitExceeded where an automaton would have
more than `Limits.product_states` states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structgen.api.language import Language, in_turn
from structgen.errors import GrammarError, OptionError, UnsupportedCombination
from structgen.grammars.ir import Grammar
from structgen.grammars.library import build
from structgen.grammars.regular.language import Language as Regular
from structgen.grammars.texts import insertions as inserted
from structgen.grammars.texts import lengths, spans
from structgen.grammars.texts import words as occurrences
from structgen.grammars.texts.template import Hole, place, read
from structgen.options import Limits

__all__ = [
    "avoiding",
    "choices",
    "containing",
    "insertions",
    "labelled",
    "language",
    "length",
    "library",
    "regex",
    "span",
    "template",
]

Bounds = int | tuple[int, int | None]


def regex(pattern: str) -> Language:
    """The texts that `re.fullmatch(pattern, text)` accepts. Raises RegexError."""
    return Language(Regular.regex(_text(pattern, "pattern"), "python"), "regex", origin=("regex", pattern))


def choices(texts: Sequence[str]) -> Language:
    """Exactly these texts."""
    members = sorted(set(_texts(texts, "choices")))
    return Language(Regular.strings(members), "choice", origin=("choices", *members))


def template(text: str, /, **holes: Language | Sequence[str]) -> Language:
    """`text` with its holes filled: `{name}` by a text of the language (or one of the strings) given as `name=`.

    Braces are doubled to stand for themselves. A name may occur once: two holes would be filled independently of each
    other. Raises GrammarError with line, column and caret.
    """
    parts: list[Language] = []
    filled: set[str] = set()
    for part in read(_text(text, "template")):
        if isinstance(part, str):
            parts.append(Language(Regular.strings([part]), "text", origin=("text", part)))
        else:
            parts.append(_filling(part, text, holes, filled))
    unused = sorted(set(holes) - filled)
    if unused:
        raise OptionError(f"the template has no hole {{{unused[0]}}}", option=unused[0])
    return in_turn(parts)


def _filling(hole: Hole, text: str, holes: Mapping[str, Language | Sequence[str]], filled: set[str]) -> Language:
    line, column, excerpt = place(text, hole.position)
    if hole.name not in holes:
        raise GrammarError(f"nothing is given for the hole {{{hole.name}}}", line=line, column=column, excerpt=excerpt)
    if hole.name in filled:
        reason = f"the hole {{{hole.name}}} occurs twice; what fills one does not bind the other: name them apart"
        raise GrammarError(reason, line=line, column=column, excerpt=excerpt)
    filled.add(hole.name)
    value = holes[hole.name]
    return value if isinstance(value, Language) else choices(value)


def span(passage: str, *, words: bool = False) -> Language:
    """A part of `passage`, at least a character long; `words`: from the beginning of a word to the end of one."""
    make = spans.word_spans if words else spans.spans
    found = make(_text(passage, "passage"), Limits().product_states)
    return Language(found, "span", origin=("span", words, passage))


def insertions(text: str, markers: Sequence[str], *, at: inserted.Places = "words", most: int = 1) -> Language:
    """`text` with up to `most` of `markers` at each place: before and behind words, or anywhere (`at="characters"`)."""
    if most < 0:
        raise OptionError(f"most must not be negative, not {most}", option="most")
    given = _texts(markers, "markers")
    if not given or "" in given:
        raise OptionError("markers are one or more texts, none of them empty", option="markers")
    found = inserted.marked(_text(text, "text"), given, Limits().product_states, at=_place(at), most=most)
    return Language(found, "insertions", origin=("insertions", text, *markers, at, most))


def labelled(
    text: str, labels: Sequence[str] | Mapping[str, tuple[str, str]], *, at: inserted.Places = "words"
) -> Language:
    """`text` unchanged but for labels around stretches of it, neither nested nor empty.

    `labels`: names, written `<name>` and `</name>`, or name -> (opening, closing) marker. Stretches begin and end at
    words, or anywhere with `at="characters"`.
    """
    pairs = dict(labels) if isinstance(labels, Mapping) else {name: (f"<{name}>", f"</{name}>") for name in labels}
    if not all(opening and closing for opening, closing in pairs.values()):
        raise OptionError("a marker must not be empty", option="labels")
    found = inserted.labelled(_text(text, "text"), pairs, Limits().product_states, at=_place(at))
    return Language(found, "labelled text", origin=("labelled", text, *sorted(pairs.items()), at))


def containing(*words: str, whole: bool = False, ignore_case: bool = False) -> Language:
    """The texts in which every one of `words` occurs; `whole`: between word boundaries."""
    found = Regular.any()
    for word in _texts(words, "words"):
        found &= occurrences.containing([word], Limits().product_states, whole=whole, ignore_case=ignore_case)
    return Language(found, "text", origin=("containing", *words, whole, ignore_case))


def avoiding(*words: str, whole: bool = False, ignore_case: bool = False) -> Language:
    """The texts in which none of `words` occurs; `whole`: between word boundaries."""
    given = _texts(words, "words")
    found = occurrences.avoiding(given, Limits().product_states, whole=whole, ignore_case=ignore_case)
    return Language(found, "text", origin=("avoiding", *words, whole, ignore_case))


def length(
    *, characters: Bounds | None = None, words: Bounds | None = None, sentences: Bounds | None = None
) -> Language:
    """The texts within bounds: (least, most), (least, None), or a number that is met exactly.

    Characters are code points; words are what `str.split()` finds; sentences end with `.!?` before white space or the
    end of the text, or with the text.
    """
    found, limit = Regular.any(), Limits().product_states
    if characters is not None:
        found &= lengths.characters(*_bounds(characters, "characters"))
    if words is not None:
        found &= lengths.words(*_bounds(words, "words"), limit)
    if sentences is not None:
        found &= lengths.sentences(*_bounds(sentences, "sentences"), limit)
    return Language(found, "text", origin=("length", characters, words, sentences))


def library(name: str, **options: Any) -> Language:
    """A language of the grammar library (`structgen.grammars.library.NAMES` lists them). Raises OptionError."""
    return Language(build(name, **options), name, origin=("library", name, *sorted(options.items())))


def language(**source: Any) -> Language:
    """What `compile` takes, as a language to combine: `language(schema=Person)`, `language(gbnf=text)`, ..."""
    from structgen.api.sources import source_of

    found = source_of(**source)
    origin = () if found.key is None else ("language", found.kind, found.key)
    grammar = found.lower().grammar
    if not isinstance(grammar, Grammar):
        reason = f"{found.kind} is read with a lexer, which other languages do not have; lexer='dynamic' does without"
        raise UnsupportedCombination(reason, operation="language")
    return Language(grammar, found.kind, origin=origin)


def _text(value: object, option: str) -> str:
    if not isinstance(value, str):
        raise OptionError(f"{option} is a string, not {type(value).__name__}", option=option)
    return value


def _texts(values: object, option: str) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        raise OptionError(f"{option} is a list of strings", option=option)
    return list(values)


def _place(at: str) -> inserted.Places:
    if at == "words":
        return "words"
    if at == "characters":
        return "characters"
    raise OptionError(f"at is 'words' or 'characters', not {at!r}", option="at")


def _bounds(value: Bounds, option: str) -> tuple[int, int | None]:
    low, high = (value, value) if isinstance(value, int) else value
    if low < 0 or (high is not None and high < low):
        raise OptionError(f"{option} needs 0 <= least <= most, not {value}", option=option)
    return low, high

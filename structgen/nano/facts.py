"""From a seed to an endless stream of exercises: a schema, a text that states the facts, and the JSON they make.

Four sorts: extraction from prose about one subject, free-form records ("kettle: 7; zone = Oslo"), lists of things,
and tool calls; a few are free JSON. Names, places and made-up words are random, so that an answer has to be copied
from its text. Every answer is valid under its schema. Held-out streams use words that no training stream contains
(see `words`). Cost: some tens of microseconds per exercise.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from structgen.nano.families import FAMILIES, LISTS, TOOLS, Family, ItemList, Slot, Tool
from structgen.nano.prompts import prompt_text, schema_text, tool_prompt, tools_schema, tools_text
from structgen.nano.values import Drawn, Source, draw, join_words
from structgen.nano.words import made_up, pick

__all__ = [
    "Exercise",
    "exercises",
    "prompt_text",
    "schema_text",
    "tool_prompt",
    "tools_schema",
    "tools_text",
]


class Exercise(NamedTuple):
    """One prompt with its answer. `prompt` is complete, special tokens included; `answer` is the JSON text."""

    sort: str
    schema: dict[str, Any]
    text: str
    prompt: str
    value: Any
    answer: str


class _Fact(NamedTuple):
    """A named value, and how sentences may state it."""

    name: str
    drawn: Drawn
    phrases: tuple[str, ...]


_RECORD_KINDS: Final = (
    "person", "city", "company", "product", "title", "phrase", "word", "word", "made", "made", "int 0 99",
    "int 100 99999", "int -20 20", "number 0 100", "price", "date", "time", "email", "phone", "code", "zip", "street",
    "option", "words", "people", "bool", "year",
)  # fmt: skip
_OPENINGS: Final = ("Hello! ", "Note: ", "Hi, ", "Please note: ", "Fact: ", "New entry: ", "For the record: ")
_NESTS: Final = ("details", "info", "data", "meta", "profile", "extra", "about", "facts", "address", "attributes")


def _key(rng: random.Random, names: Sequence[str]) -> str:
    """One of a field's names, sometimes in another spelling."""
    name = names[0] if rng.random() < 0.4 else rng.choice(names)
    shape = rng.random()
    if shape < 0.12:
        head, *tail = name.split("_")
        return head + "".join(part.capitalize() for part in tail)
    return name.replace("_", "-") if shape < 0.14 else name


def _state(src: Source, slot: Slot) -> _Fact:
    drawn = draw(src, slot.kind)
    return _Fact(_key(src.rng, slot.names), drawn, slot.denials if drawn.value is False else slot.phrases)


def _distinct(facts: list[_Fact]) -> list[_Fact]:
    return list({fact.name: fact for fact in facts}.values())


def _say(rng: random.Random, fact: _Fact, aside: bool) -> str | None:
    """State a fact as part of a sentence, or as an aside after the subject; None if it has no such phrase."""
    known = [phrase for phrase in fact.phrases if phrase.startswith("~") == aside]
    return rng.choice(known).lstrip("~").replace("{}", fact.drawn.surface) if known else None


def _prose(rng: random.Random, family: Family, subject: str, facts: list[_Fact]) -> str:
    """Sentences about a subject: asides first, then clauses, split over one or more sentences."""
    asides: list[str] = []
    clauses: list[str] = []
    for fact in facts:
        aside = _say(rng, fact, aside=True) if len(asides) < 2 and not clauses and rng.random() < 0.45 else None
        clause = aside or _say(rng, fact, aside=False) or _say(rng, fact, aside=True) or fact.drawn.surface
        (asides if aside else clauses).append(clause)
    text = ", ".join([subject, *asides])
    ending = rng.choice((".", ".", ".", "", "!"))
    if not clauses:
        return text + ending
    comma = ", " if asides and rng.random() < 0.6 else " "
    pronoun = rng.choice((*family.pronouns, subject))
    text += comma + clauses[0]
    for index, clause in enumerate(clauses[1:], start=2):
        last = index == len(clauses)
        text += rng.choice((" and ", ", ", f". {pronoun} ", f". {pronoun} ", ", and " if last else ", ")) + clause
    return text + ending


def _record(rng: random.Random, facts: list[_Fact]) -> str:
    """The facts as labels and values: `name: v; name = v`, one style per text."""
    pair = rng.choice(("{}: {}", "{}: {}", "{} = {}", "the {} is {}", "{} {}", "{} is {}", "{} - {}"))
    gap = rng.choice(("; ", "; ", ". ", ", ", "\n", " and " if len(facts) < 3 else "; "))
    spaced = rng.random() < 0.6
    lines = []
    for fact in facts:
        label = fact.name.replace("_", " ") if spaced else fact.name
        lines.append(pair.format(label, fact.drawn.surface))
    text = gap.join(lines)
    return text[0].upper() + text[1:] if rng.random() < 0.25 else text


def _object(facts: Sequence[_Fact], optional: frozenset[str] = frozenset()) -> Drawn:
    schema = {
        "type": "object",
        "properties": {fact.name: fact.drawn.schema for fact in facts},
        "required": [fact.name for fact in facts if fact.name not in optional],
        "additionalProperties": False,
    }
    return Drawn(schema, {fact.name: fact.drawn.value for fact in facts}, "")


def _nest(rng: random.Random, facts: list[_Fact]) -> list[_Fact]:
    """Sometimes move a run of fields into an object of their own."""
    if len(facts) < 3 or rng.random() > 0.18:
        return facts
    start = rng.randrange(len(facts) - 1)
    inner = facts[start : start + rng.randint(2, 3)]
    name = rng.choice(_NESTS)
    if name in {fact.name for fact in facts}:
        return facts
    return [*facts[:start], _Fact(name, _object(inner), ()), *facts[start + len(inner) :]]


def _absent(rng: random.Random, drawn: Drawn) -> Drawn | None:
    """What to write for a field the text does not mention: null if the type allows it, else nothing."""
    kind = drawn.schema.get("type")
    if "enum" in drawn.schema or not isinstance(kind, str) or rng.random() < 0.5:
        return None
    return Drawn({**drawn.schema, "type": [kind, "null"]}, None, "")


def _with_gaps(rng: random.Random, facts: list[_Fact], missing: list[_Fact]) -> Drawn:
    """An object whose schema also has optional or nullable fields, some of which the text does not mention."""
    optional = {fact.name for fact in facts if rng.random() < 0.4}
    entries = [(fact, True) for fact in facts]
    for fact in missing:
        null = _absent(rng, fact.drawn)
        at = rng.randint(0, len(entries))
        entries.insert(at, (fact if null is None else fact._replace(drawn=null), null is not None))
        if null is None:
            optional.add(fact.name)
    whole = _object([fact for fact, _ in entries], frozenset(optional))
    return whole._replace(value={fact.name: fact.drawn.value for fact, present in entries if present})


def _finish(src: Source, sort: str, target: Drawn, text: str) -> Exercise:
    if src.rng.random() < 0.06:
        text = src.rng.choice(_OPENINGS) + text
    return _exercise(src, sort, target, text, prompt_text(target.schema, text))


def _exercise(src: Source, sort: str, target: Drawn, text: str, prompt: str) -> Exercise:
    compact = src.rng.random() < 0.03
    answer = json.dumps(target.value, ensure_ascii=False, separators=(",", ":") if compact else None)
    return Exercise(sort, target.schema, text, prompt, target.value, answer)


def _extraction(src: Source, size: int) -> Exercise:
    """Facts about one subject, in prose or as a record."""
    rng = src.rng
    family = rng.choice(FAMILIES)
    subject = _state(src, family.subject)
    count = min(rng.randint(1, size), len(family.slots))
    told = [_state(src, slot) for slot in rng.sample(family.slots, count)]
    facts = _distinct([subject, *told])
    named = facts[0].drawn.surface
    if rng.random() < 0.75:
        lead = rng.choice(facts[0].phrases) if facts[0].phrases else "{}"
        text = _prose(rng, family, lead.replace("{}", named), facts[1:])
    else:
        text = _record(rng, facts)
    wanted = facts if rng.random() < 0.85 else facts[1:]
    if len(wanted) > 2 and rng.random() < 0.25:
        wanted = rng.sample(wanted, len(wanted) - 1)
    elif rng.random() < 0.5:
        wanted = rng.sample(wanted, len(wanted))
    if len(wanted) == 1 and rng.random() < 0.25:
        return _finish(src, "extraction", wanted[0].drawn, text)
    if rng.random() < 0.15:
        names = {fact.name for fact in facts}
        spare = [_state(src, slot) for slot in rng.sample(family.slots, 2) if not names & set(slot.names)]
        used = {fact.drawn.surface for fact in facts}
        missing = [fact for fact in _distinct(spare) if fact.drawn.surface not in used and fact.name not in names]
        return _finish(src, "extraction", _with_gaps(rng, wanted, missing), text)
    return _finish(src, "extraction", _object(_nest(rng, wanted)), text)


def _labels(src: Source, count: int) -> list[str]:
    rng = src.rng
    labels: dict[str, None] = {}
    while len(labels) < count:
        word = made_up(*src, capital=False) if rng.random() < 0.4 else pick(rng, rng.choice(("noun", "thing")), False)
        labels[f"{word}_{pick(rng, 'noun', False)}" if rng.random() < 0.15 else word] = None
    return list(labels)


def _free_record(src: Source, size: int) -> Exercise:
    """Arbitrary labels with arbitrary values: the value stands next to its label and nothing else helps."""
    rng = src.rng
    kinds = [rng.choice(_RECORD_KINDS) for _ in range(rng.randint(1, size))]
    facts = [_Fact(label, draw(src, kind), ()) for label, kind in zip(_labels(src, len(kinds)), kinds, strict=True)]
    text = _record(rng, facts)
    wanted = rng.sample(facts, rng.randint(max(1, len(facts) - 2), len(facts)))
    return _finish(src, "record", _object(_nest(rng, wanted)), text)


def _items(src: Source, items: ItemList, count: int) -> Drawn:
    """An array of objects that share one schema, and the phrases that list them."""
    rng = src.rng
    keys = [_key(rng, slot.names) for slot in items.slots]
    phrase = rng.choice(items.phrases)
    rows = [[draw(src, slot.kind) for slot in items.slots] for _ in range(count)]
    objects = [_object([_Fact(key, value, ()) for key, value in zip(keys, row, strict=True)]) for row in rows]
    surface = join_words(rng, [phrase.format(*(value.surface for value in row)) for row in rows])
    return Drawn({"type": "array", "items": objects[0].schema}, [item.value for item in objects], surface)


def _listing(src: Source, size: int) -> Exercise:
    """Somebody and a list of things, e.g. an order with its items."""
    rng = src.rng
    items = rng.choice(LISTS)
    drawn = _items(src, items, rng.randint(1, min(size, 4)))
    lead = rng.choice(items.leads)
    text = lead.replace("{}", drawn.surface)
    facts = [_Fact(_key(rng, items.names), drawn, ())]
    if not lead[0].isupper():
        who = _Fact(_key(rng, ("customer", "name", "buyer", "who", "owner")), draw(src, "person"), ())
        text = f"{who.drawn.surface} {text}"
        facts.insert(rng.randint(0, 1), who)
        if rng.random() < 0.25:
            facts.remove(who)
    if rng.random() < 0.3:
        date = _Fact(_key(rng, ("date", "day", "on")), draw(src, "date"), ())
        text += f" on {date.drawn.surface}"
        facts.insert(rng.randint(0, len(facts)), date)
    ending = rng.choice((".", ".", ""))
    target = drawn if len(facts) == 1 and rng.random() < 0.3 else _object(facts)
    return _finish(src, "list", target, text + ending)


def _signature(src: Source, tool: Tool) -> tuple[str, list[_Fact]]:
    rng = src.rng
    return _key(rng, tool.names), _distinct([_state(src, slot) for slot in tool.slots])


def _tool_call(src: Source, size: int) -> Exercise:
    """A few tools and a request that one of them can serve."""
    rng = src.rng
    offered = rng.sample(TOOLS, rng.randint(1, min(4, size)))
    signatures = [_signature(src, tool) for tool in offered]
    tools = [{"name": name, "parameters": _object(facts).schema} for name, facts in signatures]
    chosen = rng.randrange(len(offered))
    name, facts = signatures[chosen]
    if len({fact.name for fact in facts}) < len(offered[chosen].slots) or len({n for n, _ in signatures}) < len(tools):
        return _tool_call(src, size)
    if rng.random() < 0.2:
        text = rng.choice(("use ", "call ", "run ", "")) + name + " with " + _record(rng, facts)
    else:
        text = rng.choice(offered[chosen].requests).format(*(fact.drawn.surface for fact in facts))
    target = Drawn(tools_schema(tools), {"name": name, "arguments": _object(facts).value}, "")
    return _exercise(src, "tool", target, text, tool_prompt(tools, text))


def _free(src: Source, size: int) -> Exercise:
    """Any JSON about a kind of subject; there is no single right answer."""
    rng = src.rng
    family = rng.choice(FAMILIES)
    slots = (family.subject, *rng.sample(family.slots, rng.randint(1, min(4, size))))
    value = _object(_distinct([_state(src, slot) for slot in slots])).value
    return _finish(src, "free", Drawn({}, value, ""), rng.choice(("a {}", "{}", "a random {}")).format(family.noun))


_SORTS: Final = {_extraction: 0.50, _free_record: 0.20, _listing: 0.14, _tool_call: 0.14, _free: 0.02}


def exercises(seed: int | str, held_out: bool = False, size: int = 6, sort: str | None = None) -> Iterator[Exercise]:
    """An endless, reproducible stream. `size` bounds the number of fields told; `sort` keeps one sort only."""
    src = Source(random.Random(f"structgen-nano:{seed}:{held_out}"), held_out)
    makers, weights = list(_SORTS), list(_SORTS.values())
    while True:
        exercise = src.rng.choices(makers, weights)[0](src, size)
        if sort is None or exercise.sort == sort:
            yield exercise

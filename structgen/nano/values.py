"""Random values: a kind such as "int 16 99" becomes a JSON Schema, a value, and the way a sentence would say it.

A kind is a name and its arguments in one string, so that `families` stays a table. Cost: O(length of the value).
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from structgen.nano.words import made_up, pick

__all__ = ["KINDS", "Drawn", "Source", "draw", "join_words"]

_UNIT_NAMES = "zero one two three four five six seven eight nine ten eleven twelve"
_UNITS: Final = _UNIT_NAMES.split()
_MONTH_NAMES = "January February March April May June July August September October November December"
_MONTHS: Final = _MONTH_NAMES.split()


class Source(NamedTuple):
    """Where random choices come from: a generator, and which split of the words it may use."""

    rng: random.Random
    held_out: bool


class Drawn(NamedTuple):
    """One value: the schema of its field, the value itself, and the words that stand for it in a sentence."""

    schema: dict[str, Any]
    value: Any
    surface: str


def join_words(rng: random.Random, words: list[str]) -> str:
    """Write a list the way people do: `a, b and c`, `a, b, c`, `a and b`."""
    if len(words) < 2 or rng.random() < 0.25:
        return ", ".join(words)
    return ", ".join(words[:-1]) + rng.choice((" and ", " and ", ", and ")) + words[-1]


def _text(value: str, surface: str | None = None) -> Drawn:
    return Drawn({"type": "string"}, value, value if surface is None else surface)


def _name_part(src: Source, pool: str) -> str:
    return made_up(*src) if src.rng.random() < 0.5 else pick(src.rng, pool, src.held_out)


def _person(src: Source) -> Drawn:
    shape = src.rng.random()
    first, last = _name_part(src, "first"), _name_part(src, "last")
    if shape < 0.25:
        return _text(first)
    if shape < 0.28:
        return _text(f"{src.rng.choice(('Mr.', 'Mrs.', 'Ms.', 'Dr.', 'Prof.'))} {last}")
    if shape < 0.33:
        return _text(f"{first} {src.rng.choice('ABCDEFGHJKLMPRST')}. {last}")
    if shape < 0.38:
        return _text(f"{first} {_name_part(src, 'first')} {last}")
    if shape < 0.42:
        return _text(f"{first} {last}-{_name_part(src, 'last')}")
    return _text(f"{first} {last}")


def _city(src: Source) -> Drawn:
    city = _name_part(src, "city")
    if src.rng.random() < 0.08:
        city = f"{src.rng.choice(('New', 'Port', 'San', 'Saint', 'North', 'East', 'Lake'))} {city}"
    return _text(city)


def _company(src: Source) -> Drawn:
    name = _name_part(src, "last")
    return _text(f"{name} {pick(*_any(src, 'company_end'))}" if src.rng.random() < 0.6 else name)


def _any(src: Source, pool: str) -> tuple[random.Random, str, bool]:
    return src.rng, pool, src.held_out


def _word(src: Source) -> str:
    """A lower-case word: mostly made up, so that it has to be copied."""
    if src.rng.random() < 0.45:
        return made_up(*src, capital=False)
    return pick(*_any(src, src.rng.choice(("noun", "thing", "adjective", "verb", "job"))))


def _product(src: Source) -> Drawn:
    rng, shape = src.rng, src.rng.random()
    noun = pick(*_any(src, "thing"))
    if shape < 0.2:
        text = noun
    elif shape < 0.55:
        text = f"{pick(*_any(src, 'adjective'))} {noun}"
    elif shape < 0.85:
        text = f"{made_up(*src)} {noun}"
    else:
        text = f"{made_up(*src)} {rng.choice('ABCDGMPRSTXZ')}{rng.randint(1, 99)}"
    return _text(text[0].upper() + text[1:] if rng.random() < 0.3 else text)


def _title(src: Source) -> Drawn:
    words = [_word(src) for _ in range(src.rng.randint(1, 4))]
    if src.rng.random() < 0.3:
        words.insert(0, "the")
    if src.rng.random() < 0.6:
        words = [word[0].upper() + word[1:] for word in words]
    else:
        words[0] = words[0][0].upper() + words[0][1:]
    return _text(" ".join(words))


def _phrase(src: Source) -> Drawn:
    """Several words between quotation marks."""
    rng = src.rng
    words = []
    for _ in range(rng.randint(2, 6)):
        words.append(_word(src))
        if rng.random() < 0.3:
            words.append(pick(*_any(src, "small")))
    text = " ".join(words)
    left, right = rng.choice(('""', '""', "''", "“”"))
    return _text(text, f"{left}{text}{right}")


def _integer(src: Source, low: str, high: str) -> Drawn:
    value = src.rng.randint(int(low), int(high))
    surface = str(value)
    if 0 <= value <= 12 and src.rng.random() < 0.12:
        surface = _UNITS[value]
    elif value > 999 and src.rng.random() < 0.08:
        surface = f"{value:,}"
    return Drawn({"type": "integer"}, value, surface)


def _year(src: Source) -> Drawn:
    value = src.rng.randint(1850, 2030)
    return Drawn({"type": "integer"}, value, str(value))


def _number(src: Source, low: str, high: str) -> Drawn:
    rng = src.rng
    value = round(rng.uniform(float(low), float(high)), rng.choice((0, 1, 1, 2, 2)))
    if value == int(value) and rng.random() < 0.7:
        return Drawn({"type": "number"}, int(value), str(int(value)))
    return Drawn({"type": "number"}, value, str(value))


def _price(src: Source) -> Drawn:
    rng = src.rng
    value: float = round(rng.uniform(1, rng.choice((10, 100, 1000))), 2)
    if rng.random() < 0.3:
        value = int(value)
    text = f"{value:.2f}" if rng.random() < 0.3 and isinstance(value, float) else str(value)
    shapes = ("${}", "{} dollars", "{} euros", "{} EUR", "€{}", "USD {}", "{}", "£{}")
    return Drawn({"type": "number"}, value, rng.choice(shapes).format(text))


def _date(src: Source) -> Drawn:
    rng = src.rng
    day = datetime.date(rng.randint(1950, 2035), 1, 1) + datetime.timedelta(days=rng.randrange(365))
    month = _MONTHS[day.month - 1]
    shapes = (day.isoformat(), f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}")
    return Drawn({"type": "string", "format": "date"}, day.isoformat(), rng.choice((shapes[0], *shapes)))


def _time(src: Source) -> Drawn:
    return _text(f"{src.rng.randint(0, 23):02}:{src.rng.choice((0, 15, 30, 45, src.rng.randrange(60))):02}")


def _email(src: Source) -> Drawn:
    rng = src.rng
    user = _name_part(src, "first").lower()
    if rng.random() < 0.5:
        user += rng.choice("._-") + _name_part(src, "last").lower()
    text = f"{user}@{_word(src)}.{pick(*_any(src, 'domain_end'))}"
    text = text.encode("ascii", "ignore").decode()
    if text.startswith(("@", ".", "-", "_")) or "@." in text:
        return _email(src)
    return Drawn({"type": "string", "format": "email"} if rng.random() < 0.5 else {"type": "string"}, text, text)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _phone(src: Source) -> Drawn:
    rng = src.rng
    shapes = (
        f"+{rng.randint(1, 99)} {_digits(rng, 3)} {_digits(rng, 4)}",
        f"{_digits(rng, 3)}-{_digits(rng, 3)}-{_digits(rng, 4)}",
        f"{_digits(rng, 3)}-{_digits(rng, 4)}",
        _digits(rng, rng.randint(6, 10)),
        f"({_digits(rng, 3)}) {_digits(rng, 3)}-{_digits(rng, 4)}",
    )
    return _text(rng.choice(shapes))


def _code(src: Source) -> Drawn:
    rng = src.rng
    letters = "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    return _text(letters + rng.choice(("", "", "-")) + _digits(rng, rng.randint(1, 5)))


def _zip(src: Source) -> Drawn:
    return _text(_digits(src.rng, src.rng.choice((4, 5, 5))))


def _street(src: Source) -> Drawn:
    return _text(f"{src.rng.randint(1, 299)} {_name_part(src, 'last')} {pick(*_any(src, 'street_end'))}")


def _choice(src: Source, options: str) -> Drawn:
    """An enum: some of the options, in any order."""
    known = options.split("|")
    kept = src.rng.sample(known, src.rng.randint(2, min(5, len(known))))
    value = src.rng.choice(kept)
    return Drawn({"enum": kept} if src.rng.random() < 0.5 else {"type": "string", "enum": kept}, value, value)


def _any_choice(src: Source) -> Drawn:
    return _choice(src, "|".join(dict.fromkeys(_word(src) for _ in range(5))) + "|other")


def _words(src: Source, pool: str = "") -> Drawn:
    """An array of strings."""
    rng = src.rng
    words = [pick(*_any(src, pool)) if pool and rng.random() < 0.5 else _word(src) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        words = [f"{pick(*_any(src, 'adjective'))} {word}" if rng.random() < 0.5 else word for word in words]
    words = list(dict.fromkeys(words))
    return Drawn({"type": "array", "items": {"type": "string"}}, words, join_words(rng, words))


def _people(src: Source) -> Drawn:
    names = list(dict.fromkeys(_person(src).value for _ in range(src.rng.randint(1, 3))))
    return Drawn({"type": "array", "items": {"type": "string"}}, names, join_words(src.rng, names))


def _from_pool(src: Source, pool: str) -> Drawn:
    return _text(pick(*_any(src, pool)))


def _boolean(src: Source) -> Drawn:
    value = src.rng.random() < 0.5
    return Drawn({"type": "boolean"}, value, "yes" if value else "no")


KINDS: Final[dict[str, Callable[..., Drawn]]] = {
    "person": _person,
    "city": _city,
    "company": _company,
    "product": _product,
    "title": _title,
    "phrase": _phrase,
    "word": lambda src: _text(_word(src)),
    "made": lambda src: _text(made_up(src.rng, src.held_out, src.rng.random() < 0.5)),
    "int": _integer,
    "year": _year,
    "number": _number,
    "price": _price,
    "date": _date,
    "time": _time,
    "email": _email,
    "phone": _phone,
    "code": _code,
    "zip": _zip,
    "street": _street,
    "enum": _choice,
    "option": _any_choice,
    "words": _words,
    "people": _people,
    "pool": _from_pool,
    "bool": _boolean,
}


def draw(src: Source, kind: str) -> Drawn:
    """Draw a value of this kind."""
    name, *arguments = kind.split(" ")
    return KINDS[name](src, *arguments)

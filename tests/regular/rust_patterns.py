"""Random patterns in the syntax of Rust's `regex` crate, most of them valid."""

from __future__ import annotations

from random import Random

TEXT = "abkKsSßéſ\u212aÉZz1_ -\n\r~&]\u0663Ωω\u0085\ufeff²\U0001e900#x"

_LITERALS = "abkKsSßéſ\u212a1_ -\n\r~&]"
_SETS = [r"\w", r"\d", r"\s", r"\W", r"\S", r"\D", r"\pL", r"\p{Lu}", r"\P{Greek}", r"\n", r"\PL"]
_RANGES = ["a-k", "A-Z", "0-9", r"\x61-\u{6b}", "é-ß", "ß-é", " - a", "a - z"]
_NAMED = ["[:alpha:]", "[:^alpha:]", "[:upper:]", "[:space:]", "[:foo:]", "[:^lower:]"]
_PLACES = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\b{start}", r"\b{end}", r"\b{start-half}", r"\b{end-half}", r"\<"]
_OTHERS = [r"\x61", r"\u006b", r"\U0000006B", ".", ".", r"\>", "#x\n", " "]
_OPENERS = ["(", "(?:", "(?i:", "(?m:", "(?x:", "(?-u:", "(?s-i:", "(?mR:", "( ?:"]
_COUNTS = ["*", "+", "?", "*?", "+ ?", "{2}", "{1,2}", "{0,}", "{ 2 }", "{ 2 } ?", "{1 , 2}?", "{0}"]


def random_text(random: Random) -> str:
    return "".join(random.choice(TEXT) for _ in range(random.choice([0, 1, 1, 2, 3, 4, 6])))


def random_pattern(random: Random) -> str:
    """Every construct of the syntax, flags in the middle included."""
    pattern = ("(?x)" if random.random() < 0.2 else "") + _alternatives(random, 0)
    return "^(?:" + pattern + ("\n" if "#" in pattern else "") + ")$" if random.random() < 0.4 else pattern


def _literal(random: Random) -> str:
    letter = random.choice(_LITERALS)
    return "\\" + letter if letter in "&]-~ " and random.random() < 0.9 else letter


def _class(random: Random, depth: int) -> str:
    opening = "[" + random.choice(["", "", "^"]) + random.choice([""] * 8 + ["-", "]"])
    ways = [
        lambda: _literal(random),
        lambda: random.choice(_RANGES),
        lambda: random.choice(_SETS),
        lambda: random.choice(_NAMED),
        lambda: _class(random, depth + 1) if depth < 2 else "a",
        lambda: random.choice(["&&", "--", "~~"]),
    ]
    return opening + "".join(random.choice(ways)() for _ in range(random.randint(1, 3))) + "]"


def _atom(random: Random, depth: int) -> str:
    ways = [
        lambda: _literal(random),
        lambda: _literal(random),
        lambda: _class(random, 0),
        lambda: random.choice(_SETS),
        lambda: random.choice(_PLACES + _OTHERS),
        lambda: f"(?{''.join(random.sample('imsxRU', 2))}{random.choice(['', '-i', '-x', '-u', '-s'])})",
        lambda: random.choice(_OPENERS) + _alternatives(random, depth + 1) + ")" if depth < 3 else "a",
    ]
    return random.choice(ways)()


def _sequence(random: Random, depth: int) -> str:
    atoms = (_atom(random, depth) for _ in range(random.randint(0, 4)))
    return "".join(atom + (random.choice(_COUNTS) if random.random() < 0.3 else "") for atom in atoms)


def _alternatives(random: Random, depth: int) -> str:
    return "|".join(_sequence(random, depth) for _ in range(random.choice([1, 1, 1, 2, 3])))

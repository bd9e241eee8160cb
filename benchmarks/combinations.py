"""Random combinations of keywords, judged in both directions by `jsonschema` and `jsonschema-rs`, formats asserted.

A schema is a random combination of the keywords of one draft over small domains, so that they overlap, contradict and
recurse; instances are built from the schema itself, and so lie near the border of what it allows. Checked are

    accepts    every instance is accepted, as written, exactly if the judges call it valid; in declared order: if some
               order of its properties is
    writes     every text walked at random through the automaton is valid, and repeats no declared key
    masks      along these walks, a token of a small vocabulary is allowed exactly if the automaton goes on after it

Where the two judges contradict each other, or numbers leave the doubles, there is no verdict; it is counted.

    python -m benchmarks combinations --schemas 20000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from math import factorial, prod
from random import Random
from typing import Any, NamedTuple

from benchmarks.data import Slow, at_most, write_results
from benchmarks.random_schemas import DIALECTS, near, random_schema
from structgen.bits import ids_of
from structgen.compiler import compile_grammar
from structgen.errors import LimitExceeded, StructgenError, Unsatisfiable
from structgen.grammars.json_schema import JsonStyle, compile_schema
from structgen.kernels.layout import DEAD
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary

STYLES = (JsonStyle.any(), JsonStyle(), JsonStyle("compact", "any", ascii_only=True), JsonStyle("any"))
# fmt: off
PIECES = ('["', '",', '","', '"]', "],", "],[", "[[", "]]", '{"a":', '"a":', ',"b":', '{"', '":', "},", "}]", "1,",
          "1]", "10", ".5", "true", "null", "[]", "{}", ",[", ",{", '"ab', 'b"', '"a"', "\\u00", ", ", ": ")
# fmt: on
TOKENS = sorted({*map(chr, range(0x20, 0x7F)), *PIECES})
VOCABULARY = Vocabulary.from_bytes([b"", *(token.encode() for token in TOKENS)], eos=[0])
MOST_ORDERS = 600
LINE_ENDS = ("\\n", "\\r", "\\u2028", "\\u2029")
Judge = Callable[[Any], bool | None]


class Problem(NamedTuple):
    """A schema and what is wrong about it."""

    kind: str
    schema: Any
    style: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text} under {json.dumps(self.schema)} ({self.style})"


def _exact_multiple(validator: Any, divisor: Any, value: Any, schema: Any) -> Iterator[Any]:
    """`multipleOf` of `jsonschema`, which divides in binary, replaced by division of what was written."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(value, "number") and Fraction(repr(value)) % Fraction(repr(divisor)):
        yield ValidationError(f"{value!r} is not a multiple of {divisor!r}")


def judge(schema: Any) -> Judge:
    """value -> valid or not; None where `jsonschema` and `jsonschema-rs` contradict each other."""
    import jsonschema_rs
    from jsonschema.validators import Draft202012Validator, extend, validator_for

    cls = extend(validator_for(schema), {"multipleOf": _exact_multiple})
    first = cls(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )  # those of drafts 4 and 6 know fewer formats
    second = jsonschema_rs.validator_for(schema, validate_formats=True)

    text = json.dumps(schema)
    unsettled = "2019-09" in text and '"contains"' in text and '"unevaluatedItems"' in text  # see docs/json-schema.md

    def verdict(value: Any) -> bool | None:
        if unsettled:
            return None
        try:
            valid = first.is_valid(value)
        except TypeError:  # boolean `items` beside `unevaluatedItems` in draft 2019-09
            return None
        return valid if second.is_valid(value) == valid else None

    return verdict


def spelled(value: Any, style: JsonStyle) -> Any:
    """The value as the style would write it: whole numbers as digits where numbers are canonical."""
    if isinstance(value, list):
        return [spelled(item, style) for item in value]
    if isinstance(value, dict):
        return {name: spelled(item, style) for name, item in value.items()}
    is_whole = isinstance(value, float) and value.is_integer() and style.numbers == "canonical"
    return int(value) if is_whole else value


def orders(value: Any) -> Iterator[Any]:
    """The value with its properties in every order, at every depth."""
    if isinstance(value, list):
        yield from map(list, itertools.product(*(list(orders(item)) for item in value)))
    elif isinstance(value, dict):
        for names in itertools.permutations(value):
            members = [list(orders(value[name])) for name in names]
            yield from (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*members))
    else:
        yield value


def n_orders(value: Any) -> int:
    """How many values `orders` gives."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return factorial(len(value) if isinstance(value, dict) else 0) * prod(map(n_orders, inner))


def is_accepted(constraint: Constraint, style: JsonStyle, value: Any) -> bool | None:
    """Whether a text of the value is accepted: as it stands, or in some order where the style asks for one (None: these
    are too many)."""
    blanks = (",", ":") if style.whitespace == "compact" else (", ", ": ")
    if style.property_order == "any":
        tried: Iterator[Any] = iter((value,))
    elif n_orders(value) > MOST_ORDERS:
        return None
    else:
        tried = orders(value)
    texts = (json.dumps(each, ensure_ascii=style.ascii_only, separators=blanks) for each in tried)
    return any(constraint.accepts(text) for text in texts)


def walk(constraint: Constraint, rng: Random, steps: int) -> tuple[bytes, str | None]:
    """A text of random tokens, completed; and the token that is allowed wrongly or forbidden wrongly, if one is."""
    configurations = constraint.automaton
    matcher, text = constraint.matcher(), b""
    for _ in range(steps):
        state, mask = matcher.state, matcher.mask()
        allowed = set(ids_of(mask).tolist())
        for token, spelled in enumerate(TOKENS, 1):
            if (configurations.advance(state, spelled.encode()) != DEAD) != (token in allowed):
                return text, spelled
        live = sorted(allowed - {0})
        if not live:
            break
        structure = [token for token in live if TOKENS[token - 1][-1] in '"]},:']
        token = rng.choice(structure if structure and rng.random() < 0.6 else live)
        text += TOKENS[token - 1].encode()
        if not matcher.accept(token):
            return text, "accept"
    return text + configurations.shortest(matcher.state), None


def parsed(text: bytes) -> tuple[Any, bool]:
    """The value, and whether the judges see the same one: its numbers are short, no name is written twice, and no line
    ends are in it, which their patterns treat otherwise than ECMA 262 (docs/json-schema.md)."""
    judged = True

    def number(digits: str) -> float:
        nonlocal judged
        judged = judged and len(digits) < 12 and abs(Decimal(digits).adjusted()) < 16
        return float(digits)

    def integer(digits: str) -> int:
        nonlocal judged
        judged = judged and len(digits) < 15
        return int(digits)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal judged
        judged = judged and len(dict(pairs)) == len(pairs)
        return dict(pairs)

    value = json.loads(text, object_pairs_hook=members, parse_float=number, parse_int=integer)
    return value, judged and not any(end in json.dumps(value) for end in LINE_ENDS)


def problems(schema: Any, rng: Random, count: Counter[str], instances: int = 12, walks: int = 3) -> Iterator[Problem]:
    """What is wrong about a schema in one style chosen at random; `count` gets what was looked at."""
    style = rng.choice(STYLES)
    verdict = judge(schema)
    values = [spelled(near(rng, schema), style) for _ in range(instances)]
    try:
        constraint = compile_grammar(compile_schema(schema, style=style).grammar, VOCABULARY)
    except Unsatisfiable:
        count["unsatisfiable"] += 1
        yield from (Problem("unsatisfiable", schema, str(style), json.dumps(v)) for v in values if verdict(v))
        return
    except StructgenError as error:
        count["refused"] += 1
        count[f"refused {getattr(error, 'keyword', None) or getattr(error, 'limit', type(error).__name__)}"] += 1
        return
    count["compiled"] += 1
    for value in values:
        expected = verdict(value)
        if expected is None:
            count["judges differ"] += 1
            continue
        count["valid" if expected else "invalid"] += 1
        try:
            accepted = is_accepted(constraint, style, value)
        except LimitExceeded:
            count["search given up"] += 1
            continue
        if accepted is not None and accepted != expected:
            kind = "valid rejected" if expected else "invalid accepted"
            yield Problem(kind, schema, str(style), json.dumps(value))
    for steps in (0, 8, 30)[:walks]:
        try:
            text, wrong = walk(constraint, rng, steps)
        except LimitExceeded:
            count["search given up"] += 1
            continue
        if wrong is not None:
            yield Problem(f"mask of {wrong!r}", schema, str(style), text.decode())
            continue
        value, judged = parsed(text)
        expected = verdict(value) if judged else None
        count["written" if expected is not None else "written, not judged"] += 1
        if expected is False:
            yield Problem("invalid written", schema, str(style), text.decode())
        if not constraint.accepts(text):
            yield Problem("written, not accepted", schema, str(style), text.decode())


def main() -> None:
    """Try schemas, print counts and the first problems, write benchmarks/results/combinations.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks combinations")
    parser.add_argument("--schemas", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=20, help="per schema; what takes longer is counted as slow")
    options = parser.parse_args()
    count: Counter[str] = Counter()
    found: list[Problem] = []
    slow: list[Any] = []
    for number in range(options.schemas):
        rng = Random(f"{options.seed} {number}")
        schema = random_schema(rng, rng.choice(sorted(DIALECTS)))
        count["schemas"] += 1
        try:
            with at_most(options.seconds):
                for problem in problems(schema, rng, count):
                    found.append(problem)
                    print(number, problem, flush=True)
        except Slow:
            count["slow"] += 1
            slow.append(schema)
    record = {**count, "problems": len(found), "seed": options.seed}
    print(json.dumps(record, indent=1))
    write_results("combinations", [record, *(each._asdict() for each in found), *({"slow": each} for each in slow)])


if __name__ == "__main__":
    main()

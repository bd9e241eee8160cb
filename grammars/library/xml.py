"""Well-formed XML 1.0 over given element and attribute names.

An element is closed by its own name, so each name has rules of its own: for arbitrary names no context-free grammar is
well-formed. An attribute occurs once per element, in any order. Comments, CDATA sections, the five entities and an XML
declaration are included; processing instructions, document types and character references are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from structgen.errors import OptionError
from structgen.grammars.ir import Expr, Grammar, Literal, Unordered, optional, seq
from structgen.grammars.library.notation import grammar_of
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower

__all__ = ["xml"]

NAMES = ("document", "section", "title", "paragraph", "list", "item", "name", "value")
ATTRIBUTES = ("id", "class", "lang")
_LEGAL = r"\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
_ENTITY = "&(?:amp|lt|gt|quot|apos);"
_NAME = Language.regex(r"[A-Za-z_][A-Za-z0-9_.-]*", "python") - Language.regex("(?i)xml.*", "python")

_SOURCE = r"""
root    ::= ("<?xml version=\"1.0\"" (" encoding=\"UTF-8\"")? "?>" blank)? misc* element misc*
misc    ::= comment | [ \t\r\n]
content ::= text? ((element | comment | cdata | entity) text?)*
entity  ::= "&amp;" | "&lt;" | "&gt;" | "&quot;" | "&apos;"
blank   ::= [ \t\r\n]*
"""


def xml(names: Sequence[str] = NAMES, attributes: Sequence[str] = ATTRIBUTES) -> Grammar:
    """Documents whose elements and attributes have these names (ASCII, without a colon)."""
    for option, given in (("names", names), ("attributes", attributes)):
        for name in given:
            if not _NAME.contains(name):
                raise OptionError(f"{name!r} is not a name XML allows here", option=option)
    if not names:
        raise OptionError("xml needs the name of at least one element", option="names")
    elements = [f"e{number}" for number in range(len(names))]
    rules = [_SOURCE, f"element ::= {' | '.join(elements)}"]
    for rule, name in zip(elements, names, strict=True):
        rules.append(f'{rule} ::= "<{name}" attrs blank ("/>" | ">" content "</{name}" blank ">")')
    rules += ['attrs ::= ""', 'text ::= "t"', 'comment ::= "c"', 'cdata ::= "d"']
    legal = Language.regex(f"[{_LEGAL}]*", "python")
    comment = legal - Language.regex("(?s).*--.*|.*-", "python")
    cdata = legal - Language.regex(r"(?s).*\]\]>.*", "python")
    return grammar_of(
        "\n".join(rules),
        text=Language.regex(f"[{_LEGAL}]+", "python") - Language.regex(r"(?s).*[<&].*|.*\]\]>.*", "python"),
        comment=Language.chain([Language.strings(["<!--"]), comment, Language.strings(["-->"])]),
        cdata=Language.chain([Language.strings(["<![CDATA["]), cdata, Language.strings(["]]>"])]),
        attrs=_attributes(attributes),
    )


def _attributes(names: Sequence[str]) -> Expr:
    """Each at most once, in any order, with one blank before each."""
    quoted = [f"{quote}(?:(?![<&{quote}])[{_LEGAL}]|{_ENTITY})*{quote}" for quote in "\"'"]
    value = lower(Language.regex("|".join(quoted), "python"), utf8)
    members = tuple((seq(Literal(f"{name}=".encode()), value), False) for name in dict.fromkeys(names))
    return optional(seq(Literal(b" "), Unordered(members, Literal(b" "))))

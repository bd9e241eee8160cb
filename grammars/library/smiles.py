"""Molecules as SMILES (OpenSMILES): atoms, bonds, branches, and ring closures of which every one is closed.

The grammar is context-free, the closing of rings regular: each digit occurs an even number of times outside brackets.
The language is the meet of the two. Bonds stand between atoms only; valences and aromaticity are not checked.
"""

from __future__ import annotations

from functools import cache

from structgen.errors import OptionError
from structgen.grammars.combine.automaton import of_language
from structgen.grammars.combine.product import meet
from structgen.grammars.ir import ByteSet, Grammar, GrammarBuilder, Literal, Repeat, alt, joined, optional, seq
from structgen.grammars.regular.charset import utf8
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.lower import lower
from structgen.options import Limits

__all__ = ["smiles"]

MAX_RINGS = 6

ELEMENTS = [
    "He", "Li", "Be", "Ne", "Na", "Mg", "Al", "Si", "Cl", "Ar", "Ca", "Sc", "Ti", "Cr", "Mn", "Fe", "Co", "Ni", "Cu",
    "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "Xe", "Cs", "Ba", "Hf", "Ta", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At",
    "Rn", "Fr", "Ra", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "H",
    "B", "C", "N", "O", "F", "P", "S", "K", "V", "Y", "I", "W", "U", "se", "as", "b", "c", "n", "o", "p", "s",
]  # fmt: skip

_BRACKET = (
    rf"\[(?:[1-9]\d{{0,2}})?(?:{'|'.join(ELEMENTS)}|\*)@{{0,2}}(?:H[1-9]?)?(?:[+-][1-9]?)?(?::(?:0|[1-9]\d{{0,3}}))?\]"
)


@cache
def smiles(rings: int = 3) -> Grammar:
    """Molecules with ring closures numbered 1 to `rings`, at most two at an atom."""
    if not 0 <= rings <= MAX_RINGS:
        raise OptionError(f"rings is 0 to {MAX_RINGS}, not {rings}", option="rings")
    digits = "123456"[:rings]
    marks = [*digits, *(one + other for one in digits for other in digits if one != other)]
    builder = GrammarBuilder()
    bracket = builder.rule("bracket atom", lower(Language.regex(f"(?a){_BRACKET}", "python"), utf8))
    atom = alt(bracket, ByteSet.of(b"BCNOPSFIbcnops*"), Literal(b"Cl"), Literal(b"Br"))
    unit = seq(atom, optional(lower(Language.strings(marks), utf8))) if rings else atom
    bond = optional(ByteSet.of(b"-=#$:/\\"))
    # runs of atoms stand in the one rule that calls itself: which rings are open there has not to be guessed
    run = seq(unit, Repeat(seq(bond, unit)))
    chain = builder.declare("chain")
    branch = seq(Literal(b"("), bond, chain, Literal(b")"))
    builder.define(chain, seq(run, Repeat(seq(branch, optional(seq(bond, run))))))
    grammar = builder.build(builder.rule("molecule", joined(chain, Literal(b"."), 1)))
    if not rings:
        return grammar
    closed = Language.any()
    for digit in digits:
        other = rf"(?:[^\[{digit}]|\[[^\]]*\])*"
        closed &= Language.regex(f"{other}(?:{digit}{other}{digit}{other})*", "python")
    limit = Limits().product_states
    return meet(grammar, of_language(closed, limit), limit)

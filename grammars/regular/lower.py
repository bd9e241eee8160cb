"""A language to grammar IR over bytes, given how a set of code points is written.

    finite set              a trie whose unbranching stretches are literals
    expression              as it stands where one code point of look-ahead decides (counts stay counts); else as its
                            minimal automaton if that is small; else as it stands, for the parser to sort out
    given network           as it stands
    parts in turn           each for itself, one after the other; counts stay counts
    a bound on the length   of what is not an expression that can take it: counted beside the minimal automaton
    everything else         its minimal automaton, a Graph of which every state reaches an accepting one

The result is memoised on the language per spelling, so equal languages are the same object in every grammar.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, compress, repeat
from operator import sub

from structgen.errors import LimitExceeded
from structgen.grammars.ir import EPSILON, NOTHING, Expr, Graph, Repeat, alt, fewest_bytes, optional, seq
from structgen.grammars.regular.ambiguity import deterministic
from structgen.grammars.regular.charset import NONE, CharSet, ascii_mask
from structgen.grammars.regular.dfa import Dfa, distances
from structgen.grammars.regular.language import Language
from structgen.grammars.regular.machine import Budget
from structgen.grammars.regular.simplify import longest_apart
from structgen.grammars.regular.spelling import PLAIN_BITS, RARE, Spell, plain_set, spelled
from structgen.grammars.regular.syntax import Cat, Char, Choice, Edge, Look, Loop, Node, assertions, positions
from structgen.grammars.regular.terms import Network, Regex, Rounds, Strings, Union

SMALL_POSITIONS = 1000  # an expression that spreads out further is hardly ever a small automaton
SMALL_STATES = 500
SMALL_WORK = 40_000


def lower(language: Language, spell: Spell) -> Expr:
    """The byte strings that write the texts of a language; NOTHING if it is found to be empty."""
    known = language.lowered.get(spell)
    if known is None:
        known = language.lowered[spell] = _lower(language, spell)
    return known


def _lower(language: Language, spell: Spell) -> Expr:
    match language.term:
        case Strings(members):
            return _trie(members, spell)
        case Regex(node) if not assertions(node):
            if deterministic(node, NONE) or positions(node) > SMALL_POSITIONS:
                return _direct(node, spell)
            try:
                return _graph(language.automaton(Budget(SMALL_STATES, SMALL_WORK)), spell)
            except LimitExceeded:
                return _direct(node, spell)
        case Network():
            return _network(language.term, spell)
        case Rounds(parts, None):
            return seq(*(lower(Language(part), spell) for part in parts))
        case Rounds((part,), minimum, maximum):
            return Repeat(lower(Language(part), spell), minimum or 0, maximum)
        case Union(parts):
            try:
                return _graph(language.automaton(Budget(SMALL_STATES, SMALL_WORK)), spell)
            except LimitExceeded:
                return alt(*(lower(Language(part), spell) for part in parts))
    bounded = longest_apart(language.term)
    if bounded is not None:
        core, most = bounded
        weighed = _weighed(Language(core).automaton(), most, spell)
        if weighed is not None:
            return weighed
    return _graph(language.automaton(), spell)


def _weighed(dfa: Dfa, most: int, spell: Spell) -> Expr | None:
    """The texts of at most so many characters, counted beside the automaton; None where a way of fewer characters may
    take more bytes.

    The weight of a text is the length of the shortest text that begins with it: an edge adds by how much it makes that
    longer, so a bound on the weight leaves no state from which the bound cannot be kept.
    """
    if not dfa.rows:
        return NOTHING
    far = distances(dfa.rows, dfa.accepts)
    cost = {mask: _fewest(dfa.charset(mask), spell) for mask in {mask for row in dfa.rows for mask, _ in row}}
    least = dict.fromkeys((state for state, accepting in enumerate(dfa.accepts) if accepting), 0)
    for state in sorted(far, key=far.__getitem__):  # fewest bytes of those with the fewest characters
        if state not in least:
            least[state] = min(cost[mask] + least[to] for mask, to in dfa.rows[state] if far[to] < far[state])
    if any(least[state] > cost[mask] + least[to] for state, row in enumerate(dfa.rows) for mask, to in row):
        return None
    return _graph(dfa, spell, far, most - far[0]) if most >= far[0] else NOTHING


def _fewest(charset: CharSet, spell: Spell) -> int:
    """Bytes of the shortest spelling of a member."""
    return 1 if ascii_mask(charset) & PLAIN_BITS else fewest_bytes(spell(charset))


def open_states(language: Language) -> set[int]:
    """States of the language's automaton, if it has been built, after which any text can be made to fit.

    All characters lead from them to such states: the greatest set with that property. What `lower` makes of an
    automaton keeps the numbers of its states. Linear.
    """
    dfa = language.known_automaton
    if dfa is None or len(dfa) == 1:
        return set()
    free = {state for state, row in enumerate(dfa.rows) if sum([mask for mask, _ in row]) == dfa.alphabet.everything}
    sources: dict[int, list[int]] = {}
    for state in free:
        for _, target in dfa.rows[state]:
            sources.setdefault(target, []).append(state)
    closed = [state for state in sources if state not in free]
    while closed:
        for state in sources.get(closed.pop(), ()):
            if state in free:
                free.remove(state)
                closed.append(state)
    return free


def _direct(node: Node, spell: Spell) -> Expr:
    match node:
        case Char(charset):
            return spell(charset)
        case Cat(parts):
            return seq(*(_direct(part, spell) for part in parts))
        case Choice(options):
            return alt(*(_direct(option, spell) for option in options))
        case Loop(body, 0, 1):
            return optional(_direct(body, spell))
        case Loop(body, minimum, maximum):
            return Repeat(_direct(body, spell), minimum, maximum)
        case Edge() | Look():
            raise TypeError("assertions are lowered through the automaton")


def _graph(dfa: Dfa, spell: Spell, far: Mapping[int, int] | None = None, maximum: int | None = None) -> Expr:
    """Plain characters on edges between the states; all others of an edge, where several edges into a state have them,
    through a state of their own, so that long spellings are written once. `far`, `maximum`: see `_weighed`."""
    if not dfa.rows:
        return NOTHING
    if len(dfa) == 1 and far is None:
        return Repeat(spell(dfa.charset(dfa.rows[0][0][0]))) if dfa.rows[0] else EPSILON
    alphabet = dfa.alphabet
    bits = [ascii_mask(members) & PLAIN_BITS for members in alphabet.classes]
    rare = sum(
        1 << number for number, members in enumerate(alphabet.classes) if members.ranges[-1][1] > 0x7E or members & RARE
    )
    parts: dict[int, tuple[Expr | None, int]] = {}  # mask -> its plain characters, its classes with others
    for mask in {mask for row in dfa.rows for mask, _ in row}:
        plain = 0
        for number, own in enumerate(bits):
            if mask >> number & 1:
                plain |= own
        parts[mask] = plain_set(plain, spell) if plain else None, mask & rare
    uses: Counter[tuple[int, int, int]] = Counter()
    beyond = {others: spell(dfa.charset(others) & RARE) for _, others in parts.values() if others}
    hubs: dict[tuple[int, int, int], int] = {}
    edges: list[tuple[int, Expr, int]] = []
    weights = array("q")
    rows = [
        [(mask, target, 1 + far[target] - far[source] if far else 0) for mask, target in row]
        for source, row in enumerate(dfa.rows)
    ]
    uses.update((parts[mask][1], target, weight) for row in rows for mask, target, weight in row)
    for source, row in enumerate(rows):
        for mask, target, weight in row:
            label, others = parts[mask]
            if label is not None:
                edges.append((source, label, target))
                weights.append(weight)
            if others and uses[others, target, weight] == 1:
                edges.append((source, beyond[others], target))
                weights.append(weight)
            elif others:
                hub = hubs.get((others, target, weight))
                if hub is None:
                    hub = hubs[others, target, weight] = len(dfa) + len(hubs)
                    edges.append((hub, beyond[others], target))
                    weights.append(weight)
                edges.append((source, EPSILON, hub))
                weights.append(0)
    accepts = tuple(state for state, accepting in enumerate(dfa.accepts) if accepting)
    n_states = len(dfa) + len(hubs)
    return Graph.of(n_states, 0, accepts, edges, weights=weights.tobytes() if far else b"", maximum=maximum)


def _network(network: Network, spell: Spell) -> Expr:
    """A given network as it stands."""
    written = [spell(charset) for charset in network.sets]
    counts = map(sub, network.starts[1:], network.starts)
    sources = list(chain.from_iterable(map(repeat, range(len(network.accepts)), counts)))
    labels = list(map(written.__getitem__, network.labels))
    accepts = tuple(compress(range(len(network.accepts)), network.accepts))
    return Graph.of_columns(len(network.accepts), 0, accepts, sources, labels, network.targets)


def _trie(members: frozenset[str], spell: Spell) -> Expr:
    """A trie over sorted strings; a node is a range of them and a depth."""
    words = sorted(members)
    if len(words) <= 1:
        return spelled(words[0], spell) if words else NOTHING
    edges: list[tuple[int, Expr, int]] = []
    accepts: list[int] = []
    nodes = [(0, len(words), 0)]
    for number, (low, high, depth) in enumerate(nodes):  # grows while it is walked
        if len(words[low]) == depth:
            accepts.append(number)
            low += 1
        for first, end, common in branches(words, low, high, depth):
            edges.append((number, spelled(words[first][depth:common], spell), len(nodes)))
            nodes.append((first, end, common))
    return Graph.of(len(nodes), 0, tuple(accepts), edges)


def branches(words: list[str], low: int, high: int, depth: int) -> Iterator[tuple[int, int, int]]:
    """How words[low:high], sorted and alike up to `depth`, go on: (first, end, common) for each run of words that share
    the next letter, and how far these stay alike."""
    while low < high:
        letter, end = words[low][depth], low + 1
        while end < high and words[end][depth] == letter:
            end += 1
        yield low, end, _common_prefix(words[low], words[end - 1], depth)
        low = end


def _common_prefix(first: str, last: str, depth: int) -> int:
    """Where the first and the last of a sorted run part: there all of them do."""
    end = min(len(first), len(last))
    while depth < end and first[depth] == last[depth]:
        depth += 1
    return depth

"""The oracle: a slow, obviously right Earley recogniser over bytes, in plain Python, straight from the grammar IR.

The IR is first written out as a plain context-free grammar: every expression is a symbol with productions, repetitions
are copied, graphs become right-linear productions, unordered members one symbol per set of members still to write.
Symbols without a finite text are removed. Then the textbook algorithm (Earley 1970) decides two questions: is this text
in the language, and is it a prefix of some text in it. Nothing is shared with the fast path except the IR.

Cost: cubic in the text, exponential in unordered members, linear in repetition counts. Small inputs only.
"""

from __future__ import annotations

from structgen.grammars.ir import Alt, ByteSet, Expr, Grammar, Graph, Literal, Ref, Repeat, Seq, Terminal, Unordered

Symbol = int
Production = tuple["Symbol | frozenset[int]", ...]  # a frozenset is a terminal: the bytes it matches


class Reference:
    """Recogniser for one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.productions: list[list[Production]] = []
        self._known: dict[object, Symbol] = {}
        self._rules = [self._new() for _ in grammar.rules]
        for symbol, rule in zip(self._rules, grammar.rules, strict=True):
            self.productions[symbol].append((self._symbol(rule.body),))
        self.start = self._rules[grammar.start]
        self._remove_unproductive()

    def _new(self) -> Symbol:
        self.productions.append([])
        return len(self.productions) - 1

    def _symbol(self, expr: Expr) -> Symbol:
        if isinstance(expr, Ref):
            return self._rules[expr.rule]
        if expr not in self._known:
            symbol = self._known[expr] = self._new()
            self.productions[symbol] = self._write(expr)
        return self._known[expr]

    def _write(self, expr: Expr) -> list[Production]:
        match expr:
            case Literal(value):
                return [tuple(frozenset([b]) for b in value)]
            case ByteSet(mask):
                return [(frozenset(b for b in range(256) if mask >> b & 1),)]
            case Seq(parts):
                return [tuple(map(self._symbol, parts))]
            case Alt(options):
                return [(self._symbol(option),) for option in options]
            case Repeat(body, minimum, maximum):
                one = self._symbol(body)
                if maximum is None:
                    more = self._new()
                    self.productions[more] = [(), (one, more)]
                    return [(one,) * minimum + (more,)]
                return [(one,) * n for n in range(minimum, maximum + 1)]
            case Terminal(body):
                return [(self._symbol(body),)]
            case Graph(maximum=int()):
                return self._write(expr.unweighed())
            case Graph(n_states, start, accepts, edges=edges):
                states = [self._new() for _ in range(n_states)]
                for source, label, target in edges:
                    self.productions[states[source]].append((self._symbol(label), states[target]))
                for state in accepts:
                    self.productions[states[state]].append(())
                return [(states[start],)]
            case Unordered():
                return self._unordered(expr, frozenset(range(len(expr.members))), first=True)
        raise TypeError(expr)

    def _unordered(self, expr: Unordered, left: frozenset[int], first: bool) -> list[Production]:
        out: list[Production] = []
        if not any(expr.members[k][1] for k in left):
            out.append(())
        glue = () if first else (self._symbol(expr.separator),)
        for k in left:
            after = self._rest(expr, left - {k})
            out.append((*glue, self._symbol(expr.members[k][0]), after))
        if expr.extra is not None:
            out.append((*glue, self._symbol(expr.extra), self._rest(expr, left)))
        return out

    def _rest(self, expr: Unordered, left: frozenset[int]) -> Symbol:
        key = (expr, left)
        if key not in self._known:
            symbol = self._known[key] = self._new()
            self.productions[symbol] = self._unordered(expr, left, first=False)
        return self._known[key]

    def _remove_unproductive(self) -> None:
        good: set[Symbol] = set()
        changed = True

        def fine(production: Production) -> bool:
            return all(part if isinstance(part, frozenset) else part in good for part in production)

        while changed:
            changed = False
            for symbol, options in enumerate(self.productions):
                if symbol not in good and any(map(fine, options)):
                    good.add(symbol)
                    changed = True
        self.productions = [[p for p in options if fine(p)] for options in self.productions]
        self.empty = self.start not in good

    def _sets(self, text: bytes) -> list[set[tuple[Symbol, Production, int, int]]]:
        """Earley's state sets; an item is (symbol, production, dot, origin)."""
        sets: list[set[tuple[Symbol, Production, int, int]]] = [set() for _ in range(len(text) + 1)]
        sets[0] = {(self.start, p, 0, 0) for p in self.productions[self.start]}
        for position in range(len(text) + 1):
            here = sets[position]
            grew = True
            while grew:  # to a fixpoint: empty productions complete within their own set
                grew = False
                for symbol, production, dot, origin in list(here):
                    new: list[tuple[Symbol, Production, int, int]] = []
                    if dot == len(production):
                        for s, p, d, o in list(sets[origin]):
                            if d < len(p) and p[d] == symbol and not isinstance(p[d], frozenset):
                                new.append((s, p, d + 1, o))
                    else:
                        part = production[dot]
                        if not isinstance(part, frozenset):
                            new += [(part, p, 0, position) for p in self.productions[part]]
                    for item in new:
                        if item not in here:
                            here.add(item)
                            grew = True
            if position < len(text):
                for symbol, production, dot, origin in here:
                    if dot < len(production):
                        part = production[dot]
                        if isinstance(part, frozenset) and text[position] in part:
                            sets[position + 1].add((symbol, production, dot + 1, origin))
        return sets

    def accepts(self, text: bytes) -> bool:
        """Whether `text` is in the language."""
        last = self._sets(text)[-1]
        return any(s == self.start and d == len(p) and o == 0 for s, p, d, o in last)

    def is_prefix(self, text: bytes) -> bool:
        """Whether some text of the language starts with `text`."""
        return bool(self._sets(text)[-1])

    def mask(self, text: bytes, tokens: list[bytes]) -> list[bool]:
        """For each token, whether it may follow `text`; tokens without bytes never may."""
        return [bool(token) and self.is_prefix(text + token) for token in tokens]

"""Ways on where elements must differ: whether a place leads anywhere, and a completion from there.

A place is settled where nothing that is begun may still become equal to what was written, and values cannot run out:
any completion of the grammar's will do there, with other values in it. Else a settled place is looked for, byte by
byte, and that there is none is proved by having looked everywhere: among places, not texts, and only along ways that
lead to values of their own. Where values may run out a whole completion is looked for.

Cost: 15 µs for a byte that is tried; a few bytes mostly, a hundred where an element can only become what was written.
Looking for whole completions instead cost 2,000 bytes for each token in a range of 100 numbers, and gave up within
numbers that may be spelled in any way (`python -m benchmarks unique`: a mask up to 1.4 s, now 8 ms).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from itertools import count
from typing import TypeAlias

from structgen.automata.configurations import Configurations
from structgen.errors import LimitExceeded
from structgen.kernels.layout import DEAD
from structgen.memory import Bounded
from structgen.unique.repeats import likeness, may_repeat
from structgen.unique.trace import ENDS, INSIDE, OUTSIDE, Frame, Trace, freshened
from structgen.unique.values import n_strings, numbers_of, open_string, scalar_key, strings_of

__all__ = ["MOST_REMEMBERED", "Pair", "Ways"]

MOST_SEARCHED = 5_000  # places looked at to find one way on
MOST_REMEMBERED = 1 << 14
LETTERS = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\')
BLANKS = frozenset(b" \t\r\n")
NUMERIC = frozenset(b"-0123456789")
UNBOUNDED = 1 << 30

Pair: TypeAlias = tuple[int, Trace]


class Ways:
    """Ways on from pairs of a configuration and a trace; `read`: the pair after bytes, or None."""

    def __init__(self, plain: Configurations, read: Callable[[Pair, bytes], Pair | None]) -> None:
        self.plain, self._read = plain, read
        self.forget()

    def forget(self) -> None:
        """Drop the memos, all by number of a configuration."""
        self._letter_counts: Bounded[int, int] = Bounded(MOST_REMEMBERED)
        self._shortest: Bounded[int, bytes] = Bounded(MOST_REMEMBERED)
        self._live: Bounded[int, tuple[int, ...]] = Bounded(MOST_REMEMBERED)
        self._counting: Bounded[int, bool] = Bounded(MOST_REMEMBERED)
        self._base: tuple[Frame, ...] = ()
        self._settling: dict[Hashable, bool] = {}
        self._viable: dict[Pair, bool] = {}

    def is_viable(self, pair: Pair, base: tuple[Frame, ...]) -> bool:
        """Whether some completion repeats no element. `base`: the frames it is asked from, the same ones for a mask.

        Raises LimitExceeded when the search runs out.
        """
        self._from(base)
        config, trace = pair
        if not trace.watched:
            return True
        if any(frame.may_run_out for frame in trace.frames):
            known = self._viable.get(pair)
            if known is None:
                known = self._viable[pair] = self.find_completion(pair) is not None
            return known
        return (
            not may_repeat(trace)
            or self._has_free_letters(config, trace)
            or self._may_close_here(config, trace)
            or self._can_settle(pair)
        )

    def _is_settled(self, pair: Pair) -> bool:
        """Whether any completion will do but for what is not begun: values cannot run out, no element repeats."""
        return not may_repeat(pair[1]) and not any(frame.may_run_out for frame in pair[1].frames)

    def _can_settle(self, pair: Pair) -> bool:
        """Whether a settled place can be reached, or the end of the text. Those that lie near are looked for first.

        Blanks are written only where nothing else may come, since where they may be left out they lead nowhere else.
        Of texts that mean the same, one is followed; of numbers of one value that may end in different ones, as many as
        there are numbers to be avoided, since each round of a loop gives another.
        What was found is remembered, of all places on the way, for what is asked next: the tokens of one mask lead to
        much the same places.
        """
        first = self._place(pair)
        known = self._settling.get(first)
        if known is not None:
            return known
        order, times, searched = count(), {first: 1}, 0
        before: dict[Hashable, Hashable] = {}  # the place that one was come to from
        queue: list[tuple[int, int, Pair, Hashable]] = [(0, next(order), pair, first)]
        while queue:
            depth, _, here, at = heapq.heappop(queue)
            for byte in self._ways(here):
                after = self._read(here, bytes((byte,)))
                if after is None:
                    continue
                place = self._place(after)
                if self._settling.get(place) or self._is_settled(after) or self.plain.is_accepting(after[0]):
                    while at != first:
                        self._settling[at], at = True, before[at]
                    self._settling[first] = True
                    return True
                times[place] = visits = times.get(place, 0) + 1
                before.setdefault(place, at)
                if place in self._settling or (visits > 1 and visits > self._rounds(after[1])):
                    continue
                searched += 1
                if searched > MOST_SEARCHED:
                    raise self._lost()
                heapq.heappush(queue, (depth + 1, next(order), after, place))
        self._settling.update(dict.fromkeys(times, False))
        return False

    def _rounds(self, trace: Trace) -> int:
        """How many texts of one value are followed."""
        if trace.text[:1] == b'"' or b"." not in trace.text:
            return 1
        return 2 + sum(len(numbers_of(key)) for key in trace.compared)

    def _place(self, pair: Pair) -> Hashable:
        """Equal for pairs that go on alike, apart from frames of the base, which are left out."""
        config, trace = pair
        changed = tuple(frame for at, frame in enumerate(trace.frames) if self._base[at : at + 1] != (frame,))
        return config, trace.lex, len(trace.frames), changed, likeness(trace)

    def _from(self, frames: tuple[Frame, ...]) -> None:
        """Take these frames as the base of places. What is remembered of others is forgotten."""
        if self._base is not frames:
            self._base, self._settling, self._viable = frames, {}, {}

    def _idle_in_number(self, config: int, text: bytes, live: tuple[int, ...]) -> frozenset[int]:
        """Bytes behind the beginning of a number that lead to no number that the others do not lead to: a capital E, a
        plus where digits may stand, an exponent of 0, more zeros ahead of an exponent's digits, and more zeros behind
        the last digit that counts where none that counts can follow."""
        if not text or text[0] not in NUMERIC:
            return frozenset()
        mantissa, mark, power = text.lower().partition(b"e")
        if mark:
            if not power:
                return frozenset(b"+") if ord("1") in live or ord("0") in live else frozenset()
            is_zero = power.endswith(b"0") and not power.strip(b"+-0")
            return frozenset(b"0") if is_zero else frozenset()
        idle = frozenset(b"E") if ord("e") in live else frozenset()
        if not mantissa.strip(b"-0."):
            idle |= frozenset(b"eE")
        is_behind = b"." in mantissa and mantissa[-1:] != b"."
        return idle | frozenset(b"0") if is_behind and not self._counts_digits(config) else idle

    def _counts_digits(self, config: int) -> bool:
        """Whether behind the point of a number zeros may lead to a digit that is none.

        Places that differ in a counter alone are alike: no text of a number asks for more than one zero.
        """
        known = self._counting.get(config)
        if known is None:
            known, here, passed = False, config, set[frozenset[int]]()
            while not known and here != DEAD:
                known = any(byte in b"123456789" for byte in self.plain.live_bytes(here))
                nodes = frozenset(node for node, _, _ in self.plain.kernel(here))
                if nodes in passed:
                    break
                passed.add(nodes)
                here = self.plain.advance(here, b"0")
            self._counting.remember(config, known)
        return known

    def _lost(self) -> LimitExceeded:
        reason = "no text found in which the elements of an array differ"
        return LimitExceeded(reason, limit="distinct_searched", allowed=MOST_SEARCHED)

    def _ways(self, pair: Pair) -> list[int]:
        """The bytes that may come next, those first that lead on soonest; none that lead where others do."""
        config, trace = pair
        live = self._live.get(config)
        if live is None:
            live = self._live.remember(config, tuple(self.plain.live_bytes(config)))
        if trace.lex == OUTSIDE:
            idle = BLANKS | self._idle_in_number(config, trace.text, live)
            return [byte for byte in live if byte not in idle] or list(live)
        if trace.lex != INSIDE or len(live) == 1 or not trace.text:
            return list(live)
        begun, _ = open_string(trace.text)
        strings = (each for key in trace.compared for each in strings_of(key))
        used = {each[len(begun)] for each in strings if len(each) > len(begun) and each.startswith(begun)}
        return sorted(live, key=lambda byte: (chr(byte) in used) + 2 * (byte not in LETTERS))

    def _has_free_letters(self, config: int, trace: Trace) -> bool:
        """Whether the string that is open has more letters to go on with than there are strings to be avoided: ways
        that differ in a letter end in different values, and each string of an earlier element lies on one of them."""
        return trace.lex == INSIDE and self._n_letters(config) > n_strings(trace.compared)

    def _n_letters(self, config: int) -> int:
        """How many letters may come next in a string; without bound where one of them may be repeated for ever."""
        known = self._letter_counts.get(config)
        if known is None:
            after = (self.plain.advance(config, bytes((byte,))) for byte in LETTERS)
            known = 0
            for each in after:
                if each == config:
                    known = UNBOUNDED
                    break
                known += each != DEAD
            self._letter_counts.remember(config, known)
        return known

    def _may_close_here(self, config: int, trace: Trace) -> bool:
        """Whether the element may end right here, and is a new one, in the only watched container."""
        frame = trace.frames[-1]
        if trace.lex != OUTSIDE or trace.comparing != (len(trace.frames) - 1,):
            return False
        if all(self.plain.advance(config, bytes((byte,))) == DEAD for byte in ENDS[frame.is_list]):
            return False
        return (scalar_key(trace.text) if trace.text else trace.done) not in frame.seen

    def find_completion(self, pair: Pair, limit: int = 1 << 20) -> bytes | None:
        """The shortest completion if it repeats no element, else one that was found; None if there is none.

        First the shortest one is tried with other strings and numbers in it (trace.freshened).
        A completion that repeats an element is left for another byte, late rather than early, and completed from there;
        first those that got past the most elements, of them those that were left the fewest times.
        """
        rest = self._plain_shortest(pair[0], limit)
        if not rest or self._read(pair, rest) is not None:
            return rest
        taken = {number for frame in pair[1].watched for key in frame.seen for number in numbers_of(key)}
        for fresh in freshened(pair[1].lex, rest, taken):
            after = self._read(pair, fresh)
            if after is not None and self.plain.is_accepting(after[0]):
                return fresh
        order, visited = count(), {pair}
        queue: list[tuple[int, int, int, Iterator[tuple[Pair, bytes]]]] = []

        def leave(here: Pair, path: bytes, rest: bytes, left: int) -> None:
            """Queue the ways to leave `rest`, which repeats an element somewhere."""
            for written, reached in self._read_along(here, rest).items():
                heapq.heappush(queue, (-written, left, next(order), self._alternatives(reached, path, rest)))

        leave(pair, b"", rest, 0)
        while queue:
            _, left, _, alternatives = queue[0]
            here, path = next(alternatives, (None, b""))
            if here is None:
                heapq.heappop(queue)
            elif here not in visited:
                visited.add(here)
                if len(visited) > MOST_SEARCHED:
                    raise self._lost()
                rest = self._plain_shortest(here[0], limit)
                if not rest or self._read(here, rest) is not None:
                    return path + rest
                leave(here, path, rest, left + 1)
        return None

    def _read_along(self, pair: Pair, rest: bytes) -> dict[int, list[tuple[int, Pair]]]:
        """How far `rest` can be read: pairs and their places, by the number of elements that were written there."""
        found: dict[int, list[tuple[int, Pair]]] = {}
        here: Pair | None = pair
        for at in range(len(rest)):
            assert here is not None
            found.setdefault(sum(len(frame.parts) for frame in here[1].watched), []).append((at, here))
            here = self._read(here, rest[at : at + 1])
            if here is None:
                break
        return found

    def _alternatives(self, reached: list[tuple[int, Pair]], path: bytes, rest: bytes) -> Iterator[tuple[Pair, bytes]]:
        """Where else `rest` could have gone at these places, the last one first."""
        for at, pair in reversed(reached):
            for byte in self.plain.live_bytes(pair[0]):
                after = self._read(pair, bytes((byte,))) if byte != rest[at] else None
                if after is not None:
                    yield after, path + rest[:at] + bytes((byte,))

    def _plain_shortest(self, config: int, limit: int) -> bytes:
        """The shortest completion of a configuration, whatever was written."""
        known = self._shortest.get(config)
        if known is None:
            known = self._shortest.remember(config, self.plain.shortest(config, limit))
        return known

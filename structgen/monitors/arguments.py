"""Arguments: a call has as many arguments as its function takes, and keywords that it has. Python.

Where a signature is known, no call is closed before what it requires is there, none goes on behind the last argument
that it takes, and a name before `=` is one of its keywords; where only keywords may come, names of them are all that
may be written. A comma behind the last argument may come where the call has several lines. Overloads are alternatives:
refused is what fits none. Unlike Members it refuses single bytes, so it is a `Gatekeeper` (gates.py).

Silent where the analysis is, behind `*` and `**` arguments, `lambda` and `for`, and where nothing else could come.
"""

from __future__ import annotations

from typing import NamedTuple

from structgen.errors import OptionError
from structgen.monitors.cursor import Cursor
from structgen.monitors.lexical.calls import (
    EMPTY,
    EQUALS,
    NAME,
    OTHER,
    Call,
    Calls,
    CallSpot,
    begins_argument,
    call_of,
)
from structgen.monitors.lexical.letters import PLAIN_LETTERS
from structgen.monitors.lexical.python import BLANKS_AND_LINES
from structgen.monitors.monitor import Report
from structgen.monitors.question import Analysis, Question, Silent
from structgen.monitors.signatures import Signatures

__all__ = ["Arguments"]

CLOSE, COMMA, EQUAL = b"),="
ARGUMENTS = tuple(bytes((byte,)) for byte in range(256) if begins_argument(byte))
STARTS = tuple(bytes((byte,)) for byte in sorted(PLAIN_LETTERS.starts))


class Arguments(Cursor):
    """A monitor (monitors.Gatekeeper) of calls; `path`, `before` and `after` as for Members.

    Raises OptionError for an analysis that has no `signatures`.
    """

    name, lexer = "arguments", Calls()

    def __init__(self, analysis: Analysis, path: str, *, before: str = "", after: str = "") -> None:
        super().__init__(analysis, path, before, after)
        if not hasattr(analysis, "signatures"):
            raise OptionError(f"{analysis!r} knows no signatures", option="analysis")

    def marks(self, state: CallSpot) -> bytes:
        """Outside calls a token must open one."""
        return b"(),=" if any(state.calls) else b"("

    def back(self, state: CallSpot) -> int:
        """The signature is asked for right behind the bracket of the innermost call."""
        return state.size - self._call(state).at

    def is_gated(self, state: CallSpot, byte: int) -> bool:
        """Commas and the end of a call, where an argument begins, names that may have to be keywords."""
        call = call_of(state, byte)
        if call is None:
            return False
        if call.phase == EMPTY:
            return byte == CLOSE or begins_argument(byte)
        if call.phase == EQUALS:
            return byte != EQUAL
        return call.phase == NAME or byte in (CLOSE, COMMA)

    def opens(self, state: CallSpot) -> bool:
        """Whether a call has just been opened."""
        return bool(state.calls) and state.calls[-1] is not None and state.calls[-1].at == state.size

    def begin(self, text: bytes, state: CallSpot) -> None:
        """Tell the analysis what it will be asked."""
        self.ask_ahead(self._question(text, state))

    def known(self, text: bytes, state: CallSpot, report: Report) -> Signatures | Silent:
        """The signatures of the innermost call; `text` ends with its bracket."""
        with self.asking(report):
            found: Signatures | Silent = self.analysis.signatures(self._question(text, state))
        return found

    def _question(self, text: bytes, state: CallSpot) -> Question:
        beyond = len(self.before) + len(text) - self._call(state).at  # of a call that was open at the cursor
        whole, due = self.before + text, b")" + state.inner.open[: len(state.calls) - 1][::-1]
        return self.question(whole[: len(whole) - beyond], due, "signatures")

    def _call(self, state: CallSpot) -> Call:
        call = state.calls[-1]
        assert call is not None, "only calls are asked about"
        return call

    # ---------------------------------------------------------------------------------------------------- what fits

    def minds(self, known: Signatures, state: CallSpot) -> bool:
        """Whether any byte may be refused here: only a keyword may come, or what stands before `=` is none."""
        call = self._call(state)
        further = _further(known, call, call.places)
        return not (further.takes(call.name) if call.phase == EQUALS else further.place)

    def instead(self, known: Signatures, state: CallSpot, byte: int) -> tuple[bytes, ...]:
        """Of a byte that may not come: what may, one of which must be readable; nothing if it may."""
        call, word = self._call(state), state.inner.word
        further = _further(known, call, call.places)
        if call.phase == EQUALS:
            return () if further.takes(call.name) else (b"=",)
        if call.phase == EMPTY and byte != CLOSE:
            return () if further.place or further.begins(bytes((byte,))) else further.instead
        if call.phase == NAME and not further.place:
            is_whole = byte not in PLAIN_LETTERS.all or not word
            goes_on = byte == EQUAL or byte in BLANKS_AND_LINES
            fits = (goes_on and further.takes(word or call.name)) if is_whole else further.begins(word + bytes((byte,)))
            return () if fits else further.rests(word or call.name, is_over=not word)
        if byte != CLOSE and byte != COMMA:
            return ()
        behind = _further(known, call, call.places + (call.phase in (NAME, OTHER)))
        if byte == COMMA:
            return () if behind.goes_on or call.lines else behind.instead
        if behind.whole:
            return ()
        if call.phase != EMPTY:
            return (b",",) if behind.goes_on else ()
        return ARGUMENTS if behind.place else behind.instead


class Further(NamedTuple):
    """What may come behind so many arguments, by the signatures that they fit. If these are none, anything.

    fitting  the signatures
    places   how many arguments have no name
    given    names of the others
    """

    fitting: Signatures
    places: int
    given: tuple[bytes, ...]

    @property
    def place(self) -> bool:
        """Whether an argument without a name may come."""
        return not self.fitting or (not self.given and any(each.has_place(self.places) for each in self.fitting))

    @property
    def any_name(self) -> bool:
        """Whether a keyword of any name may come."""
        return any(each.any_name for each in self.fitting)

    @property
    def names(self) -> list[bytes]:
        """The keywords that may come, sorted."""
        return sorted({name for each in self.fitting for name in each.names(self.places, self.given)})

    @property
    def goes_on(self) -> bool:
        """Whether any argument may come."""
        return self.place or self.any_name or bool(self.names)

    @property
    def whole(self) -> bool:
        """Whether the call may end."""
        return not self.fitting or any(each.is_complete(self.places, self.given) for each in self.fitting)

    def takes(self, name: bytes) -> bool:
        """Whether this may be a keyword."""
        return not self.fitting or any(each.fits(self.places, (*self.given, name)) for each in self.fitting)

    def begins(self, part: bytes) -> bool:
        """Whether a keyword may begin so."""
        return (self.any_name and part[0] in PLAIN_LETTERS.starts) or any(name.startswith(part) for name in self.names)

    def rests(self, part: bytes, *, is_over: bool) -> tuple[bytes, ...]:
        """What is left of the keywords that begin so, and are this one if it `is_over`."""
        if self.any_name:
            return (b"=",)
        return tuple(n[len(part) :] + b"=" for n in self.names if (n == part if is_over else n.startswith(part)))

    @property
    def instead(self) -> tuple[bytes, ...]:
        """What may come, but for arguments without a name."""
        names = STARTS if self.any_name else [name + b"=" for name in self.names]
        return (*names, *([b")"] if self.whole else []))


def _further(known: Signatures, call: Call, places: int) -> Further:
    return Further(tuple(each for each in known if each.fits(places, call.names)), places, call.names)

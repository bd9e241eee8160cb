"""What a monitor is: where names are due in a text, and which; or which bytes may come where. `Monitored` makes it part
of a constraint.

Adding one takes a class like members.Members or arguments.Arguments; it knows no tokens, no grammar and no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from structgen.monitors.lexical import Scanner
from structgen.monitors.question import Answer

__all__ = ["Gatekeeper", "Monitor", "Report"]


@dataclass(slots=True)
class Report:
    """What a monitor did.

    field      counts
    sites      places at which names were due
    active     of these, those at which it restricted what may come
    silent     the others, by reason
    questions  asked of the analysis
    seconds    waited for answers
    """

    sites: int = 0
    active: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    seconds: float = 0.0


class Watching(Protocol):
    """What all monitors have."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def lexer(self) -> Scanner:
        """What reads the text."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal only for monitors that allow the same."""
        ...

    @property
    def start(self) -> Hashable:
        """The lexical state at the cursor."""
        ...


class Monitor(Watching, Protocol):
    """Where names are due, and which.

    Monitors of one `name` and one lexer find the same names due. `lexer` says where a text stands; `start` is its state
    at the cursor. Behind a byte for which `is_due` a name comes, as soon as blanks are over. If one is due at the
    cursor, `due` is the state before the byte that said so; else None.
    """

    @property
    def due(self) -> Hashable | None:
        """Of a name that is due at the cursor: the state before the byte that said so."""
        ...

    @property
    def triggers(self) -> bytes:
        """The bytes behind which a name may be due."""
        ...

    def is_due(self, state: Any, byte: int) -> bool:
        """Whether a name is due behind this byte."""
        ...

    def may_end(self, head: bytes) -> bool:
        """Whether a name may be due behind these bytes of a token, whatever stands before them; False saves time."""
        ...

    def others(self, state: Any) -> bytes:
        """The bytes that may come in place of a name that is due; `state` is the one before the byte that said so."""
        ...

    def begin(self, text: bytes, state: Any) -> None:
        """`names` will be asked for: work on the answer may begin, and nobody waits for it."""
        ...

    def names(self, text: bytes, state: Any, report: Report) -> Answer:
        """The names that may come behind such a byte: `text` ends with it, `state` is the lexical state before it."""
        ...


@runtime_checkable
class Gatekeeper(Watching, Protocol):
    """Which bytes may come, by what is known of a place before them, such as the bracket that opened a call."""

    def marks(self, state: Any) -> bytes:
        """The bytes of which a token must hold one to be refused here, unless `minds`."""
        ...

    def is_gated(self, state: Any, byte: int) -> bool:
        """Whether this byte may have to be refused; only then what follows is asked."""
        ...

    def back(self, state: Any) -> int:
        """How many bytes ago the place is that is asked about; it may lie before the cursor."""
        ...

    def opens(self, state: Any) -> bool:
        """Whether such a place has just come, so that it may be asked about soon."""
        ...

    def begin(self, text: bytes, state: Any) -> None:
        """`known` will be asked for: work on the answer may begin, and nobody waits for it."""
        ...

    def known(self, text: bytes, state: Any, report: Report) -> Any:
        """What is known of the place; `text` ends there, or at the cursor where it lies before that. Or Silent."""
        ...

    def minds(self, known: Any, state: Any) -> bool:
        """Whether tokens without a mark may be refused."""
        ...

    def instead(self, known: Any, state: Any, byte: int) -> tuple[bytes, ...]:
        """Nothing if a gated byte may come; else texts that may: it is refused where one of them can be read."""
        ...

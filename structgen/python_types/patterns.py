"""Regular languages of the strings Python types are read from, as ECMA patterns.

pydantic's own JSON Schema names a `format` for these and no more; a validator for such a schema accepts strings the
type refuses. Each pattern here lies inside what the type accepts. Where it leaves valid spellings out (they are not
regular, or many), the note says which.
"""

from __future__ import annotations

from collections.abc import Iterable

from structgen.python_types import addresses
from structgen.python_types.numerals import integers

__all__ = [
    "BY_FORMAT",
    "CALENDAR",
    "CLOCK",
    "DATE",
    "DURATION",
    "FRACTION",
    "INTEGER",
    "OFFSET",
    "base64",
    "color",
    "decimal",
    "uuid",
]

INTEGER = "(0|-?[1-9][0-9]*)"
# Finite numbers: digits alone, up to 40 digits and an exponent of two, or as repr writes large ones.
_DIGITS, _DECIMALS = "(0|[1-9][0-9]{0,307})([.][0-9]{1,340})?", "(0|[1-9][0-9]{0,40})([.][0-9]{1,40})?"
_LARGE = "[1-9]([.][0-9]{1,20})?[eE][+]?([12][0-9]{2}|30[0-7])"
_UNSIGNED = f"({_DIGITS}|{_DECIMALS}[eE](-[0-9]{{1,3}}|[+]?[0-9]{{1,2}})|{_LARGE})"
FRACTION = f"^{INTEGER}(/[1-9][0-9]*)?$"
REAL = f"(-?{_UNSIGNED})"

_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"  # Python has no year 0
_DAY = "(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12][0-9]|30))|02-(0[1-9]|1[0-9]|2[0-8]))"
_TAIL = "(0[48]|[2468][048]|[13579][26])"  # of a leap year, or of a century that is one
CALENDAR = f"({_YEAR}-{_DAY}|([0-9]{{2}}{_TAIL}|{_TAIL}00)-02-29)"
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?"  # no leap second, no more than microseconds
OFFSET = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
DATE = f"^{CALENDAR}$"

# Six digits a part stay below the 999,999,999 days a timedelta holds.
_PART, _SECONDS = "[0-9]{1,6}", "[0-9]{1,6}([.][0-9]{1,6})?S"
_TIME = f"T({_PART}H({_PART}M)?({_SECONDS})?|{_PART}M({_SECONDS})?|{_SECONDS})"
_DAYS = f"({_PART}Y({_PART}M)?({_PART}D)?|{_PART}M({_PART}D)?|{_PART}D)"
DURATION = f"-?P({_DAYS}({_TIME})?|{_TIME}|{_PART}W)"


def uuid(version: int) -> str:
    """A UUID of one version, RFC 4122 variant."""
    return f"^[0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-{version}[0-9a-fA-F]{{3}}-[89abAB][0-9a-fA-F]{{3}}-[0-9a-fA-F]{{12}}$"


def base64(extra: str, *, text: bool) -> str:
    """Padded base64 with `extra` as its last two characters. With `text`, what decodes to ASCII."""
    symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + extra

    def pick(*, clear: int) -> str:
        """The symbols whose value has the bits `clear` unset."""
        chosen = "".join(symbol for value, symbol in enumerate(symbols) if not value & clear)
        return "[" + chosen.replace("-", "\\-") + "]"

    # three bytes aaaaaaaa bbbbbbbb cccccccc are the symbols aaaaaa aabbbb bbbbcc cccccc; ASCII: top bits unset
    first, second, third = (pick(clear=bit if text else 0) for bit in (0b100000, 0b001000, 0b000010))
    one, two = pick(clear=0b001111), pick(clear=(0b000010 if text else 0) | 0b000011)
    middle = pick(clear=0b001000 if text else 0)
    return f"^({first}{second}{third}{pick(clear=0)})*({first}{one}==|{first}{middle}{two}=)?$"


def decimal(max_digits: int | None, places: int | None) -> str:
    """Decimal texts with at most `max_digits` digits, `places` of them after the point."""
    if max_digits is not None and places is not None and places >= max_digits:
        return f"^-?0[.][0-9]{{0,{max_digits - 1}}}[1-9]$"  # no digit before the point, which 0 itself would need
    fraction = "([.][0-9]+)?" if places is None else f"([.][0-9]{{1,{places}}})?" if places else ""
    if max_digits is None:
        exponent = "([eE][+-]?[0-9]{1,4})?" if places is None else ""
        return f"^-?(0|[1-9][0-9]*){fraction}{exponent}$"
    if places is not None:
        return f"^-?(0|[1-9][0-9]{{0,{max_digits - places - 1}}}){fraction}$"
    splits = [f"[1-9][0-9]{{{n - 1}}}([.][0-9]{{1,{max_digits - n}}})?" for n in range(1, max_digits)]
    return f"^-?(0|0[.][0-9]{{1,{max_digits - 1}}}|{'|'.join([*splits, f'[1-9][0-9]{{{max_digits - 1}}}'])})$"


def color(names: Iterable[str]) -> str:
    """A colour: its name, its digits, or red, green and blue in numbers."""
    part, alpha = integers(0, 255), "(0([.][0-9]{1,3})?|1)"
    digits = "#([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})"
    return f"^({'|'.join(sorted(names))}|{digits}|rgba?[(]{part}, ?{part}, ?{part}(, ?{alpha})?[)])$"


BY_FORMAT: dict[str, str] = {
    "ipv4network": f"^{addresses.IPV4_NETWORK}$",
    "ipv6network": f"^{addresses.IPV6_NETWORK}$",
    "ipv4interface": f"^{addresses.IPV4_INTERFACE}$",
    "ipv6interface": f"^{addresses.IPV6_INTERFACE}$",
    "ipvanyaddress": f"^({addresses.IPV4}|{addresses.IPV6})$",
    "ipvanynetwork": f"^({addresses.IPV4_NETWORK}|{addresses.IPV6_NETWORK})$",
    "ipvanyinterface": f"^({addresses.IPV4_INTERFACE}|{addresses.IPV6_INTERFACE})$",
    "email": f"^{addresses.EMAIL}$",
    "name-email": f"^{addresses.NAMED_EMAIL}$",
    "fraction": FRACTION,
    "complex": f"^(-?{_UNSIGNED}([+-]{_UNSIGNED}j)?|-?{_UNSIGNED}j)$",
}

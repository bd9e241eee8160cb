"""Regular languages of the strings Python types are read from, as ECMA patterns.

pydantic's own JSON Schema names a `format` for these and no more; a validator for such a schema accepts strings the
type refuses. Each pattern here lies inside what the type accepts. Where it leaves valid spellings out (they are not
regular, or many), the note says which.
"""

from __future__ import annotations

__all__ = [
    "BY_FORMAT",
    "CALENDAR",
    "CLOCK",
    "DATE",
    "DURATION",
    "INTEGER",
    "OFFSET",
    "base64",
    "decimal",
    "integers",
    "url",
    "uuid",
]

INTEGER = "(0|-?[1-9][0-9]*)"
REAL = "(0|-?[1-9][0-9]{0,8}([.][0-9]{0,5}[1-9])?|-?0[.][0-9]{0,5}[1-9])"  # distinct texts are distinct doubles

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


def integers(low: int, high: int) -> str:
    """The numbers of a range without leading zeros. 0 <= low <= high."""
    options = []
    for width in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (width - 1) if width > 1 else 0), min(high, 10**width - 1)
        options.append(_same_width(str(first), str(last)))
    return f"({'|'.join(options)})"


def _same_width(low: str, high: str) -> str:
    if low == high:
        return low
    if len(low) == 1:
        return f"[{low}-{high}]"
    size = len(low) - 1
    whole_low, whole_high = low[1:] == "0" * size, high[1:] == "9" * size
    if low[0] == high[0]:
        return f"{low[0]}{_same_width(low[1:], high[1:])}"
    options = [] if whole_low else [f"{low[0]}{_same_width(low[1:], '9' * size)}"]
    first, last = int(low[0]) + (not whole_low), int(high[0]) - (not whole_high)
    if first <= last:
        options.append(f"[{first}-{last}][0-9]{{{size}}}")
    if not whole_high:
        options.append(f"{high[0]}{_same_width('0' * size, high[1:])}")
    return f"({'|'.join(options)})"


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}([.]{_OCTET}){{3}}"
_GROUP = "[0-9a-f]{1,4}"
_IPV6 = f"{_GROUP}(:{_GROUP}){{7}}"  # networks and interfaces are written without '::'


def _octets(step: int) -> str:
    """The multiples of `step` below 256."""
    return "(" + "|".join(str(value) for value in range(0, 256, step)) + ")"


def _ipv4_network() -> str:
    """Address/length with every bit after the first `length` zero."""
    options = ["0[.]0[.]0[.]0/0"]
    for length in range(1, 33):
        whole, bits = divmod(length - 1, 8)
        octets = [_OCTET] * whole + [_octets(1 << (7 - bits))] + ["0"] * (3 - whole)
        options.append("[.]".join(octets) + f"/{length}")
    return "(" + "|".join(options) + ")"


def _ipv6_network() -> str:
    """Whole groups only: lengths that are multiples of 16."""
    options = ["::/0", f"{_IPV6}/128"]
    options += [f"{_GROUP}(:{_GROUP}){{{groups - 1}}}::/{16 * groups}" for groups in range(1, 8)]
    return "(" + "|".join(options) + ")"


_IPV4_INTERFACE = f"{_IPV4}/(3[0-2]|[12]?[0-9])"
_IPV6_INTERFACE = f"{_IPV6}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"

_LABEL = "[a-z0-9]{1,20}(-[a-z0-9]{1,20})?"  # no '--', which would announce an A-label
_TOP = "(com|org|net|info|edu|gov|io|[a-z]{2})"
_DOMAIN = f"{_LABEL}([.]{_LABEL}){{0,2}}[.]{_TOP}"
_EMAIL = f"[A-Za-z0-9]{{1,30}}([._+-][A-Za-z0-9]{{1,20}})?@{_DOMAIN}"
_NAME = "[A-Za-z]{1,30}( [A-Za-z]{1,30}){0,3}"
_PORT = f"(:{integers(1, 65535)})?"
_PATH = "(/[A-Za-z0-9_.~+-]*)*"
_QUERY = "([?][A-Za-z0-9_.~+=&-]*)?(#[A-Za-z0-9_.~+-]*)?"


def url(schemes: list[str] | None, *, path: bool = True) -> str:
    """scheme://domain:port/path?query#fragment in ASCII; `schemes` None = web and file-transfer ones.

    A file has a path alone.
    """
    if schemes == ["file"]:
        return "^file://(/[A-Za-z0-9_.~+-]*)+$"
    scheme = "|".join(name.replace("+", "[+]").replace(".", "[.]") for name in schemes or ["https", "http", "ftp"])
    return f"^({scheme})://{_DOMAIN}{_PORT}" + (f"{_PATH}{_QUERY}$" if path else "(/[A-Za-z0-9_]+)?$")


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


BY_FORMAT: dict[str, str] = {
    "ipv4network": f"^{_ipv4_network()}$",
    "ipv6network": f"^{_ipv6_network()}$",
    "ipv4interface": f"^{_IPV4_INTERFACE}$",
    "ipv6interface": f"^{_IPV6_INTERFACE}$",
    "ipvanyaddress": f"^({_IPV4}|{_IPV6})$",
    "ipvanynetwork": f"^({_ipv4_network()}|{_ipv6_network()})$",
    "ipvanyinterface": f"^({_IPV4_INTERFACE}|{_IPV6_INTERFACE})$",
    "email": f"^{_EMAIL}$",
    "name-email": f"^{_NAME} <{_EMAIL}>$",
    "complex": f"^{REAL}([+-](0|[1-9][0-9]{{0,8}})([.][0-9]{{1,6}})?j)?$",
}

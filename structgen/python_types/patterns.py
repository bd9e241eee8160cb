"""Regular languages of the strings Python types are read from, as ECMA patterns.

pydantic's own JSON Schema names a `format` for these and no more; a validator for such a schema accepts strings the
type refuses. Each pattern here lies inside what the type accepts. Where it leaves valid spellings out (they are not
regular, or many), the note says which.
"""

from __future__ import annotations

__all__ = [
    "BY_FORMAT",
    "DATETIME",
    "DURATION",
    "INTEGER",
    "KEY_DATES",
    "NAIVE_DATETIME",
    "TIME",
    "base64",
    "decimal",
    "url",
    "uuid",
]

INTEGER = "(0|-?[1-9][0-9]*)"
REAL = "(0|-?[1-9][0-9]{0,8}([.][0-9]{0,5}[1-9])?|-?0[.][0-9]{0,5}[1-9])"  # distinct texts are distinct doubles

_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"  # Python has no year 0
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?"  # nor a leap second, nor more than microseconds
_OFFSET = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
DATE = f"^{_YEAR}-"  # the format "date" asserts the rest
DATETIME = f"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_OFFSET}$"
TIME = f"^{_CLOCK}{_OFFSET}?$"
# without a format to lean on, 29 February is left out
_DAY = "(((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))|((0[469]|11)-(0[1-9]|[12][0-9]|30))|02-(0[1-9]|1[0-9]|2[0-8]))"
NAIVE_DATETIME = f"^{_YEAR}-{_DAY}T{_CLOCK}$"
KEY_DATES = {"date": f"^{_YEAR}-{_DAY}$", "date-time": f"^{_YEAR}-{_DAY}T{_CLOCK}{_OFFSET}$"}

# Six digits a part stay below the 999,999,999 days a timedelta holds.
DURATION = (
    "^P([0-9]{1,6}D(T([0-9]{1,6}H([0-9]{1,6}M)?([0-9]{1,6}S)?|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S))?"
    "|T([0-9]{1,6}H([0-9]{1,6}M)?([0-9]{1,6}S)?|[0-9]{1,6}M([0-9]{1,6}S)?|[0-9]{1,6}S)|[0-9]{1,6}W)$"
)

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
_PORT = "(:[1-9][0-9]{0,3})?"
_PATH = "(/[A-Za-z0-9_.~+-]*)*"
_QUERY = "([?][A-Za-z0-9_.~+=&-]*)?(#[A-Za-z0-9_.~+-]*)?"


def url(schemes: list[str] | None, *, path: bool = True) -> str:
    """scheme://domain:port/path?query#fragment in ASCII; `schemes` None = web and file-transfer ones."""
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
        return f"^-?(0|[1-9][0-9]*){fraction}$"
    if places is not None:
        return f"^-?(0|[1-9][0-9]{{0,{max_digits - places - 1}}}){fraction}$"
    splits = [f"[1-9][0-9]{{{n - 1}}}([.][0-9]{{1,{max_digits - n}}})?" for n in range(1, max_digits)]
    return f"^-?(0|0[.][0-9]{{1,{max_digits - 1}}}|{'|'.join([*splits, f'[1-9][0-9]{{{max_digits - 1}}}'])})$"


BY_FORMAT: dict[str, str] = {
    "date": DATE,
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

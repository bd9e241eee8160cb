"""Addresses, networks, URLs and e-mail addresses that pydantic reads, as ECMA patterns.

Exact for IPv4, and for IPv6 without its mixed notation (a network writes the zeros behind its address as one `::` or
all of them); hosts of URLs and of e-mail addresses are ASCII names under the best known top-level domains, because what
an internationalised name may hold is not regular.
"""

from __future__ import annotations

from structgen.python_types.numerals import integers

__all__ = [
    "EMAIL",
    "IPV4",
    "IPV4_INTERFACE",
    "IPV4_NETWORK",
    "IPV6",
    "IPV6_INTERFACE",
    "IPV6_NETWORK",
    "NAMED_EMAIL",
    "url",
]

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"{_OCTET}([.]{_OCTET}){{3}}"
_HEX = "[0-9a-f]"
_GROUP = f"{_HEX}{{1,4}}"
_MULTIPLES = (_HEX, "[02468ace]", "[048c]", "[08]")  # digits whose lowest bits are zero


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


def _before(count: int) -> str:
    """`count` groups with a colon behind each; `::` stands for one or more of them."""
    options = [f"({_GROUP}:){{{count}}}"]
    for left in range(count):
        start = f"{_GROUP}(:{_GROUP}){{{left - 1}}}" if left else ""
        options.append(f"{start}::({_GROUP}:){{0,{count - 1 - left}}}")
    return "(" + "|".join(options) + ")"


def _at_most(count: int) -> str:
    """Up to `count` groups with colons between."""
    return f"({_GROUP}(:{_GROUP}){{0,{count - 1}}})?" if count else ""


def _masked(zeros: int) -> str:
    """A group whose lowest bits are zero."""
    digits, bits = divmod(zeros, 4)
    written = f"{_HEX}{{0,{3 - digits}}}{_MULTIPLES[bits]}0{{{digits}}}"
    return f"({written}|0{{1,{digits}}})" if digits else written


def _ipv6_network() -> str:
    """Address/length: the groups that the length covers, of which the last is masked, and zeros."""
    options = ["::/0"]
    for groups in range(1, 9):
        first = 16 * (groups - 1) + 1
        options.append(f"{_at_most(groups - 1)}::/{integers(first, first + 15)}")
        if groups < 8:
            masked = "|".join(f"{_masked(first + 15 - length)}::/{length}" for length in range(first, first + 16))
            options.append(f"({_GROUP}:){{{groups - 1}}}({masked})")
        rest = "(:0{1,4})" + f"{{{8 - groups}}}"
        masked = "|".join(f"{_masked(first + 15 - length)}{rest}/{length}" for length in range(first, first + 16))
        options.append(f"{_before(groups - 1)}({masked})")
    return "(" + "|".join(options) + ")"


IPV6 = f"({_before(7)}{_GROUP}|{_at_most(7)}::)"
IPV4_NETWORK, IPV6_NETWORK = _ipv4_network(), _ipv6_network()
IPV4_INTERFACE = f"{IPV4}/{integers(0, 32)}"
IPV6_INTERFACE = f"{IPV6}/{integers(0, 128)}"

_LABEL = "[a-z0-9]{1,20}(-[a-z0-9]{1,20})?"  # no '--', which would announce an A-label
_TOP = "(com|org|net|info|edu|gov|io|[a-z]{2})"
_DOMAIN = f"{_LABEL}([.]{_LABEL}){{0,2}}[.]{_TOP}"
EMAIL = f"[A-Za-z0-9]{{1,30}}([._+-][A-Za-z0-9]{{1,20}})?@{_DOMAIN}"
NAMED_EMAIL = f"[A-Za-z]{{1,30}}( [A-Za-z]{{1,30}}){{0,3}} <{EMAIL}>"
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

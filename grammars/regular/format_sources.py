"""The formats of JSON Schema as patterns (ECMA 262, matching the whole text), put together from the RFCs' grammars.

Names of parts are those of the RFCs. `NARROWER` says for each format that is not exactly its RFC what is left out;
nothing is ever added.
"""

from __future__ import annotations

from collections.abc import Callable

from structgen.grammars.regular.unicode_sets import stable_letters

NARROWER: dict[str, str] = {
    "date": "the year 0000, which no calendar library reads",
    "date-time": "the year 0000; leap seconds under offsets that are not whole hours",
    "time": "leap seconds under offsets that are not whole hours",
    "email": "local parts of several dots that are longer than 32 characters; domains as under hostname",
    "idn-email": "as email; local parts beyond ASCII of more than 16 characters; domains as under idn-hostname",
    "hostname": "A-labels (xn--...), whose validity is not regular; names of many labels when one is long",
    "idn-hostname": "A-labels; U-labels of more than 9 characters; beside other labels, U-labels right to left or of "
    "characters with contextual rules",
    "regex": "groups nested more than twice, backreferences, lookbehind, named groups, most ranges in classes, "
    "{m,n} where m and n share their first digit",
}


def _any_of(*options: str) -> str:
    return f"(?:{'|'.join(options)})"


# ------------------------------------------------------------------------------- RFC 3339: dates, times and durations


def _date() -> str:
    year = _any_of("000[1-9]", "00[1-9][0-9]", "0[1-9][0-9]{2}", "[1-9][0-9]{3}")
    tail = "(?:0[48]|[2468][048]|[13579][26])"
    leap_year = _any_of(f"[0-9]{{2}}{tail}", f"{tail}00")
    long = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    short = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    february = "02-(?:0[1-9]|1[0-9]|2[0-8])"
    return _any_of(f"{year}-{_any_of(long, short, february)}", f"{leap_year}-02-29")


def _time() -> str:
    """Leap seconds fall on 23:59:60 UTC, so local hour and offset have to agree."""
    hour, minute, fraction = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]", r"(?:\.[0-9]+)?"
    ordinary = f"{hour}:{minute}:{minute}{fraction}(?:[Zz]|[+-]{hour}:{minute})"
    leap = [f"23:59:60{fraction}[Zz]"]
    for local in range(24):
        east, west = (local - 23) % 24, (23 - local) % 24
        leap.append(rf"{local:02}:59:60{fraction}(?:\+{east:02}|-{west:02}):00")
    return _any_of(ordinary, *leap)


def _duration() -> str:
    second = "[0-9]+S"
    minute = f"[0-9]+M(?:{second})?"
    time = f"T(?:[0-9]+H(?:{minute})?|{minute}|{second})"
    month = "[0-9]+M(?:[0-9]+D)?"
    return f"P(?:(?:[0-9]+D|{month}|[0-9]+Y(?:{month})?)(?:{time})?|{time}|[0-9]+W)"


# ------------------------------------------------------------------------------------- RFC 3986, 3987: addresses


def _ipv4() -> str:
    octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    return rf"{octet}(?:\.{octet}){{3}}"


def _ipv6() -> str:
    """Eight groups; `::` stands for at least one of them, and the last two may be an IPv4 address."""
    group = "[0-9A-Fa-f]{1,4}"
    forms = [f"(?:{group}:){{7}}{group}", f"(?:{group}:){{6}}{_ipv4()}"]
    for before in range(8):
        left = f"{group}(?::{group}){{{before - 1}}}" if before else ""
        room = 7 - before
        endings = [""] if room == 0 else [f"(?:{group}(?::{group}){{0,{room - 1}}})?"]
        if room >= 2:
            endings.append(f"(?:{group}:){{0,{room - 2}}}{_ipv4()}")
        forms.append(f"{left}::{_any_of(*endings)}")
    return _any_of(*forms)


_UCSCHAR = r"\u{A0}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFEF}" + "".join(
    rf"\u{{{'E1000' if plane == 14 else f'{plane:X}0000'}}}-\u{{{plane:X}FFFD}}" for plane in range(1, 15)
)
_PRIVATE = r"\u{E000}-\u{F8FF}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}"


def _uri(*, reference: bool, international: bool) -> str:
    more = _UCSCHAR if international else ""
    private = _PRIVATE if international else ""
    unreserved, delims, percent = rf"A-Za-z0-9._~\-{more}", "!$&'()*+,;=", "%[0-9A-Fa-f]{2}"
    pchar = f"(?:[{unreserved}{delims}:@]|{percent})"
    future = rf"[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~\-{delims}:]+"
    host = rf"(?:\[(?:{_ipv6()}|{future})\]|(?:[{unreserved}{delims}]|{percent})*)"
    userinfo = f"(?:(?:[{unreserved}{delims}:]|{percent})*@)?"
    authority = f"//{userinfo}{host}(?::[0-9]*)?"
    absolute = f"/(?:{pchar}+(?:/{pchar}*)*)?"
    rest = rf"(?:\?(?:{pchar}|[/?{private}])*)?(?:#(?:{pchar}|[/?])*)?"
    hierarchical = f"(?:{authority}(?:/{pchar}*)*|{absolute}|{pchar}+(?:/{pchar}*)*|)"
    whole = rf"[A-Za-z][A-Za-z0-9+.\-]*:{hierarchical}{rest}"
    if not reference:
        return whole
    no_colon = f"(?:[{unreserved}{delims}@]|{percent})+"
    relative = f"(?:{authority}(?:/{pchar}*)*|{absolute}|{no_colon}(?:/{pchar}*)*|){rest}"
    return _any_of(whole, relative)


def _uri_template() -> str:
    literal = rf"(?:[!#$&(-;=?-\[\]_a-z~{_UCSCHAR}{_PRIVATE}]|%[0-9A-Fa-f]{{2}})"
    character = "(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})"
    variable = rf"{character}(?:\.?{character})*(?::[1-9][0-9]{{0,3}}|\*)?"
    return rf"(?:{literal}|\{{[+#./;?&]?{variable}(?:,{variable})*\}})*"


# ------------------------------------------------------------------------------------ names: RFC 1123, 5321, 5890


def _label(longest: int, inner: str = "A-Za-z0-9") -> str:
    """A label without hyphens at its ends and at its third and fourth place together (those are A-labels)."""
    edge, middle = f"[{inner}]", rf"[{inner}\-]"
    long = f"{edge}{middle}(?:{edge}{middle}|-{edge}){middle}{{0,{longest - 5}}}{edge}"
    return f"(?:{edge}(?:{middle}{{0,2}}{edge})?|{long})"


def _hostname() -> str:
    """253 characters in all: few long labels, or more of shorter ones."""
    forms = [rf"(?:{_label(63)}\.){{0,2}}{_label(63)}", rf"(?:{_label(63)}\.){{3}}{_label(61)}"]
    for count, longest in ((8, 30), (16, 14), (32, 6)):
        forms.append(rf"(?:{_label(longest)}\.){{4,{count - 1}}}{_label(longest)}")
    return _any_of(*forms)


def _idn_hostname() -> str:
    letters = "".join(rf"\u{{{low:X}}}-\u{{{high:X}}}" for low, high in stable_letters().ranges)
    dot, short, unicode_label = r"[.\u3002\uFF0E\uFF61]", _label(61), _label(9, f"a-z0-9{letters}")
    label = _any_of(_label(63), unicode_label)
    hosts = [f"(?:{label}{dot}){{0,2}}{label}", f"(?:{label}{dot}){{3}}{_any_of(short, unicode_label)}"]
    return _any_of(*hosts, *_contextual(letters))


def _contextual(letters: str) -> list[str]:
    """Labels of characters with rules of their own (RFC 5892, appendix A; RFC 5893), as whole names."""
    kana = r"\u{3041}-\u{3096}\u{30A1}-\u{30FA}\u{4E00}-\u{9FEF}"
    greek, hebrew, nagari = r"[\u{3B1}-\u{3C9}]", r"[\u{5D0}-\u{5EA}]", r"[\u{915}-\u{939}]"
    arabic = r"[\u{628}\u{62A}-\u{63A}\u{641}-\u{64A}]"
    joining = r"[\u{628}\u{62A}\u{62B}\u{633}\u{634}\u{644}-\u{646}\u{64A}]"  # on both sides
    return [
        rf"[{letters}\u{{DF}}\u{{3C2}}\u{{F0B}}\u{{3007}}]{{1,9}}",
        rf"[{kana}\u{{30FB}}]{{0,4}}[{kana}][{kana}\u{{30FB}}]{{0,4}}",
        rf"{greek}{{0,4}}\u{{375}}{greek}{{1,4}}",
        r"[a-z]{0,3}l\u{B7}l[a-z]{0,3}",
        rf"{hebrew}{{1,4}}[\u{{5F3}}\u{{5F4}}]?{hebrew}{{0,4}}",
        rf"{arabic}{{1,4}}(?:[\u{{660}}-\u{{669}}]{{0,3}}|[\u{{6F0}}-\u{{6F9}}]{{0,3}}){arabic}{{0,2}}",
        r"[\u{6FD}\u{6FE}]{1,4}",
        r"[\u{6F0}-\u{6F9}][0-9]{0,4}",
        rf"{nagari}{{1,2}}\u{{94D}}[\u{{200C}}\u{{200D}}]?{nagari}{{1,2}}",
        rf"{joining}{{1,2}}\u{{200C}}{joining}{{1,2}}",
    ]


def _local_part(letter: str, most: int) -> str:
    """At most `most` characters: in one piece, in two, or in more that are shorter; or quoted."""
    atom = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~\-{letter}]"
    plain, half = rf"[ !#-\[\]-~{letter}]", most // 2
    dotted = rf"{atom}{{1,{half - 1}}}\.{atom}{{1,{half}}}|{atom}(?:\.?{atom}){{0,{half - 1}}}"
    return rf'(?:{atom}{{1,{most}}}|{dotted}|"{plain}{{0,{most - 2}}}"|"(?:{plain}|\\[ -~]){{0,{half - 1}}}")'


def _email(*, international: bool) -> str:
    """The local part has at most 64 octets; a character outside ASCII may take four of them."""
    local, domain = _local_part("", 64), _hostname()
    if international:
        local, domain = _any_of(local, _local_part(r"\u{80}-\u{10FFFF}", 16)), _idn_hostname()
    literal = rf"\[(?:{_ipv4()}|IPv6:{_ipv6()})\]"
    return rf"{local}@(?:{domain}|{literal})"


# ------------------------------------------------------------------------------------------- pointers, regex, uuid

_POINTER = "(?:/(?:[^~/]|~[01])*)*"


def _ascending() -> str:
    """Bounds `m,n` of a quantifier that show by their length or first digit that m <= n."""
    ways = ["[0-9],[1-9][0-9]{1,2}", "[1-9][0-9],[1-9][0-9]{2}"]
    ways += [f"{m},[{max(m, 1)}-9]" for m in range(10)]
    ways += [f"{tens}[0-9],[{tens + 1}-9][0-9]" for tens in range(1, 9)]
    return "|".join(ways)


def _regex(depth: int) -> str:
    """Patterns that ECMA 262 and Python read alike."""
    literal = r"[^\\\[\](){}|^$.*+?\u0000-\u001f]"
    escape = r"\\(?:[dDwWsSfnrtv^$\\.*+?()\[\]{}|/]|x[0-9A-Fa-f]{2})"
    member = rf"(?:[^\\\[\]^&~|#\u0000-\u001f\-]|{escape}|a-z|A-Z|0-9|a-f|A-F|\\-)"
    atoms = [literal, escape, r"\.", rf"\[\^?{member}+\]"]
    if depth:
        atoms.append(rf"\((?:\?:)?{_regex(depth - 1)}\)")
    count = rf"(?:[*+?]|\{{(?:[1-9][0-9]{{0,2}},?|{_ascending()})\}})\??"
    term = rf"(?:{_any_of(*atoms)}(?:{count})?|\^|\$|\\[bB])"
    if depth:
        term = rf"(?:{term}|\(\?[=!]{_regex(depth - 1)}\))"
    return rf"{term}*(?:\|{term}*)*"


_HEX = "[0-9A-Fa-f]"


SOURCES: dict[str, Callable[[], str]] = {
    "date-time": lambda: f"{_date()}[Tt]{_time()}",
    "date": _date,
    "time": _time,
    "duration": _duration,
    "email": lambda: _email(international=False),
    "idn-email": lambda: _email(international=True),
    "hostname": _hostname,
    "idn-hostname": _idn_hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "uri": lambda: _uri(reference=False, international=False),
    "uri-reference": lambda: _uri(reference=True, international=False),
    "iri": lambda: _uri(reference=False, international=True),
    "iri-reference": lambda: _uri(reference=True, international=True),
    "uri-template": _uri_template,
    "uuid": lambda: f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "json-pointer": lambda: _POINTER,
    "relative-json-pointer": lambda: f"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
    "regex": lambda: _regex(2),
}

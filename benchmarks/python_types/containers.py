"""Containers, addresses, paths and identifiers."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import ipaddress
import os
import pathlib
import typing as t
import uuid
from typing import Annotated, Any, Literal, TypeVar

import annotated_types as at
import pydantic
from pydantic import Field
from pydantic.functional_validators import AfterValidator

from benchmarks.python_types.case import Case
from benchmarks.python_types.classes import Address, Frozen, FrozenWithList, Point
from benchmarks.python_types.enums import Kind, Level

T = TypeVar("T")
UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=2))
DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30, 15, 250000)
D = decimal.Decimal


CONTAINERS = [
    Case("list", list, ([1, "a"],)),
    Case("list[int]", list[int], ([], [1, 2])),
    Case("List[int]", t.List[int], ([1],)),  # noqa: UP006
    Case("list with a length", Annotated[list[int], Field(min_length=1, max_length=3)], ([1],)),
    Case("Len", Annotated[list[int], at.Len(1, 2)], ([1],)),
    Case("dict", dict, ({"a": 1},)),
    Case("dict[str, int]", dict[str, int], ({"a": 1},)),
    Case("dict with a length", Annotated[dict[str, int], Field(min_length=1, max_length=2)], ({"a": 1},)),
    Case("dict of two dates", Annotated[dict[dt.date, int], Field(min_length=2)], ({DAY: 1, dt.date(1, 1, 1): 2},)),
    Case("dict of two decimals", Annotated[dict[D, int], Field(min_length=2)]),
    Case("dict[int, str]", dict[int, str], ({1: "a", -20: ""},)),
    Case("dict[IntEnum, int]", dict[Level, int], ({Level.LOW: 1},)),
    Case("dict[Enum, int]", dict[Kind, int], ({Kind.CAT: 1},)),
    Case("dict[bool, int]", dict[bool, int], ({True: 1},)),
    Case("dict[float, int]", dict[float, int], ({1.5: 1, 0.0: 2, 1e-7: 3, 1e22: 4, 5e-324: 5, 1e300: 6},)),
    Case("dict[UUID, int]", dict[uuid.UUID, int], ({uuid.UUID(int=5): 1},)),
    Case("dict[date, int]", dict[dt.date, int], ({dt.date(2023, 1, 2): 1},)),
    Case("dict[Literal, int]", dict[Literal["p", "q"], int], ({"p": 1},)),
    Case("dict[1 <= int <= 9, int]", dict[Annotated[int, Field(ge=1, le=9)], int], ({3: 1},)),
    Case("dict[tuple, int]", dict[tuple[int, int], int]),
    Case("dict[bytes, int]", dict[bytes, int], ({b"a": 1},)),
    Case("dict[str | int, int]", dict[str | int, int], ({"a": 1},)),
    Case("dict[Decimal, int]", dict[D, int], ({D("1.5"): 1},)),
    Case("tuple", tuple, ((1, "a"),)),
    Case("tuple[int, str]", tuple[int, str], ((1, "a"),)),
    Case("tuple[int, ...]", tuple[int, ...], ((1, 2),)),
    Case("tuple[()]", tuple[()], ((),)),
    Case("set", set, ({1, 2},)),
    Case("set[int]", set[int], ({1, 2},)),
    Case("set[frozen model]", set[Frozen], ({Frozen(x=1)},)),
    Case("set[model]", set[Address]),
    Case("set of frozen models that hold lists", set[FrozenWithList]),
    Case("set[list[int]]", set[list[int]]),
    Case("set[tuple[int, int]]", set[tuple[int, int]], ({(1, 2)},)),
    Case("set[Any]", set[Any], ({1},)),
    Case("set[dataclass]", set[Point]),
    Case("set[str | list]", set[str | list[int]]),
    Case("set with a length", Annotated[set[Kind], Field(min_length=1)], ({Kind.CAT},)),
    Case("set of two strings", Annotated[set[str], Field(min_length=2)], ({"a", "b"},)),
    Case("set of two floats", Annotated[set[float], Field(min_length=2)], ({1.0, 2.0},)),
    Case("set of two dates", Annotated[set[dt.date], Field(min_length=2)], ({DAY, dt.date(2019, 11, 30)},)),
    Case("set of two datetimes", Annotated[set[dt.datetime], Field(min_length=2)]),
    Case("set of two decimals", Annotated[set[D], Field(min_length=2)]),
    Case("frozenset", frozenset, (frozenset({1}),)),
    Case("frozenset[Enum]", frozenset[Kind], (frozenset({Kind.CAT}),)),
    Case("Set, FrozenSet", tuple[t.Set[int], t.FrozenSet[str]], (({1}, frozenset({"a"})),)),  # noqa: UP006
    Case("deque", collections.deque, (collections.deque([1]),)),
    Case("deque[int]", collections.deque[int], (collections.deque([1]),)),
    Case("deque with a length", Annotated[collections.deque[int], Field(max_length=2)], (collections.deque([1]),)),
    Case("OrderedDict", collections.OrderedDict[str, int], (collections.OrderedDict(a=1),)),
    Case("defaultdict", collections.defaultdict[str, list[int]], (collections.defaultdict(list, a=[1]),)),
    Case("Counter", collections.Counter[str], (collections.Counter("aab"),)),
    Case("ChainMap", collections.ChainMap[str, int]),
    Case("Sequence", t.Sequence[int], ([1],)),
    Case("MutableSequence", t.MutableSequence[int], ([1],)),
    Case("Collection", t.Collection[int], ([1],)),
    Case("Iterable", t.Iterable[int]),
    Case("Iterator", t.Iterator[int]),
    Case("Generator", t.Generator[int, None, None]),
    Case("Mapping", t.Mapping[str, int], ({"a": 1},)),
    Case("MutableMapping", t.MutableMapping[str, int], ({"a": 1},)),
    Case("AbstractSet", t.AbstractSet[int], ({1},)),
    Case("UniqueItems by validator", Annotated[list[int], AfterValidator(lambda value: value)], ([1],)),
    Case("FailFast", Annotated[list[int], pydantic.FailFast()], ([1],)),
    Case("nested", dict[str, list[tuple[int, set[str] | None]]], ({"a": [(1, {"x"})]},)),
]


NETWORKS = [
    Case("IPv4Address", ipaddress.IPv4Address, (ipaddress.IPv4Address("1.2.3.4"),)),
    Case(
        "IPv6Address", ipaddress.IPv6Address, (ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("1:2:3:4:5:6:7:8"))
    ),
    Case("IPv4Network", ipaddress.IPv4Network, (ipaddress.IPv4Network("10.0.0.0/8"),)),
    Case(
        "IPv6Network",
        ipaddress.IPv6Network,
        tuple(map(ipaddress.IPv6Network, ("2001:db8::/32", "fe80::/10", "::1:0:0:0/80", "1::2:0/113", "::/0"))),
    ),
    Case("IPv4Interface", ipaddress.IPv4Interface, (ipaddress.IPv4Interface("10.0.0.1/8"),)),
    Case(
        "IPv6Interface",
        ipaddress.IPv6Interface,
        (ipaddress.IPv6Interface("2001:db8:1:2:3:4:5:6/32"), ipaddress.IPv6Interface("::5/99")),
    ),
    Case("IPvAnyAddress", pydantic.IPvAnyAddress, (ipaddress.IPv4Address("1.2.3.4"), ipaddress.IPv6Address("::1"))),
    Case("IPvAnyInterface", pydantic.IPvAnyInterface, (ipaddress.IPv4Interface("10.0.0.1/8"),)),
    Case("IPvAnyNetwork", pydantic.IPvAnyNetwork, (ipaddress.IPv4Network("10.0.0.0/8"),)),
    Case("UUID", uuid.UUID, (uuid.UUID(int=5),)),
    *(Case(f"UUID{n}", getattr(pydantic, f"UUID{n}")) for n in (1, 3, 6, 7, 8)),
    Case("UUID4", pydantic.UUID4, (uuid.UUID("123e4567-e89b-42d3-a456-426614174000"),)),
    Case("UUID5", pydantic.UUID5, (uuid.uuid5(uuid.NAMESPACE_DNS, "x"),)),
    *(
        Case(name, getattr(pydantic, name), (getattr(pydantic, name)(f"{scheme}://example.com{path}"),))
        for name, scheme, path in (
            ("AnyUrl", "http", "/a?b=c#d"),
            ("AnyHttpUrl", "https", "/"),
            ("HttpUrl", "https", "/a"),
            ("WebsocketUrl", "wss", "/"),
            ("AnyWebsocketUrl", "ws", "/"),
            ("FtpUrl", "ftp", "/f"),
            ("RedisDsn", "redis", "/0"),
            ("MongoDsn", "mongodb", "/db"),
            ("NatsDsn", "nats", ""),
            ("AmqpDsn", "amqp", "/x"),
            ("KafkaDsn", "kafka", ":9092"),
            ("ClickHouseDsn", "clickhouse", "/x"),
            ("SnowflakeDsn", "snowflake", "/x"),
        )
    ),
    Case("FileUrl", pydantic.FileUrl, (), ('"file:///etc/hosts"',)),
    Case("PostgresDsn", pydantic.PostgresDsn, (pydantic.PostgresDsn("postgres://example.com/x"),)),
    Case("CockroachDsn", pydantic.CockroachDsn, (pydantic.CockroachDsn("cockroachdb://example.com/x"),)),
    Case("MySQLDsn", pydantic.MySQLDsn, (pydantic.MySQLDsn("mysql://example.com/x"),)),
    Case("MariaDBDsn", pydantic.MariaDBDsn, (pydantic.MariaDBDsn("mariadb://example.com/x"),)),
    Case(
        "UrlConstraints",
        Annotated[pydantic.AnyUrl, pydantic.UrlConstraints(max_length=30, allowed_schemes=["https"])],
        (),
        ('"https://a.com/"',),
    ),
    Case(
        "UrlConstraints, defaults",
        Annotated[pydantic.AnyUrl, pydantic.UrlConstraints(host_required=True, default_port=80)],
        (),
        ('"https://a.com/"',),
    ),
    Case("Path", pathlib.Path, (pathlib.Path("/a/b"),)),
    Case("PurePath", pathlib.PurePath, (pathlib.PurePath("a"),)),
    Case("PurePosixPath", pathlib.PurePosixPath, (pathlib.PurePosixPath("a"),)),
    Case("FilePath", pydantic.FilePath),
    Case("DirectoryPath", pydantic.DirectoryPath),
    Case("NewPath", pydantic.NewPath),
    Case("SocketPath", pydantic.SocketPath),
    Case("os.PathLike[str]", os.PathLike[str], (pathlib.Path("a"),)),
]

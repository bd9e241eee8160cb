"""The lexer of TypeScript, C++ and Java by hand; beside those of the languages in `python -m benchmarks monitors`."""

from __future__ import annotations

import pytest

from structgen.monitors.lexical.c_like import CPP, JAVA, TYPESCRIPT, CLike, Spot


def texts(marked: str) -> list[str]:
    return marked.split("|")


# A mark stands before the last byte of every access; texts are set apart by a bar.
TYPESCRIPT_TEXTS = texts(
    "x§.a|x?§.a|x!§.a|x!= .5|f()§.a|x[0]§.a|'a'§.a|''§.a|\"x.y\"§.a|`x.y`§.a|x\n  §.a\n  §.b()|"
    "x // y.z\n §.a|x /* y.z */ §.a|1.5|x ? .5 : 1|[...x]|if (x§.y) /a.b/§.test(z)|if (f(x)) /a.b/|"
    "f(x) / a§.b|y = /a.b[/].c/g§.test(z)|`a.b${x§.y}c.d`§.z|`${`${x§.y}`}`|`\\`x.y`|return .5|this§.a|"
    "super§.a|new x§.a|import x.y|import('a'); x§.y|x§.default§.y|x§.in§.y|// x.y|/* x.y */|a / b§.c / d§.e|"
    "$§.a|a$b§.c|x§.$el§.y|export const a = x§.y|x;.5|f(a, b§.c)|async x§.y|x as y§.z|typeof x§.y|'it\\'s.x'|"
    "/[/].x/|x§.#a§.b|𝒳§.a|größe§.a"
)
JAVA_TEXTS = texts(
    'x§.a|f()§.a|x[0]§.a|"a.b"§.a|""§.a|"""\n a.b "quoted" """§.a|\'.\'|x\n  §.a|1.5f|1.e3|.5|'
    "import java.util.List;x§.a|package a.b;|import static a.b.C.*;x§.a|A:§:b|int[]:§:new|a ? b : c|"
    "x -> x§.a|List<A> b = c§.d|@A§.B|// x.y|/* x.y */x§.y|this§.a|super§.a|new A()§.b|case A -> x§.y|$a§.b|"
    "A§.class§.b|void f(String§... a)|x§.<T>f()"
)
CPP_TEXTS = texts(
    'x§.a|x-§>a|a:§:b|x-->y|x - > y|x -§>a|f()-§>a|x[0]§.a|"a.b"§.a|R"(a.b)c.d)"|R"x(a.b)")x"§.a|'
    "u8R\"(.x)\"|1.5f|1'000.5|'.'|'\"'|#include <a.b>\nx§.y|#define A \\\n x.y\nx§.y|namespace a::b { x§.y }|"
    "::a|a ? b : c|a?b:§:c|std:§:vector|// x.y\nz§.a|/* x.y */z§.a|a / b§.c|this-§>a|return ::a|"
    "template<A§... a>|x§.*y|x-§>*y|A:§:~A|case a: ::b|x ? ::a : b|sizeof(x)§.a|x§.template§.y|if (x) ::a()|"
    "f(x):§:a"
)
TEXTS = {"typescript": TYPESCRIPT_TEXTS, "java": JAVA_TEXTS, "cpp": CPP_TEXTS}
LEXERS = [TYPESCRIPT, JAVA, CPP]


def accesses(lexer: CLike, data: bytes) -> list[int]:
    state, found = lexer.start(), []
    for at, byte in enumerate(data):
        if lexer.is_access(state, byte):
            found.append(at)
        state = lexer.after(state, byte)
    return found


@pytest.mark.parametrize(
    ("lexer", "marked"),
    [(lexer, text) for lexer in LEXERS for text in TEXTS[lexer.name]],
    ids=lambda value: value.name if isinstance(value, CLike) else value,
)  # fmt: skip
def test_accesses_by_hand(lexer: CLike, marked: str) -> None:
    parts = marked.encode().split("§".encode())
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts) - 1)]
    assert accesses(lexer, b"".join(parts)) == ends


@pytest.mark.parametrize(
    ("lexer", "text", "others"),
    [
        (TYPESCRIPT, "x", b"#"), (TYPESCRIPT, "x?", b"#[(`0123456789"), (JAVA, "x", b"<."), (CPP, "x-", b"~*"),
        (CPP, "x", b"~*."),
    ],
)  # fmt: skip
def test_what_may_stand_in_place_of_a_name(lexer: CLike, text: str, others: bytes) -> None:
    assert lexer.others(read(lexer, text)) == others


def read(lexer: CLike, text: str) -> Spot:
    state = lexer.start()
    for byte in text.encode():
        state = lexer.after(state, byte)
    return state


@pytest.mark.parametrize(
    ("lexer", "text", "due"),
    [
        (TYPESCRIPT, "f(x[{a: `b${c", b"}`}])"), (TYPESCRIPT, "f('a", b"')"), (TYPESCRIPT, "f(/a", b"/)"),
        (TYPESCRIPT, "f(//", b"\n)"), (JAVA, '{ x = """\n a', b'"""}'), (JAVA, "f(/* a", b"*/)"),
        (JAVA, "if (x", b")"), (CPP, 'f(R"x(a', b')x")'), (CPP, "f(x->", b")"), (CPP, "#if a", b"\n"),
    ],
)  # fmt: skip
def test_what_is_due(lexer: CLike, text: str, due: bytes) -> None:
    assert lexer.closers(read(lexer, text)) == due


def test_the_object_that_a_method_belongs_to() -> None:
    assert TYPESCRIPT.is_own(read(TYPESCRIPT, "return this"))
    assert JAVA.is_own(read(JAVA, "this "))
    assert not CPP.is_own(read(CPP, "thist"))
    assert not any(lexer.begins(read(lexer, "this")) for lexer in LEXERS)


@pytest.mark.parametrize("lexer", LEXERS, ids=lambda lexer: lexer.name)
def test_outlooks_read_on_alike(lexer: CLike) -> None:
    """From a state's outlook every text is read as from the state, as far as accesses go."""
    tails = [
        ".a",
        "->a",
        "::b",
        "?.c",
        ").d",
        "}`.e",
        "'.f",
        '".g',
        "x.h",
        "/.i",
        "*/.j",
        "\n.k",
        "t.l",
        ";x.m",
        'R"(.n)"',
        "8.o",
    ]
    seen = 0
    for text in TEXTS[lexer.name]:
        data = text.replace("§", "").encode()
        for size in range(len(data) + 1):
            state = lexer.start()
            for byte in data[:size]:
                state = lexer.after(state, byte)
            short = lexer.outlook(state, 2)
            seen += short != state
            for tail in tails:
                one, other = state, short
                for byte in tail.encode():
                    assert lexer.is_access(one, byte) == lexer.is_access(other, byte), (data[:size], tail)  # type: ignore[arg-type]
                    one, other = lexer.after(one, byte), lexer.after(other, byte)  # type: ignore[arg-type]
    assert seen > 20

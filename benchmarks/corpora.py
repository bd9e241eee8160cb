"""Six grammars people bring, in the GBNF that llama.cpp, xgrammar and this library read alike, and texts in them.

The texts are written by seeded functions below, with words from ordinary code and prose; every grammar accepts its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

JSON = r"""
root ::= value
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (pair ("," ws pair)*)? ws "}"
pair ::= string ":" ws value
array ::= "[" ws (value ("," ws value)*)? ws "]"
string ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws ::= [ \n\t]*
"""

SQL = r"""
root ::= statement (";" ws statement)* ";"
statement ::= select | insert | update | delete
select ::= "SELECT " ("DISTINCT ")? columns " FROM " table join* where? group? order? limit?
columns ::= "*" | column (", " column)*
column ::= expression (" AS " name)?
table ::= name (" AS " name)?
join ::= (" LEFT" | " INNER")? " JOIN " table " ON " condition
where ::= " WHERE " condition
group ::= " GROUP BY " reference (", " reference)*
order ::= " ORDER BY " reference (" ASC" | " DESC")?
limit ::= " LIMIT " integer
insert ::= "INSERT INTO " name " (" name (", " name)* ") VALUES (" literal (", " literal)* ")"
update ::= "UPDATE " name " SET " name " = " expression where?
delete ::= "DELETE FROM " name where?
condition ::= test ((" AND " | " OR ") test)*
test ::= "NOT "? (comparison | "(" condition ")")
comparison ::= expression (" " compare " " expression | " IS " "NOT "? "NULL" | " LIKE " text)
compare ::= "=" | "<>" | "<=" | ">=" | "<" | ">"
expression ::= term ((" + " | " - " | " * ") term)*
term ::= literal | call | reference
call ::= name "(" (expression (", " expression)*)? ")"
reference ::= name ("." name)?
literal ::= text | integer ("." [0-9]+)?
text ::= "'" ([^'] | "''")* "'"
integer ::= [0-9]+
name ::= [a-z_] [a-z0-9_]*
ws ::= [ \n]*
"""

C = r"""
root ::= (function | declaration ";" nl)*
function ::= type " " name "(" (parameter (", " parameter)*)? ") " block nl
parameter ::= type " " "*"? name ("[]")?
declaration ::= type " " "*"? name ("[" integer "]")? (" = " expression)?
type ::= "int" | "char" | "float" | "void" | "struct " name
block ::= "{" nl (ws statement nl)* ws "}"
statement ::= block | declaration ";" | assignment ";" | return | if | while | for | "break;"
return ::= "return" (" " expression)? ";"
if ::= "if (" expression ") " statement (" else " statement)?
while ::= "while (" expression ") " statement
for ::= "for (" (declaration | assignment)? "; " expression? "; " assignment? ") " statement
assignment ::= (unary " " ("=" | "+=" | "-=") " ")? expression
expression ::= operand (" " operator " " operand)*
operator ::= "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<=" | ">=" | "<" | ">" | "&&" | "||"
operand ::= unary
unary ::= ("-" | "!" | "*" | "&" | "++" | "--") unary | postfix
postfix ::= primary ("(" (expression (", " expression)*)? ")" | "[" expression "]" | ("." | "->") name | "++" | "--")*
primary ::= name | number | string | character | "(" expression ")"
number ::= "0x" [0-9a-f]+ | integer ("." [0-9]+)?
string ::= "\"" ([^"\\\n] | "\\" [^\n])* "\""
character ::= "'" ([^'\\\n] | "\\" [^\n]) "'"
integer ::= [0-9]+
name ::= [a-zA-Z_] [a-zA-Z0-9_]*
nl ::= "\n" "\n"?
ws ::= [ ]*
"""

GRAPHQL = r"""
root ::= definition (nl definition)*
definition ::= operation | fragment
operation ::= (("query" | "mutation" | "subscription") (" " name)? variables? directive* " ")? selections
variables ::= "(" variable (", " variable)* ")"
variable ::= "$" name ": " type (" = " value)?
type ::= (name | "[" type "]") "!"?
selections ::= "{" ws selection (gap selection)* ws "}"
selection ::= field | "..." name directive* | "... on " name directive* " " selections
field ::= (name ": ")? name arguments? directive* (" " selections)?
arguments ::= "(" argument (", " argument)* ")"
argument ::= name ": " value
directive ::= " @" name arguments?
fragment ::= "fragment " name " on " name directive* " " selections
value ::= "$" name | number | string | name | "[" (value (", " value)*)? "]" | "{" (argument (", " argument)*)? "}"
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
string ::= "\"" ([^"\\\n] | "\\" ["\\/bfnrt])* "\""
name ::= [_A-Za-z] [_0-9A-Za-z]*
gap ::= [ \n] [ \n]*
ws ::= [ \n]*
nl ::= "\n" "\n"?
"""

PYTHON = r"""
root ::= (line0 | "\n")+
line0 ::= simple "\n" | head ":\n" (tab line1)+
line1 ::= simple "\n" | head ":\n" (tab tab line2)+
line2 ::= simple "\n" | head ":\n" (tab tab tab line3)+
line3 ::= simple "\n"
tab ::= "    "
head ::= "def " name "(" (parameter (", " parameter)*)? ")" (" -> " test)? | class | block
class ::= "class " name ("(" name (", " name)* ")")?
block ::= ("if " | "elif " | "while ") test | "else" | "try" | "for " targets " in " test | with | except
with ::= "with " test (" as " name)?
except ::= "except" (" " test (" as " name)?)?
parameter ::= name (": " test)? (" = " test)?
simple ::= "pass" | "break" | "continue" | "return" (" " tests)? | import | "raise " test | assignment
import ::= "import " dotted | "from " dotted " import " name (", " name)*
dotted ::= name ("." name)*
assignment ::= (targets " " ("=" | "+=" | "-=") " ")? tests
targets ::= power (", " power)*
tests ::= test (", " test)*
test ::= or (" if " or " else " test)? | "lambda " (name (", " name)*)? ": " test
or ::= not ((" or " | " and ") not)*
not ::= "not " not | sum (" " comparison " " sum)*
comparison ::= "==" | "!=" | "<=" | ">=" | "<" | ">" | "in" | "not in" | "is" | "is not"
sum ::= unary (" " ("+" | "-" | "*" | "/" | "//" | "%" | "**") " " unary)*
unary ::= "-" unary | power
power ::= atom ("." name | "(" (argument (", " argument)*)? ")" | "[" test (":" test)? "]")*
argument ::= (name "=")? test (" for " targets " in " or (" if " or)?)?
atom ::= name | number | string | "(" tests? ")" | "[" (argument (", " argument)*)? "]" | "{" (item (", " item)*)? "}"
item ::= test (": " test)?
number ::= [0-9]+ ("." [0-9]+)?
string ::= "f"? ("\"" ([^"\\\n] | "\\" [^\n])* "\"" | "'" ([^'\\\n] | "\\" [^\n])* "'")
name ::= [A-Za-z_] [A-Za-z0-9_]*
"""

XML = r"""
root ::= ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")? element "\n"?
element ::= "<" name attribute* ("/>" | ">" content* "</" name ">")
attribute ::= " " name "=\"" ([^<&"] | reference)* "\""
content ::= element | text | comment | cdata
text ::= ([^<&] | reference)+
reference ::= "&" ("lt" | "gt" | "amp" | "quot" | "apos" | "#" [0-9]+) ";"
comment ::= "<!--" ([^-] | "-" [^-])* "-->"
cdata ::= "<![CDATA[" ([^\]] | "]" [^\]])* "]]>"
name ::= [A-Za-z_] [A-Za-z0-9_.:-]*
"""

WORDS = [
    "account",
    "address",
    "amount",
    "author",
    "balance",
    "body",
    "buffer",
    "category",
    "city",
    "client",
    "color",
    "comment",
    "config",
    "content",
    "count",
    "country",
    "customer",
    "data",
    "date",
    "delay",
    "email",
    "employee",
    "entry",
    "error",
    "event",
    "field",
    "file",
    "filter",
    "first",
    "flag",
    "format",
    "group",
    "height",
    "host",
    "image",
    "index",
    "input",
    "invoice",
    "item",
    "key",
    "label",
    "last",
    "length",
    "level",
    "limit",
    "line",
    "link",
    "list",
    "location",
    "message",
    "method",
    "name",
    "node",
    "note",
    "number",
    "offset",
    "order",
    "output",
    "owner",
    "page",
    "parent",
    "path",
    "payload",
    "phone",
    "point",
    "post",
    "price",
    "product",
    "project",
    "quantity",
    "query",
    "rating",
    "record",
    "region",
    "report",
    "request",
    "response",
    "result",
    "role",
    "room",
    "score",
    "session",
    "size",
    "source",
    "stage",
    "start",
    "state",
    "status",
    "street",
    "subject",
    "tag",
    "target",
    "task",
    "team",
    "text",
    "time",
    "title",
    "token",
    "total",
    "type",
    "unit",
    "update",
    "user",
    "value",
    "vendor",
    "weight",
    "width",
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A grammar and what writes its texts."""

    name: str
    grammar: str
    write: Callable[[random.Random], str]

    def texts(self, count: int, seed: int = 0) -> list[str]:
        """`count` texts, the same for the same seed."""
        return [self.write(random.Random(f"{self.name} {seed} {k}")) for k in range(count)]


def _name(rng: random.Random) -> str:
    return "_".join(rng.sample(WORDS, rng.choice((1, 1, 2))))


def _prose(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randrange(2, 9))).capitalize() + rng.choice((".", "", "!", " (ü, 你好)"))


def _json(rng: random.Random, depth: int = 0) -> object:
    kind = rng.randrange(7) if depth else 5
    if kind < 5 or depth > 3:
        return rng.choice((_prose(rng), rng.randrange(10**6), rng.random() * 1e3, None, True, _name(rng)))
    if kind == 5:
        return {_name(rng): _json(rng, depth + 1) for _ in range(rng.randrange(2, 7))}
    return [_json(rng, depth + 1) for _ in range(rng.randrange(5))]


def write_json(rng: random.Random) -> str:
    """A document of four levels at most, indented or not."""
    return json.dumps(_json(rng), indent=rng.choice((None, 2)), ensure_ascii=rng.random() < 0.3)


def write_sql(rng: random.Random) -> str:
    """One to three statements."""

    def term() -> str:
        options = (
            lambda: _name(rng),
            lambda: f"{rng.choice('abct')}.{_name(rng)}",
            lambda: str(rng.randrange(1000)),
            lambda: f"'{_prose(rng)}'",
            lambda: f"{rng.choice(('count', 'max', 'lower', 'coalesce'))}({_name(rng)})",
        )
        return rng.choice(options)()

    def where() -> str:
        tests = [f"{term()} {rng.choice(('=', '<>', '<', '>='))} {term()}" for _ in range(rng.randrange(1, 4))]
        return " WHERE " + rng.choice((" AND ", " OR ")).join([*tests, f"{_name(rng)} IS NOT NULL"])

    def select() -> str:
        columns = ", ".join(f"{term()} AS {_name(rng)}" for _ in range(rng.randrange(1, 5)))
        join = f" LEFT JOIN {_name(rng)} AS b ON a.id = b.{_name(rng)}" if rng.random() < 0.5 else ""
        tail = rng.choice(("", f" ORDER BY {_name(rng)} DESC", f" GROUP BY {_name(rng)} LIMIT {rng.randrange(100)}"))
        return f"SELECT {columns} FROM {_name(rng)} AS a{join}{where()}{tail}"

    def statement() -> str:
        return rng.choice(
            (
                select(),
                select(),
                f"INSERT INTO {_name(rng)} (id, {_name(rng)}) VALUES ({rng.randrange(99)}, '{_prose(rng)}')",
                f"UPDATE {_name(rng)} SET {_name(rng)} = {term()} + 1{where()}",
                f"DELETE FROM {_name(rng)}{where()}",
            )
        )

    return ";\n".join(statement() for _ in range(rng.randrange(1, 4))) + ";"


def write_c(rng: random.Random) -> str:
    """A struct pointer, a global and one or two functions."""

    def value() -> str:
        n = _name(rng)
        return rng.choice(
            (n, f"{n}->{_name(rng)}", f"{n}[i + {rng.randrange(9)}]", str(rng.randrange(999)), f"f({n}, 'x')")
        )

    def statement(indent: str) -> str:
        n = _name(rng)
        simple = (
            f"int {n} = {value()} * {value()};",
            f"{n} += {value()};",
            f'printf("{_prose(rng)}\\n", {value()});',
            f"if ({value()} == {value()} && !{n}) return {value()}; else break;",
            f"for (int i = 0; i < {value()}; i++) {n}[i] = {value()};",
        )
        if len(indent) < 9 and rng.random() < 0.25:
            inner = "".join(statement(indent + "    ") for _ in range(rng.randrange(1, 4)))
            return f"{indent}while ({value()} != 0x{rng.randrange(256):x}) {{\n{inner}{indent}}}\n"
        return f"{indent}{rng.choice(simple)}\n"

    def function() -> str:
        body = "".join(statement("    ") for _ in range(rng.randrange(2, 6)))
        return f"int {_name(rng)}(struct {_name(rng)} *{_name(rng)}, char {_name(rng)}[]) {{\n{body}    return 0;\n}}\n"

    return f"float {_name(rng)}[{rng.randrange(1, 99)}];\n\n" + "\n".join(
        function() for _ in range(rng.randrange(1, 3))
    )


def write_graphql(rng: random.Random) -> str:
    """A query with variables, nested selections and perhaps a fragment."""

    def selections(indent: str) -> str:
        fields = []
        for _ in range(rng.randrange(1, 5)):
            arguments = f"({_name(rng)}: ${_name(rng)}, first: {rng.randrange(50)})" if rng.random() < 0.3 else ""
            deeper = f" {selections(indent + '  ')}" if len(indent) < 5 and rng.random() < 0.4 else ""
            fields.append(f"{indent}{_name(rng)}{arguments}{deeper}")
        fields.append(rng.choice((f"{indent}id", f"{indent}...{_name(rng)}", f"{indent}name @include(if: $flag)")))
        return "{\n" + "\n".join(fields) + "\n" + indent[2:] + "}"

    head = f'query {_name(rng)}(${_name(rng)}: [Int!]!, $flag: Boolean = true, $text: String = "{_prose(rng)}")'
    fragment = f"\n\nfragment {_name(rng)} on {_name(rng).title()} {selections('  ')}" if rng.random() < 0.5 else ""
    return f"{head} {selections('  ')}{fragment}"


def write_python(rng: random.Random) -> str:
    """Imports and one or two functions or classes, indented by four."""

    def value() -> str:
        n = _name(rng)
        options = (
            n,
            f"{n}.{_name(rng)}",
            f"{n}[{rng.randrange(9)}]",
            f"len({n})",
            str(rng.randrange(999)),
            f'"{_prose(rng)}"',
        )
        return rng.choice((*options, f"[{n} for {n} in {_name(rng)}]", f"{{'{n}': {rng.randrange(9)}}}"))

    def simple() -> str:
        options = (f"{_name(rng)} = {value()}", f"return {value()}", f"self.{_name(rng)} += {value()}", "pass")
        return rng.choice((*options, f"print({value()}, sep={value()})", f"raise ValueError({value()})"))

    def block(depth: int) -> str:
        tab = "    " * depth
        out = ""
        for _ in range(rng.randrange(1, 4)):
            if depth < 3 and rng.random() < 0.4:
                heads = (
                    f"if {value()} == {value()} and not {value()}",
                    f"for {_name(rng)} in {value()}",
                    f"while {value()}",
                )
                out += f"{tab}{rng.choice(heads)}:\n{block(depth + 1)}"
            else:
                out += f"{tab}{simple()}\n"
        return out

    function = f"def {_name(rng)}(self, {_name(rng)}: int = {rng.randrange(9)}) -> str:\n"
    klass = f"class {_name(rng).title()}:\n    {function}" + block(2)
    return f"import os\nfrom typing import Any\n\n{rng.choice((function + block(1), klass))}\n{simple()}\n"


def write_xml(rng: random.Random) -> str:
    """A document of four levels at most."""

    def element(indent: str) -> str:
        n = _name(rng)
        attributes = "".join(
            f' {_name(rng)}="{rng.choice((_name(rng), str(rng.randrange(99))))}"' for _ in range(rng.randrange(3))
        )
        if len(indent) > 5 or rng.random() < 0.4:
            return f"{indent}<{n}{attributes}>{_prose(rng)} &amp; {_name(rng)}</{n}>\n"
        inner = "".join(element(indent + "  ") for _ in range(rng.randrange(1, 4)))
        comment = f"{indent}  <!-- {_prose(rng)} -->\n" if rng.random() < 0.2 else ""
        return f"{indent}<{n}{attributes}>\n{comment}{inner}{indent}</{n}>\n"

    return f'<?xml version="1.0" encoding="UTF-8"?>\n<root>\n{element("  ")}{element("  ")}</root>\n'


CORPORA = (
    Corpus("sql", SQL, write_sql),
    Corpus("c", C, write_c),
    Corpus("graphql", GRAPHQL, write_graphql),
    Corpus("python", PYTHON, write_python),
    Corpus("json", JSON, write_json),
    Corpus("xml", XML, write_xml),
)

"""Lark grammars of the kinds people bring, each with texts of the language. The judge is lark itself."""

from __future__ import annotations

import re
from pathlib import Path

import lark
from lark.indenter import Indenter, PythonIndenter

from structgen.grammars.lark import LarkGrammar

SHIPPED = Path(lark.__path__[0]) / "grammars"

ARITHMETIC = r"""
?start: sum | NAME "=" sum -> assign
?sum: product | sum "+" product -> add | sum "-" product -> sub
?product: atom | product "*" atom | product "/" atom
?atom: NUMBER -> number | "-" atom -> neg | NAME -> var | "(" sum ")" | atom "." NAME
%import common.CNAME -> NAME
%import common.NUMBER
%import common.WS_INLINE
%ignore WS_INLINE
"""

JSON = r"""
?start: value
?value: object | array | string | SIGNED_NUMBER -> number | "true" -> true | "false" -> false | "null" -> null
array: "[" _list{value}? "]"
object: "{" _list{pair}? "}"
pair: string ":" value
string: ESCAPED_STRING
_list{item}: item ("," item)*
%import common.ESCAPED_STRING
%import common.SIGNED_NUMBER
%import common.WS
%ignore WS
"""

SQL = r"""
start: (statement ";")+
?statement: select | insert | delete
select: "SELECT"i DISTINCT? columns "FROM"i table join* where? order? limit?
columns: "*" | column ("," column)*
column: expression ("AS"i NAME)?
table: NAME ("AS"i? NAME)?
join: ("LEFT"i | "INNER"i)? "JOIN"i table "ON"i condition
where: "WHERE"i condition
order: "ORDER"i "BY"i NAME ("ASC"i | "DESC"i)?
limit: "LIMIT"i INT
insert: "INSERT"i "INTO"i NAME "(" NAME ("," NAME)* ")" "VALUES"i "(" expression ("," expression)* ")"
delete: "DELETE"i "FROM"i NAME where?
?condition: conjunction | condition "OR"i conjunction
?conjunction: test | conjunction "AND"i test
?test: expression COMPARE expression | expression "IS"i "NOT"i? "NULL"i | "NOT"i test | "(" condition ")"
?expression: term | expression ("+" | "-") term
?term: NAME ("." NAME)? | NUMBER | STRING | NAME "(" (expression ("," expression)*)? ")"
DISTINCT: "DISTINCT"i
COMPARE: "=" | "<>" | "<=" | ">=" | "<" | ">"
NAME: /[a-zA-Z_]\w*/
STRING: /'(''|[^'])*'/
%import common (INT, NUMBER, WS, SQL_COMMENT)
%ignore WS
%ignore SQL_COMMENT
"""

C = r"""
start: (function | declaration ";")*
function: type NAME "(" (parameter ("," parameter)*)? ")" block
parameter: type NAME ("[" "]")?
declaration: type NAME ("=" expression)? | type NAME "[" INT "]"
type: ("int" | "char" | "float" | "void" | "struct" NAME) "*"*
block: "{" statement* "}"
?statement: block | declaration ";" | expression ";" | "return" expression? ";" | "break" ";"
    | "if" "(" expression ")" statement ("else" statement)?
    | "while" "(" expression ")" statement
    | "for" "(" (declaration | expression)? ";" expression? ";" expression? ")" statement
?expression: logical | unary ASSIGN expression
?logical: equality | logical ("&&" | "||") equality
?equality: relation | equality ("==" | "!=") relation
?relation: sum | relation ("<" | ">" | "<=" | ">=") sum
?sum: product | sum ("+" | "-") product
?product: unary | product ("*" | "/" | "%") unary
?unary: postfix | ("-" | "!" | "*" | "&" | "++" | "--") unary
?postfix: primary | postfix "(" (expression ("," expression)*)? ")" | postfix "[" expression "]"
    | postfix ("." | "->") NAME | postfix ("++" | "--")
?primary: NAME | FLOAT | INT | CHAR | STRING | "(" expression ")"
ASSIGN: /[-+*\/]?=/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
INT: /0[xX][0-9a-fA-F]+|[0-9]+/
FLOAT: /[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?/
CHAR: /'(\\.|[^'\\\n])'/
STRING: /"(\\.|[^"\\\n])*"/
COMMENT: /\/\*(.|\n)*?\*\// | /\/\/[^\n]*/
%ignore /\s+/
%ignore COMMENT
"""

GRAPHQL = r"""
start: definition+
?definition: operation | fragment
operation: (("query" | "mutation" | "subscription") NAME? variables? directive*)? selections
variables: "(" variable+ ")"
variable: "$" NAME ":" type ("=" value)?
?type: (NAME | "[" type "]") "!"?
selections: "{" selection+ "}"
?selection: field | "..." NAME directive* | "..." ("on" NAME)? directive* selections
field: (NAME ":")? NAME arguments? directive* selections?
arguments: "(" argument+ ")"
argument: NAME ":" value
directive: "@" NAME arguments?
fragment: "fragment" NAME "on" NAME directive* selections
?value: "$" NAME | INT | FLOAT | STRING | BLOCK | "true" | "false" | "null" | NAME
    | "[" value* "]" | "{" argument* "}"
NAME: /[_A-Za-z][_0-9A-Za-z]*/
INT: /-?(0|[1-9][0-9]*)/
FLOAT: /-?(0|[1-9][0-9]*)(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)/
STRING: /"(?!"")([^"\\\n]|\\(["\\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/
BLOCK: /\"\"\"(.|\n)*?\"\"\"/
COMMENT: /#[^\n]*/
%ignore COMMENT
%ignore /[\s,]+/
"""

SMILES = r"""
start: chain ("." chain)*
chain: atom (bond? (atom | branch | RING))*
branch: "(" bond? chain ")"
?atom: ORGANIC | AROMATIC | bracket
bracket: "[" INT? symbol CHIRAL? hydrogen? charge? "]"
symbol: ORGANIC | AROMATIC | ELEMENT | "H" | "*"
hydrogen: "H" DIGIT?
charge: ("+" | "-") DIGIT?
bond: "-" | "=" | "#" | ":" | "/" | "\\"
ORGANIC: "Br" | "Cl" | "B" | "C" | "N" | "O" | "P" | "S" | "F" | "I"
AROMATIC: "b" | "c" | "n" | "o" | "p" | "s"
ELEMENT.2: "Na" | "Si" | "Fe" | "Zn" | "Se" | "K"
CHIRAL: "@@" | "@"
RING: DIGIT | "%" DIGIT DIGIT
DIGIT: "0".."9"
INT: /[1-9][0-9]*/
"""

DYCK = r"""
start: ("(" start ")" | "[" start "]" | "{" start "}")*
"""

KEYWORDS = r"""
start: (rule | range | assignment | text)*
rule: "if" NAME "then" NAME
range: "in" INT ".." INT | FLOAT
assignment: NAME ":=" (INT | STR | REGEX) ";"
text: LONG
NAME: /[a-z]+/
INT: /\d+/
FLOAT: /\d+\.\d*(?![.\d])/
STR: /"(\\"|.)*?"/
LONG.2: "<<" /(.|\n)+?/ ">>"
REGEX: /\/\b[^\/\n]*\b\/(?=;)/
COMMENT: "/*" /(.|\n)*?/ "*/"
%ignore " "
%ignore COMMENT
"""

AMBIGUOUS = r"""
start: e
e: e "+" e | e "*" e | A | A e | B
A: /a+/
B: "aa" | "ab"
%ignore " "
"""

INDENTED = r"""
start: (_NL | line)*
line: NAME "(" (NAME ("," NAME)*)? ")" _NL block?
block: _INDENT line+ _DEDENT
NAME: /\w+/
%declare _INDENT _DEDENT
_NL: /(\r?\n[\t ]*)+/
%ignore /[\t ]+/
"""


class Blocks(Indenter):
    """Indentation of INDENTED."""

    NL_type = "_NL"
    OPEN_PAREN_types = ("LPAR",)
    CLOSE_PAREN_types = ("RPAR",)
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 4


GRAMMARS = {
    "arithmetic": LarkGrammar(ARITHMETIC),
    "json": LarkGrammar(JSON),
    "sql": LarkGrammar(SQL),
    "c": LarkGrammar(C),
    "graphql": LarkGrammar(GRAPHQL),
    "smiles": LarkGrammar(SMILES),
    "dyck": LarkGrammar(DYCK),
    "keywords": LarkGrammar(KEYWORDS),
    "indented": LarkGrammar(INDENTED, indenter=Blocks()),
    "lark": LarkGrammar((SHIPPED / "lark.lark").read_text()),
    "python": LarkGrammar((SHIPPED / "python.lark").read_text(), start="file_input", indenter=PythonIndenter()),
}

TEXTS = {
    "arithmetic": ["1+2*(x.y - -3)", "x = 1.5e3", "1 .foo", "-x.y/ 2"],
    "json": ['{"a": [1, -2.5e3, null], "b\\"": {}}', "[]", "true"],
    "sql": [
        "SELECT * FROM t;",
        "select distinct a.b, count(x) as n from t join u on t.id = u.id where not (a = 'it''s' or b <> 2) limit 5;",
        "INSERT INTO t (a, b) VALUES (1, 'x'); DELETE FROM selects WHERE x IS NOT NULL; -- done\n",
    ],
    "c": [
        "int main(void* a, char b[]) { for (int i = 0; i < 10; i++) if (i % 2) a[i] += 'x'; else break; return 0; }",
        'struct s x = 0x1F; /* c */ char* f() { while (!p->q.r) g("\\"", -1.5e-3); } // end',
    ],
    "graphql": [
        '{ user(id: 4, tags: ["a", B], f: -1.5e3) { name @include(if: $yes) ... on User { x } ...F } }',
        'query Q($a: [Int!]! = 3) { on: query } fragment F on T { a(b: """x "y" z""") } # c',
    ],
    "smiles": ["CC(=O)Oc1ccccc1C(=O)O", "[13C@@H2+].[Na+].Cl", "C%12CBr%12"],
    "dyck": ["", "()[{}]", "(((())))"],
    "keywords": ["if a then ifx in 1..2 3. x := /a b/;", 'iffy := "a b" ; << x > y >> /* c */', "in 1 .. 22"],
    "indented": ["a()\nb(x,\n y)\n  c()\n\n    d()\n  e()\nf()\n", "\n\n"],
    "lark": [ARITHMETIC, JSON, SQL, C, KEYWORDS, (SHIPPED / "lark.lark").read_text()],
    "python": [
        "class A(B, metaclass=C):\n    x: int = 3  # c\n\n    def f(self, *a, **k):\n        if x in [1,\n2]: pass\n"
        '        else:\n            return f\'b\' """x\ny"""\nz = lambda a: a.b[1:2, ::3]\n',
        "async def f():\n\tasync with a as b, c: await d\n\treturn\nmatch = 1\nmatch x:\n case [1, *_]: pass\n",
        "try:\n  pass\nexcept A as e:\n  raise B from e\nfinally:\n  0x1F; 1.e5; .5j; 1_000; r'x'; b''\n",
    ],
}

_WORDS = (
    "False None True and as assert async await break class continue def del elif else except finally for from global "
    "if import in is lambda nonlocal not or pass raise return try while with yield"
)

PYTHON_SUBSET = rf"""
start: (_NL | statement)*
?statement: simple _NL | compound
?simple: assignment | expression | "pass" | "return" expression? | "import" NAME | "del" NAME | "assert" expression
assignment: NAME ("=" | "+=") expression
?compound: if | while | for | function | class | try
if: "if" expression ":" suite ("elif" expression ":" suite)* ("else" ":" suite)?
while: "while" expression ":" suite
for: "for" NAME "in" expression ":" suite
function: "def" NAME "(" (NAME ("," NAME)*)? ")" ":" suite
class: "class" NAME ("(" NAME ")")? ":" suite
try: "try" ":" suite "except" NAME? ":" suite
suite: simple _NL | _NL _INDENT statement+ _DEDENT
?expression: or ("if" or "else" expression)? | "lambda" NAME ":" expression
?or: and ("or" and)*
?and: not ("and" not)*
?not: "not" not | compare
?compare: sum (("==" | "<" | ">=" | "in" | "is") sum)?
?sum: term (("+" | "-") term)*
?term: power (("*" | "//" | "%") power)*
?power: atom ("." NAME | "(" (expression ("," expression)*)? ")" | "[" expression "]")*
?atom: NAME | INT | FLOAT | STRING | "(" expression ")" | "[" (expression ("," expression)*)? "]"
NAME: /(?!(?:{_WORDS.replace(" ", "|")})\b)[a-z_][a-z0-9_]*/
INT: /(0|[1-9][0-9]*)(?![0-9a-z_.])/
FLOAT: /[0-9]+\.[0-9]+(?![0-9a-z_.])/
STRING: /'[^'\\\n\x00]*'|"[^"\\\n\x00]*"/
COMMENT: /#[^\n\x00]*/
%ignore /[ \t]+/
%ignore COMMENT
%declare _INDENT _DEDENT
_NL: /(\r?\n[\t ]*)+/
"""


PYTHON_SUBSET = re.sub(r'"([a-z]+)"', r"/\1(?!\\w)/", PYTHON_SUBSET)  # `and0` is a name, whatever may stand there


class SubsetBlocks(Blocks):
    """Indentation of PYTHON_SUBSET: in spaces alone, since Python tells tabs from spaces."""

    OPEN_PAREN_types = ("LPAR", "LSQB")
    CLOSE_PAREN_types = ("RPAR", "RSQB")
    tab_len = 8

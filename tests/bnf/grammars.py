"""Grammars of the kinds people write, in GBNF, with texts that are in the language and texts that are not."""

from __future__ import annotations

ARITHMETIC = r"""
# calculations, one a line
root  ::= (sum "=" ws number "\n")+
sum   ::= product ([-+] ws product)*
product ::= factor ([*/] ws factor)*
factor ::= number | name | "(" ws sum ")" ws
name  ::= [a-z] [a-z0-9_]* ws
number ::= "-"? [0-9]+ ws
ws    ::= [ \t]*
"""

CHESS = r"""
root ::= (
    # the first move has no line of its own
    "1. " move " " move "\n"
    ([1-9] [0-9]? ". " move " " move "\n")+
)
move    ::= (pawn | piece | castle) [+#]?
piece   ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle  ::= "O-O" "-O"?
"""

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array  ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
ws     ::= "" | " " | "\n" [ \t]{0,20}
"""

KANA = r"""
root     ::= word (space word)* [。！]
word     ::= (hiragana | katakana | [々一-龯])+
hiragana ::= [ぁ-ゟ]
katakana ::= [\u30A1-\U000030FF]
space    ::= "\u3000" | " "
"""

SQL = r"""
root   ::= "SELECT " cols " FROM " name |
           "DELETE FROM " name
cols   ::= "*" | name (", " name){0,3}
name   ::= [A-Za-z_] [A-Za-z0-9_]*
"""

POSTFIX = "root ::= root root [-+] | [0-9]\n"  # left recursive and ambiguous about nothing

CASES = {
    "arithmetic": (
        ARITHMETIC, ["1+2=3\n", "(a_1 * -3) /b= 4\nx=1\n"], ["1+2=3", "1+=3\n", "A=1\n", "\n", "1++2=3\n"],
    ),
    "chess": (CHESS,
        ["1. e4 e5\n2. Nf3 O-O-O+\n", "1. a8=Q Rxh1#\n10. d4 d5\n"],
        ["1. e4 e5\n", "1. e9 e5\n2. a1 a1\n"],
    ),
    "json": (JSON, ['{"a": [1, -2.5e3,\n\t null ]}', '{}', '{"\\u00e9":"é"}'], ["[]", '{"a":01}', '{"a":"\x01"}']),
    "kana": (KANA, ["ひらがな カタカナ。", "日々\u3000ー！"], ["hiragana。", "ひらがな"]),
    "sql": (SQL, ["SELECT * FROM t", "DELETE FROM Table_1", "SELECT a, b, c, d FROM t"],
        ["SELECT a, b, c, d, e FROM t"]),
    "postfix": (POSTFIX, ["1", "12+", "12+34-+"], ["+", "1+", "12"]),
}  # fmt: skip

"""One SELECT statement of SQL: columns, joins, conditions, groups, order, limits, subqueries; key words in capitals.

Names are ASCII and no key words. What SQLite, PostgreSQL and MySQL share; types of expressions are not checked.
"""

from __future__ import annotations

from functools import cache

from structgen.grammars.ir import Grammar
from structgen.grammars.library.notation import grammar_of, names

__all__ = ["sql"]

KEYWORDS = [
    "all", "and", "as", "asc", "between", "by", "case", "cast", "cross", "current_date", "current_time",
    "current_timestamp", "collate", "default", "delete", "desc", "distinct", "else", "end", "escape", "except",
    "exists", "false", "for", "from", "full", "glob", "group", "having", "if", "in", "index", "inner", "insert",
    "intersect", "into", "is", "isnull", "join", "left", "like", "limit", "match", "natural", "not", "notnull", "null",
    "offset", "on", "or", "order", "outer", "over", "partition", "primary", "raise", "regexp", "returning", "right",
    "row", "select", "set", "table", "then", "to", "transaction", "true", "union", "unique", "update", "using",
    "values", "when", "where", "window", "with", "add", "alter", "check", "commit", "constraint", "create",
    "deferrable", "drop", "foreign", "references",
]  # fmt: skip

_SOURCE = r"""
root      ::= select ";"?
select    ::= core ((" UNION " | " UNION ALL " | " INTERSECT " | " EXCEPT ") core)* order? limit?
core      ::= "SELECT " "DISTINCT "? columns " FROM " tables where? group?
columns   ::= column (", " column)*
column    ::= "*" | name ".*" | expr (" AS " name)?
tables    ::= table (", " table | join)*
table     ::= name (" AS " name)? | "(" select ")" " AS " name
join      ::= (" JOIN " | " INNER JOIN " | " LEFT JOIN " | " LEFT OUTER JOIN ") table " ON " expr | " CROSS JOIN " table
where     ::= " WHERE " expr
group     ::= " GROUP BY " expr (", " expr)* (" HAVING " expr)?
order     ::= " ORDER BY " key (", " key)*
key       ::= sum (" ASC" | " DESC")?
limit     ::= " LIMIT " integer (" OFFSET " integer)?
expr      ::= conj (" OR " conj)*
conj      ::= neg (" AND " neg)*
neg       ::= "NOT " neg | test
test      ::= exists | sum (compare sum | " IS NULL" | " IS NOT NULL" | " NOT"? in | " NOT"? between | " NOT"? like)?
exists    ::= "EXISTS (" select ")"
compare   ::= " = " | " <> " | " < " | " <= " | " > " | " >= "
in        ::= " IN (" (sum (", " sum)* | select) ")"
between   ::= " BETWEEN " sum " AND " sum
like      ::= " LIKE " string
sum       ::= product ((" + " | " - " | " || ") product)*
product   ::= atom ((" * " | " / " | " % ") atom)*
atom      ::= number | string | "NULL" | call | case | path | "(" expr ")" | "(" select ")"
path      ::= name ("." name)?
call      ::= aggregate "(" "DISTINCT "? expr ")" | "COUNT(*)" | scalar "(" expr (", " expr)* ")"
aggregate ::= "COUNT" | "SUM" | "AVG" | "MIN" | "MAX"
scalar    ::= "COALESCE" | "LENGTH" | "LOWER" | "UPPER" | "ABS" | "ROUND"
case      ::= "CASE" (" WHEN " expr " THEN " expr)+ (" ELSE " expr)? " END"
number    ::= "-"? integer ("." [0-9]+)?
integer   ::= "0" | [1-9] [0-9]*
string    ::= "'" ([^'\x00] | "''")* "'"
name      ::= [a-z]
"""


@cache
def sql() -> Grammar:
    """One SELECT statement, maybe with a semicolon."""
    return grammar_of(_SOURCE, name=names("[A-Za-z_][A-Za-z0-9_]*", KEYWORDS, ignore_case=True))

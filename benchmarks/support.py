"""Writes the table of keywords and formats into docs/json-schema.md, from the registry and the formats themselves.

python -m benchmarks support
"""

from __future__ import annotations

from benchmarks.data import ROOT
from structgen.grammars.json_schema import compile_schema  # registers every keyword
from structgen.grammars.json_schema.keywords import DRAFTS, keywords_of
from structgen.grammars.regular import formats

__all__ = ["keyword_table", "page"]

PAGE = ROOT / "docs" / "json-schema.md"
BEGIN, END = "<!-- generated: {} -->\n", "<!-- end -->\n"
NAMES = {4: "4", 6: "6", 7: "7", 2019: "2019-09", 2020: "2020-12"}
MEANING = {
    "any": "any value",
    "types": "any value",
    "string": "strings",
    "number": "numbers",
    "array": "arrays",
    "object": "objects",
    "place": "names or holds subschemas",
}


def keyword_table() -> str:
    """A row per keyword: what it is about, and the drafts in which it is enforced."""
    assert callable(compile_schema)
    tables = {draft: keywords_of(draft) for draft in DRAFTS}
    listed = (name for table in tables.values() for name in table)
    names = dict.fromkeys(name for name in listed if not name.startswith("structgen:"))
    lines = ["| keyword | about | drafts |", "| --- | --- | --- |"]
    for name in sorted(names, key=str.lower):
        drafts = [draft for draft in DRAFTS if name in tables[draft]]
        about = MEANING[tables[drafts[-1]][name].on]
        lines.append(f"| `{name}` | {about} | {', '.join(NAMES[draft] for draft in drafts)} |")
    return "\n".join(lines) + "\n"


def format_table() -> str:
    """A row per format: exact, or what is left out."""
    rows = [f"| `{name}` | {formats.NARROWER.get(name, 'nothing')} |" for name in sorted(formats.NAMES)]
    return "\n".join(["| format | valid texts that are never written |", "| --- | --- |", *rows]) + "\n"


def page(text: str) -> str:
    """The page with its generated parts anew."""
    for name, table in (("keywords", keyword_table()), ("formats", format_table())):
        head, _, rest = text.partition(BEGIN.format(name))
        text = head + BEGIN.format(name) + "\n" + table + "\n" + END + rest.partition(END)[2]
    return text


def main() -> None:
    """Rewrite docs/json-schema.md."""
    PAGE.write_text(page(PAGE.read_text()))
    print("written to docs/json-schema.md")


if __name__ == "__main__":
    main()

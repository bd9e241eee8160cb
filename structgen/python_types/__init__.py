"""Python types to JSON Schema, and JSON text back to values of the type.

types.py            what `schema=` may be -> a schema and a reader of finished texts
pydantic_schema.py  pydantic's schema of a type, tightened to what the type reads
core_functions.py   whose the functions in a core schema are, and what a schema says of their checks
narrowing.py        schemas with one condition more
hashing.py          what a set can hold
temporal.py         dates, times and durations, between bounds too
patterns.py         patterns of types whose schema says less than their validation
addresses.py        addresses, networks, URLs
numerals.py         ranges of whole numbers
json_text.py        finished text -> Python value
exact.py            a finished value is judged by the schema, numbers as exact decimals
partial.py          unfinished text -> the value so far, while streaming
"""

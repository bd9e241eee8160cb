"""Analyses that monitors ask (question.Analysis).

table.py      answers from a table, for tests and for what is known beforehand
wire.py       JSON-RPC over the pipes of a process;  positions.py  places in a text, in its words
session.py    a language server: documents and questions;  catalogue.py  the servers that are known
"""

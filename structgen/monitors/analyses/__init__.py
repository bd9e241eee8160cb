"""Analyses that monitors ask (question.Analysis).

table.py   answers from a table, for tests and for what is known beforehand
"""

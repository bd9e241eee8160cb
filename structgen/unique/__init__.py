"""Arrays whose elements must differ (uniqueItems) and objects whose keys must: checked beside the grammar's automaton.

    values.py     keys of JSON values, numbers and strings that break off
    trace.py      what the text so far holds, as a value: open containers with the keys of what stands in them
    repeats.py    whether what is begun may still become equal to what was written
    ways.py       whether a place leads anywhere, and a completion from there
    automaton.py  DistinctConfigurations: pairs (configuration, trace), numbered, so that a state is one int still
    masks.py      DistinctMasks: the grammar's row minus the tokens after which no continuation exists
    verdicts.py   which of the tokens in doubt those are
    names.py      tokens that begin new names: a few stand for many
    tokens.py     tokens by what they hold

A finite automaton cannot remember all earlier elements; these pairs can.
"""

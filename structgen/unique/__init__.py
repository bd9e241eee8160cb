"""Arrays whose elements must differ (uniqueItems) and objects whose keys must: checked beside the grammar's automaton.

    trace.py      what the text so far holds, as a value: the JSON text since the outermost watched array, and frames
    automaton.py  DistinctConfigurations: pairs (configuration, trace), numbered, so that a state is one int still
    masks.py      DistinctMasks: the grammar's row minus the tokens after which no continuation exists

A finite automaton cannot remember all earlier elements; these pairs can.
"""

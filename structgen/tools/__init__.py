"""Tools for agents: calls that are valid under their tools' schemas, in every model's own format.

    tool.py      functions, types and definitions -> Tool
    formats.py   how families of models write calls: data
    detect.py    chat template and vocabulary -> a format
    layout.py    tools, choice, format -> what an output may be, as structural-tag JSON
    prompt.py    messages with tools -> what a chat template takes
    reading.py   tokens -> Reply, as they come
    reply.py     Reply, ToolCall, and the messages they become

    layout -> grammars/tags/formats.py -> a constraint;   tokens -> reading -> Reply

Nothing here knows of models or constraints: `generate(tools=...)` and servers put it together.
"""

"""From rule networks and configurations to text and Graphviz: how the arrays are read by people.

Stable from run to run (snapshot tests rely on it). Cost: linear in what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from structgen.automata.configurations import Configurations
from structgen.automata.describe import describe_bytes
from structgen.automata.network import RuleNetworks
from structgen.kernels.layout import (
    ADD,
    ARC_TO,
    ARCS,
    ARG,
    BELOW,
    CALL_TO,
    CALLED,
    CALLS,
    CHAIN,
    DEAD,
    DONE,
    ENDS,
    ENOUGH,
    FAR,
    FINAL,
    HAS,
    KIND,
    LACKS,
    LEAST,
    LEAVE,
    NEXT,
    OP,
    PLAIN,
    RULE,
    SET,
    SILENT,
    SILENT_TO,
    SPARE,
    START,
    UPTO,
    WEIGH,
    WIDE,
)  # fmt: skip
from structgen.protocols import LazyAutomaton

__all__ = ["dump_networks", "dump_state", "networks_to_dot", "visits_to_dot"]

_OPS = {
    PLAIN: "",
    BELOW: "if count < {}",
    UPTO: "count up to {}",
    ENOUGH: "if count >= {}",
    ADD: "write member {}",
    HAS: "if written {:b}",
    LACKS: "unless written {:b}",
    DONE: "member done",
    NEXT: "next member",
    SPARE: "if weight <= {}",
    WEIGH: "weight + {}",
    LEAVE: "",
    WIDE + ADD: "write member {}",
    WIDE + HAS: "if written set {}",
    WIDE + LACKS: "unless written set {}",
}


def edges(networks: RuleNetworks, node: int) -> Iterator[tuple[str, int]]:
    """Every edge of a node as (label, target)."""
    a = networks.arrays
    here, after = a.nodes[node], a.nodes[node + 1]
    if here[CHAIN] >= 0:
        yield describe_bytes([int(here[CHAIN])]), node + 1
    for arc in a.arcs[here[ARCS] : after[ARCS]]:
        bits = int.from_bytes(a.sets[arc[SET]].tobytes(), "little")
        yield describe_bytes([b for b in range(256) if bits >> b & 1]), int(arc[ARC_TO])
    for call in a.calls[here[CALLS] : after[CALLS]]:
        yield f"<{networks.names[call[CALLED]]}>", int(call[CALL_TO])
    for jump in a.silent[here[SILENT] : after[SILENT]]:
        arg = "any" if jump[ARG] >= FAR else int(jump[ARG])
        label = _OPS[int(jump[OP])]
        yield ("ε " + (label if arg == "any" else label.format(arg))).strip(), int(jump[SILENT_TO])


def dump_networks(networks: RuleNetworks) -> str:
    """Every rule with its nodes: fewest bytes to the rule's end, edges, `end` where the rule may end."""
    lines, rule = [], -1
    for node, row in enumerate(networks.arrays.nodes[:-1]):
        if row[RULE] != rule:
            rule = int(row[RULE])
            lines.append(f"rule {rule} {networks.names[rule]}")
        least = "-" if row[LEAST] >= FAR else int(row[LEAST])
        ways = [f"{label} -> {target}" for label, target in edges(networks, node)]
        ways += ["end"] if row[KIND] & (ENDS | FINAL) else []
        lines.append(f"  {node:4} [{least}]  {';  '.join(ways)}")
    return "\n".join(lines)


def dump_state(configurations: Configurations, state: int) -> str:
    """One configuration: the items that identify it (node, rule, where it was called), the bytes that may come."""
    networks = configurations.networks
    nodes = networks.arrays.nodes
    lines = [f"configuration {state}, {configurations.distance(state)} bytes from a complete text"]
    for node, origin, attr in configurations.kernel(state):
        register = f", register {attr}" if attr else ""
        lines.append(f"  in {networks.names[nodes[node, RULE]]} at node {node}, called in {origin}{register}")
    lines.append(f"  next byte: {describe_bytes(configurations.live_bytes(state)) or 'none'}")
    return "\n".join(lines)


def networks_to_dot(networks: RuleNetworks) -> str:
    """The networks as a Graphviz digraph, one cluster per rule."""
    lines, rule = ["digraph networks {", "  rankdir=LR; node [shape=circle, fontsize=10];"], -1
    for node, row in enumerate(networks.arrays.nodes[:-1]):
        if row[RULE] != rule:
            lines += ["  }"] if rule >= 0 else []
            rule = int(row[RULE])
            lines.append(f'  subgraph cluster_{rule} {{ label="{_escape(networks.names[rule])}";')
        shape = ", shape=doublecircle" if row[KIND] & (ENDS | FINAL) else ""
        lines.append(f'    {node} [label="{node}"{shape}];')
    lines.append("  }")
    for node in range(len(networks.arrays.nodes) - 1):
        lines += [f'  {node} -> {target} [label="{_escape(label)}"];' for label, target in edges(networks, node)]
    return "\n".join([*lines, "}"])


def visits_to_dot(automaton: LazyAutomaton, text: bytes, most: int = 400) -> str:
    """The configurations visited on a text, as a Graphviz digraph: numbers that return are one node.

    A node names the rules at work, and is drawn twice where the text may end. An edge carries the bytes that were
    read, with how often; the byte that is not allowed, if there is one, leads to a red node with what could have
    come. At most `most` bytes are read.
    """
    lines = ["digraph configurations {", "  rankdir=LR; node [shape=box, fontsize=10]; edge [fontsize=10];"]
    steps: dict[tuple[int, int], dict[str, int]] = {}
    state, refused = START, ""
    visited = {state: None}
    for byte in text[:most]:
        after = automaton.advance(state, bytes((byte,)))
        word = describe_bytes([byte])
        if after == DEAD:
            refused = word
            break
        counts = steps.setdefault((state, after), {})
        counts[word] = counts.get(word, 0) + 1
        visited[after] = None
        state = after
    for number in visited:
        rules = automaton.rules(number)
        shape = ", peripheries=2" if automaton.is_accepting(number) else ""
        label = "\\n".join([str(number), *map(_escape, rules[:6]), *(["..."] if len(rules) > 6 else [])])
        lines.append(f'  {number} [label="{label}"{shape}];')
    for (source, target), counts in steps.items():
        words = [word if count == 1 else f"{word} x{count}" for word, count in counts.items()]
        lines.append(f'  {source} -> {target} [label="{_escape(", ".join(words[:8]))}"];')
    if refused:
        could = describe_bytes(automaton.live_bytes(state)) or "the end"
        lines.append(f'  refused [label="{_escape(f"expected {could}")}", color=red, fontcolor=red];')
        lines.append(f'  {state} -> refused [label="{_escape(refused)}", color=red, style=dashed];')
    return "\n".join([*lines, "}"])


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

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
    DONE,
    ENDS,
    ENOUGH,
    FAR,
    FINAL,
    HAS,
    KIND,
    LACKS,
    LEAST,
    NEXT,
    OP,
    PLAIN,
    RULE,
    SET,
    SILENT,
    SILENT_TO,
    UPTO,
    WIDE,
)  # fmt: skip

__all__ = ["dump_networks", "dump_state", "networks_to_dot"]

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


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

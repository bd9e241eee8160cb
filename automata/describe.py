"""From a configuration to words: what may come next, for error messages and `explain`."""

from __future__ import annotations

from structgen.automata.network import RuleNetworks
from structgen.grammars.ir import byte_runs
from structgen.kernels.layout import ARC_TO, ARCS, CALLS, CHAIN, RULE, SET

_MOST = 12


def _spell(byte: int) -> str:
    return {0x20: "space", 0x0A: "newline", 0x0D: "carriage return", 0x09: "tab"}.get(
        byte, repr(chr(byte)) if 0x20 < byte < 0x7F else f"byte 0x{byte:02x}"
    )


def describe_bytes(members: list[int]) -> str:
    """`'a'..'z', space`: runs of bytes, at most a dozen."""
    runs = byte_runs(sum(1 << byte for byte in members))
    words = [_spell(a) if a == b else f"{_spell(a)}..{_spell(b)}" for a, b in runs]
    return ", ".join(words[:_MOST] + (["..."] if len(words) > _MOST else []))


def expected_at(networks: RuleNetworks, items: list[tuple[int, int, int]], complete: bool) -> tuple[str, ...]:
    """One entry per way on from these scan items (node, origin, register): a literal in quotes, or a rule's name with
    the bytes it may take; "the end" if complete."""
    network, names = networks.arrays, networks.names
    literals: dict[str, None] = {}
    by_rule: dict[str, set[int]] = {}
    for node, _, _ in items:
        taken: set[int] = set()
        if network.nodes[node, CHAIN] >= 0:
            taken.add(int(network.nodes[node, CHAIN]))
        for arc in range(network.nodes[node, ARCS], network.nodes[node + 1, ARCS]):
            bits = int.from_bytes(network.sets[network.arcs[arc, SET]].tobytes(), "little")
            taken.update(b for b in range(256) if bits >> b & 1)
            if bits.bit_count() == 1 and (text := _literal_after(network, int(network.arcs[arc, ARC_TO]))):
                literals[repr((bytes([bits.bit_length() - 1]) + text).decode("utf-8", "replace"))] = None
                taken.discard(bits.bit_length() - 1)
        if taken and network.nodes[node, CHAIN] < 0:
            by_rule.setdefault(names[network.nodes[node, RULE]], set()).update(taken)
        elif taken:
            text = _literal_after(network, node)
            literals[repr(text.decode("utf-8", "replace"))] = None
    words = list(literals) + [f"{name}: {describe_bytes(sorted(taken))}" for name, taken in by_rule.items()]
    if complete:
        words.append("the end")
    return tuple(words[: 4 * _MOST])


def _literal_after(network, node: int) -> bytes:  # type: ignore[no-untyped-def]
    """The bytes a node must take one after the other: its chain, and the single arc that ends it."""
    out = bytearray()
    while len(out) < 80:
        if network.nodes[node, CHAIN] >= 0:
            out.append(network.nodes[node, CHAIN])
            node += 1
            continue
        arcs = range(network.nodes[node, ARCS], network.nodes[node + 1, ARCS])
        if len(arcs) != 1 or not out or network.nodes[node, CALLS] != network.nodes[node + 1, CALLS]:
            break
        bits = int.from_bytes(network.sets[network.arcs[arcs[0], SET]].tobytes(), "little")
        if bits.bit_count() == 1:
            out.append(bits.bit_length() - 1)
        break
    return bytes(out)

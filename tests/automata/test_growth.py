"""Slabs that double, with every index checked: the kernels run as plain Python in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import random
from structgen.automata import network
from structgen.automata.configurations import Configurations
from structgen.automata.network import build_network
from structgen.automata.reference import Reference
from structgen.grammars.ir import *

network.NARROW = 2
value = Alt((Literal(b"1"), Seq((Literal(b"["), Ref(0), Literal(b"]"))), Ref(1), Ref(2)))
members = tuple((Literal(b"%d" % i), i % 2 == 0) for i in range(3))
grammar = Grammar((
    Rule("value", value),
    Rule("count", Seq((Literal(b"a"), Repeat(ByteSet.of(b"xy"), 3, 400), Literal(b".")))),
    Rule("set", Seq((Literal(b"{"), Unordered(members, Literal(b",")), Literal(b"}")))),
))
networks = build_network(grammar)
networks.validate()
automaton = Configurations(networks)
assert automaton.is_accepting(automaton.advance(2, b"[" * 300 + b"1" + b"]" * 300))
assert automaton.is_accepting(automaton.advance(2, b"a" + b"x" * 400 + b"."))
assert automaton.advance(2, b"a" + b"x" * 401) == 0
assert automaton.is_accepting(automaton.advance(2, b"[{2,1,0}]"))
state = automaton.advance(2, b"[[a" + b"x")
assert len(automaton.shortest(state)) == automaton.distance(state) == 5
wide = Configurations(build_network(Grammar((Rule("r", Unordered(tuple(
    (Literal(b"%03d" % i), True) for i in range(90)), Literal(b","))),))))
names = [b"%03d" % i for i in range(90)]
random.Random(0).shuffle(names)
assert wide.is_accepting(wide.advance(2, b",".join(names)))
many = Configurations(build_network(Grammar((Rule("r", Alt(tuple(Literal(b"%04d" % i) for i in range(700)))),))))
assert many.is_accepting(many.advance(2, b"0699"))
print(len(automaton), len(wide))
"""


def test_every_index_is_in_bounds() -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]  # numpy scalars warn of the wrap-around hashing relies on
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[0]) > 1000

"""Fresh random numbers for statistical tests, for nightly runs: `pytest --hypothesis-profile=fresh`.

By default every stream of choices is numbered by the seed a test passes, so a test passes always or never. Under this
profile a new number is mixed into all of them, tests allow themselves a smaller error (`tests.samplers.judges.ALPHA`),
and one that fails is run once more with another number: a false alarm then takes two rare events. The report of a
failure names the number; STRUCTGEN_SEED=number repeats it.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

from structgen.samplers.choosers import RandomChooser

VARIABLE = "STRUCTGEN_SEED"


class FreshSeeds:
    """The pytest plugin."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a statistical test, twice if need be; others are left alone."""
        if item.get_closest_marker("statistical") is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        given = os.environ.get(VARIABLE)
        seeds = [int(given)] if given else [secrets.randbits(64), secrets.randbits(64)]
        for seed in seeds:
            reports = _run(item, nextitem, seed)
            if not any(report.failed for report in reports):
                break
        for report in reports:
            report.sections.append(("seed", f"{VARIABLE}={seed}"))
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def _run(item: Any, nextitem: pytest.Item | None, seed: int) -> list[pytest.TestReport]:
    """The test with this number in every stream."""
    plain = RandomChooser.__init__

    def mixed(self: RandomChooser, number: int, *key: int) -> None:
        self.generator = np.random.default_rng(np.random.SeedSequence([number, *key], spawn_key=(seed,)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomChooser, "__init__", mixed)
        if hasattr(item, "_request"):
            item._initrequest()  # fixtures anew
        reports: list[pytest.TestReport] = runtestprotocol(item, nextitem=nextitem, log=False)
    assert RandomChooser.__init__ is plain
    return reports

"""What a prompt's form is worth: facts a real model extracts rightly, by how the text is put to it.

    python -m benchmarks describe [--model smollm2] [--count 30]

The sentences are those written by hand for nano and held-out ones that it was never trained on (benchmarks/nano_score).
Every output is greedy under its schema, so all are valid; a field is a leaf of the expected or of the written value.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from typing import Any

from benchmarks.data import write_results
from benchmarks.nano_score import by_hand, score
from structgen.nano.facts import exercises

FORMS = {
    "the text as it stands": {"chat": False},
    "the text, described": {"chat": False, "describe": True},
    "a chat": {"chat": True},
    "a chat, described": {"chat": True, "describe": True},
}
ASKED = "Extract the facts from this text as JSON.\n\n"


def main() -> None:
    """Run all forms on the same sentences and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks describe", description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    import structgen
    from structgen.errors import StructgenError

    cases = [*by_hand(), *islice(exercises("describe", held_out=True, size=4, sort="extraction"), options.count)]
    found: dict[str, Any] = {}
    for form, settings in FORMS.items():
        right = fields = whole = 0
        for case in cases[: options.count]:
            try:
                text = structgen.generate_result(
                    options.model, ASKED + case.text, schema=case.schema, max_tokens=200, speculation="auto", **settings
                ).text
            except StructgenError as error:
                text = f"{type(error).__name__}"
            _, good, of = score(case, text)
            right, fields, whole = right + good, fields + of, whole + (good == of)
        found[form] = {"right": right, "fields": fields, "all_right": whole, "sentences": options.count}
        print(f"| {form} | {right} of {fields} | {whole} of {options.count} |", flush=True)
    write_results(f"describe-{options.model.replace('/', '-')}", {"options": vars(options), "forms": found})
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Every structural tag that vLLM's tool parsers write, lowered here: run by test_vllm_real.py in vLLM's environment.

    python tests/integrations/vllm_tags.py MODEL ANSWERS.json

A tag names special tokens that the model's vocabulary may lack; the lowered grammar is what counts.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from structgen.api.sources import source_of
from structgen.errors import StructgenError
from structgen.grammars.ir import Grammar
from tests.integrations.vllm_engine import PERSON


def main() -> None:
    _, target = sys.argv[1:]
    from vllm.entrypoints.openai.chat_completion.protocol import (
        ChatCompletionNamedToolChoiceParam,
        ChatCompletionToolsParam,
    )
    from vllm.tool_parsers import structural_tag_registry as registry
    from vllm.tool_parsers.tool_strict_level import ToolStrictLevel

    functions: list[dict[str, Any]] = [
        {"name": "set_age", "description": "Set somebody's age", "parameters": PERSON},
        {"name": "forget", "parameters": {"type": "object", "properties": {}}},
    ]
    tools = [ChatCompletionToolsParam(type="function", function=each) for each in functions]
    named = ChatCompletionNamedToolChoiceParam(type="function", function={"name": "set_age"})
    found = []
    for model in sorted(registry.SUPPORTED_STRUCTURAL_TAG_MODELS):
        for name, choice in (("auto", "auto"), ("required", "required"), ("named", named)):
            for level in (ToolStrictLevel.FUNCTION, ToolStrictLevel.PARAMETER):
                for reasoning in (False, True):
                    tag = registry.get_model_structural_tag(model, tools, choice, reasoning, strict_level=level)
                    assert tag is not None
                    record = {"model": model, "choice": name, "strict": level.name, "reasoning": reasoning}
                    try:
                        lowered = source_of(tag=json.dumps(tag.model_dump())).lower().grammar
                        record["rules"] = len(lowered.rules) if isinstance(lowered, Grammar) else 0
                    except StructgenError as error:
                        record["error"] = str(error)[:300]
                    found.append(record)
    with open(target, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()

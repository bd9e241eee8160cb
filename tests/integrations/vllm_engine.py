"""structgen inside a real vLLM engine: run by tests/integrations/test_vllm_real.py in an environment of vLLM's own.

    STRUCTGEN_VLLM=1 python tests/integrations/vllm_engine.py MODEL plain|ngram|draft ANSWERS.json

Writes what every request of a part became; the test judges.
"""

from __future__ import annotations

import json
import sys
from typing import Any

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
DISTINCT = {"type": "array", "items": {"enum": [1, 2, 3, 4, 5]}, "uniqueItems": True, "minItems": 3}
CALL = {"type": "tag", "begin": "<call>", "content": {"type": "json_schema", "json_schema": PERSON}, "end": "</call>"}
TAG = {"type": "structural_tag", "format": CALL}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("json", {"json": PERSON}),
    ("json text", {"json": json.dumps(DISTINCT)}),
    ("json_object", {"json_object": True}),
    ("regex", {"regex": "[A-Z][a-z]{2,8} [0-9]{4}"}),
    ("choice", {"choice": ["a river", "a stone"]}),
    ("ebnf", {"grammar": 'root ::= ("ab" [0-9] ",")+ "end"'}),
    ("lark", {"grammar": 'start: WORD ("," WORD)*\nWORD: /[a-z]{2,5}/'}),
    ("tag", {"structural_tag": json.dumps(TAG)}),
]
BAD: list[dict[str, Any]] = [
    {"json": {"type": "strin"}},
    {"json": '{"type": '},
    {"json": {"type": "integer", "minimum": 3, "maximum": 2}},
    {"regex": "(a"},
    {"choice": []},
    {"grammar": "root ::= ("},
    {"structural_tag": "{}"},
    {"json_object": False},
    {"json": PERSON, "whitespace_pattern": "[ ]?"},
]
HOSTILE: list[Any] = [
    {"allOf": [{"type": "string", "pattern": f"^.*{letter}.{{{n}}}$"} for n, letter in enumerate("abcdefghij", 6)]},
    {"type": "string", "pattern": "^(a?){60}(a|b|aa){40}[a-z]{0,90}$"},
    {"oneOf": [{"properties": {"a": {"multipleOf": i}, "b": {"minLength": i}}} for i in range(3, 40)]},
]
SPECULATION: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "ngram": {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3, "prompt_lookup_min": 1},
    "draft": {"method": "draft_model", "num_speculative_tokens": 3},
}


def params(asked: dict[str, Any], **options: Any) -> Any:
    """Sampled, but with drafts: there vLLM 0.32 on CPUs divides logits by numbers that are no temperatures."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    options = {"temperature": 1.0 if sys.argv[2:3] == ["plain"] else 0.0, "max_tokens": 60, "seed": 1, **options}
    return SamplingParams(structured_outputs=StructuredOutputsParams(**asked), **options)


def told(name: str, output: Any) -> list[dict[str, Any]]:
    """What became of a request's outputs."""
    return [
        {"name": name, "text": each.text, "tokens": len(each.token_ids), "reason": each.finish_reason,
         "stop": each.stop_reason}
        for each in output.outputs
    ]  # fmt: skip


def refused(llm: Any, asked: dict[str, Any]) -> str:
    """How a request is refused before it is queued."""
    from vllm.exceptions import VLLMValidationError

    try:
        made = params(asked, max_tokens=4)
        llm.generate(["x"], made, use_tqdm=False)
    except VLLMValidationError as error:
        return str(error)
    return ""


def main() -> None:
    model, part, target = sys.argv[1:]
    from vllm import LLM

    speculation = SPECULATION[part]
    if part == "draft":
        speculation = {**(speculation or {}), "model": model}
    llm = LLM(
        model=model, dtype="float32", max_model_len=512, enforce_eager=True, max_num_seqs=160, seed=0,
        speculative_config=speculation,
    )  # fmt: skip
    found: list[dict[str, Any]] = []

    def run(requests: list[tuple[str, Any]], prompt: str) -> None:
        outputs = llm.generate([prompt] * len(requests), [each for _, each in requests], use_tqdm=False)
        for (name, _), output in zip(requests, outputs, strict=True):
            found.extend(told(name, output))

    prompt = 'Ada is 36, Bob is 41: {"name": "Ada", "age": 36} {"name": "Bob", "age": 41} ab1,ab2,ab3,end\n'
    run([(name, params(asked)) for name, asked in ASKED for _ in range(2)], prompt)
    run([(f"{name}, greedy", params(asked, temperature=0.0)) for name, asked in ASKED], prompt)
    again = params({"json": PERSON})
    run([("json", again), ("json", again)], prompt)  # the same SamplingParams twice
    if part == "plain":
        run([("json", params({"json": PERSON}, n=3))], prompt)
        run([("budget", params({"json": PERSON}, max_tokens=most)) for most in range(14, 40, 3)], prompt)
        tokenizer = llm.get_tokenizer()
        (stop,) = tokenizer.encode("\n", add_special_tokens=False)
        run([("stop id", params({"json": PERSON}, stop_token_ids=[stop]))], prompt)
        run([("min tokens", params({"regex": "[a-z ]{1,200}"}, min_tokens=30))], prompt)
        run([("ignore eos", params({"choice": ["a", "b"]}, ignore_eos=True, max_tokens=9))], prompt)
        run([(ASKED[n % 2][0], params(ASKED[n % 2][1], max_tokens=40, seed=None)) for n in range(140)], prompt)
        found.extend({"name": "bad", "asked": str(asked), "error": refused(llm, asked)} for asked in BAD)
        for schema in HOSTILE:
            refused(llm, {"json": schema})
        run([("json", params({"json": PERSON}))], prompt)  # still alive
    with open(target, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()

"""structgen inside other engines' loops: one thin file each, imported by whoever uses that engine and by nobody else.

transformers.py         LogitsProcessor, for `model.generate(logits_processor=[...])`
custom_generate.py      our decode loop as its `custom_generate`
continuous_batching.py  a constraint for each request of its continuous batching
vllm.py                 the plugin of vLLM; vllm_backend.py what it puts there
sglang.py               the plugin of SGLang; sglang_backend.py what it puts there
llama_cpp.py            an engine for .gguf files
mcp.py                  servers of tools

follower.py (a sequence in somebody's scheduler) and lowering.py (constraints, in a process beside) are what the servers
share.
"""

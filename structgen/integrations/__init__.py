"""structgen inside other engines' loops: one thin file each, imported by whoever uses that engine and by nobody else.

transformers.py  LogitsProcessor, for `model.generate(logits_processor=[...])`
"""

"""Where constraints meet models. torch and transformers are imported by these modules only, never by the core.

masking            packed mask rows onto logits, any device and dtype
sampling           logits -> laws -> tokens
decode             our decode loop: batches of differently constrained rows, always complete within the budget
path_rules         what chooses by the path so far: mirostat, momentum, contrastive
transformers       a transformers model behind that loop
prefixes           logits after any prefixes, shared parts read once: what samplers ask
logits_processor   the same constraints inside transformers' own `generate`
"""

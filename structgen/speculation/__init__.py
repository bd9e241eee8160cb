"""Speculation: several tokens from one model call, the law unchanged.

    tree.py        DraftTree: tokens that may come, as a trie of legal ones
    drafters/      what proposes them, a file each
    growth.py      the drafts of all of them in one tree, best first, as large as it pays
    estimates.py   what a draft is worth: counted acceptance; what a call costs: measured
    forward.py     one model call for all nodes of a tree (tree attention)
    head.py        the model's last layer, for as few tokens as are asked for
    read_ahead.py  ReadAhead: an engine for the decode loop that has often read the next tokens already

The decode loop draws every token as ever, from the logits after the text so far. All that speculation does is to have
these logits ready: where the token drawn is a node of the tree, they were computed with it. So masks, temperature,
filters, budgets, stop tokens, steering and accounts need not know, and with the same seed the text is the same (to the
rounding of the model's floats). For trees that do not depend on the draws this is node sampling, whose acceptance is
optimal (any rule that keeps the law enters a set of children with at most their probability).

Sources: Leviathan et al. 2023 and Chen et al. 2023 (speculative decoding), Miao et al. 2024 (tree attention), Saxena
2023 (prompt lookup), Luo et al. 2024 (token recycling), Liu et al. 2024 (goodput); each is named where it stands.
"""

"""Searches: a model, a constraint and a user's scorer -> the outputs that score best, and what was searched for them.

    scorers    the user's scorer: asked once for every text, its answers checked
    frontier   what the searches share: ways on from a path, remembered rows, the best outputs met, the result
    lookahead  beams whose ways on are judged after a short rollout (DeAL)
    astar      best first by a bound, which proves the best; by the score itself, which proves nothing
    mcts       a tree of rollouts to the end, judged by the user's tests (PG-TD)
    adaptive   looks ahead only where the model is uncertain about what is allowed (CNTP, AdaDec)

All are methods of `structgen.samplers.run.sample`, written as `structgen.samplers` says. What they look for is

    value(w) = scorer(w) + likelihood * log p(w bottom)         of equal values the likelier one

over the outputs w of the constraint, p the model's own law. None is a sampler: `target` is "argmax". They agree on the
end: a spent budget leaves the best outputs met so far (status "budget"), unless they have reached what the scorer's
bound says of the empty text; that ends all but `astar`, which looks for the likeliest of them.
"""

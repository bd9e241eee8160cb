"""Samplers: a model, a constraint and a budget -> weighted outputs, and how far they are from the right distribution.

    models      TableModel, exact and enumerable; what any model must offer stands in `structgen.protocols`
    logspace    sums of numbers given as logarithms
    law         TargetLaw: the model's law after temperature, top-k and top-p
    prefix      Prefix: tokens, and the matcher that has read them
    problem     model + constraint + law = the distribution pi that is wanted
    predicates  a user's functions of the text on top of a constraint: predicates forbid, potentials weigh
    deadline    a function that raises instead of taking longer than it may
    canonical   a constraint, and the tokenizer's own spelling besides
    weights     the one account: rows of log-probabilities on the allowed set, paths, the distortion meter
    choosers    where random choices come from: seeded streams, or every outcome in turn (tests without noise)
    result      Sample, SampleSet: outputs, weights, evidence, what they cost
    run         sample(problem, n, method=..., budget=..., seed=...) and the table of methods
    row_memory  rows read before, for methods that come back to the same prefixes
    proposals   how a particle takes one event: by the mask, by AWRS, by a full check, by the model alone
    values      what prefixes and the states of a constraint are worth, learnt from rows: proposal and twist of rounds
    trie        what asap and cars have learnt, bounds by prefix; attempts: their draws through it
    cuts        the Markov kernel of mcmc; chains: many of them, read together and ahead
    auto        which of cars and smc, from a few attempts
    awrs        one event a black-box check accepts, and an unbiased estimate of the accepted mass
    exact       a problem enumerated: pi, the masked law q, Z and every divergence
    fixtures    small problems whose numbers are known in closed form

Notation, used in every file: u a prefix, bottom the end of the output (all stop tokens are this one event), p(t|u) the
model's law after temperature, top-k and top-p, A(u) the allowed set, m(u) = sum of p over A(u) its mass,
pi(w) = p(w bottom) 1[w in L] / Z the target, Z the evidence, T the most tokens with bottom counted.

**To add a method**: one file `structgen/samplers/NAME.py` with one function, and its line in `METHODS` of `run.py`:

    def NAME(run: Run, n: int, *, option: int = 1) -> SampleSet:
        '''One line that says what it is and what it promises.'''

- `run.root()` is the empty path; `run.rows(prefixes)` gives one `Row` per prefix (equal prefixes share one model call);
  `path.take(row, place, log_weight)` enters the step into the account; `path.sample(run.problem.vocabulary)` ends it.
- Masks know nothing of predicates: `problem.permits(prefix, event)` is the whole check of one event. A method whose
  account has the potentials in it (`Path` adds them at the end) is listed in SCORED, one whose draws have weights in
  WEIGHTED.
- Every random choice goes through `run.chooser(*key)`, one stream per particle, attempt or chain: then results do not
  depend on the batch, and tests replay all outcomes.
- Ask `run.spent()` before every `run.rows`; once it says yes drop what is unfinished and return status "budget".
- Keyword-only parameters are the method's options; `sample` passes them on and refuses unknown names.
- `run.finished` is set to a function that says what is finished at any moment: what an interrupt leaves.
- `run.result(samples, ...)` adds the law, the costs and the status. A dead path is a sample of weight zero and counts.
- A search for what a user's scorer finds best is a method, too; those stand in `structgen/search/`.
- Register it in `tests/samplers/` against `exact.enumerate_outputs`: expectations over ExhaustiveChooser, then counts.
"""

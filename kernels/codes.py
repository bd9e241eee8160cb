"""What kernels return instead of a result. All are negative and differ from each other; a test checks both.

code              returned by              what the caller does
UNKNOWN     -1    transitions              computes the transition
GROW        -2    whatever interns         doubles the array that is full, calls again
CROWDED     -3    whatever closes items    doubles the work arrays, calls again; lexed: LimitExceeded
TOO_LONG    -4    walks with a limit       learns a terminal row, makes a blurred one, or walks on
UNCERTAIN   -5    survey                   keeps no row: repetitions counted in two ways, or too many states
NO_ROW      -6    compose                  makes the mask step by step, and learns what is missing
NOT_TEXT    -7    read                     takes the token for a symbol or a stop token
NEED_CLASS  -8    lexed                    finds the class of the stack memo.wanted, calls again
DEAD_END    -9    walks                    InvariantError: a live transition led nowhere
"""

UNKNOWN, GROW, CROWDED, TOO_LONG, UNCERTAIN, NO_ROW, NOT_TEXT, NEED_CLASS, DEAD_END = range(-1, -10, -1)

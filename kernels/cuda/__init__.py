"""Twins of CPU kernels for CUDA devices, under the same names; numba.cuda is slow to load, so import to launch only.

Every thread handles one element and writes only its own, so launches need no synchronisation. Grids are rounded up;
threads beyond the arrays return. Tested against the CPU kernels by Numba's simulator (NUMBA_ENABLE_CUDASIM=1).
"""

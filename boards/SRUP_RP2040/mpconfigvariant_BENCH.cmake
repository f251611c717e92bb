# A predecessor, for `make bench-bundle`: without a few modules, and otherwise the same.
list(APPEND MICROPY_DEF_BOARD MICROPY_PY_CMATH=0 MICROPY_PY_HEAPQ=0)

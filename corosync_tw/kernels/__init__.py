"""
Loops that touch every message's bytes: functions on buffers that know no protocol.

Each kernel is three files. ``plain/NAME.py`` is plain Python: reference, fall-back and oracle of
tests. ``compiled/NAME.pyx`` has the same names and signatures. ``NAME.py`` gives callers the one
that ``choice`` chose.
"""

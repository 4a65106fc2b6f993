"""The search for the run that breaks a promise: the real program on the virtual site, under seeded faults and crashes.

`scenario` draws what a run is made of, `run` carries it out, `promises` checks it at every step, `shrink` makes a
failing one small, `many` runs them on all cores.
"""

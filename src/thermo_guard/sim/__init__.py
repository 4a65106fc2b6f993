"""The embedded virtual site: a room with physics, a cluster, BMCs and sensors, behind the ports of the real adapters.

Deterministic by seed, in process, without threads, sockets or a wall clock. For the demo, for drills, and for
simulating days in seconds.
"""

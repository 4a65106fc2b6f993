"""Every decision as a pure function of values: no clock, no socket, no file, no logger."""

"""The virtual site over the wire: the faces of real machines, on loopback, with one world behind them."""

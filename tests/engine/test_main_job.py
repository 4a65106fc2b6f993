"""The whole loop on the virtual site: trip, down, recovery, back; in virtual time."""

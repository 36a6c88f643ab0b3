"""Proving the chain: every revision up, down and up again on a scratch database, and compared."""

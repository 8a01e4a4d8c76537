"""Whose keys count, in which role, for what: the trust list and the trust file."""

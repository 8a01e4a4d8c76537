"""Signed notes (C2SP): the text, its signature lines, verifier keys and cosignatures."""

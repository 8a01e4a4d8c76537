"""The single checks behind a verification report: each returns what it proved, or raises why it could not."""

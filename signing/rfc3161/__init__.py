"""Time stamps of RFC 3161: requests, tokens, and what a token proves."""

"""Selective disclosure (RFC 9901): bytes and rules only, nothing of materials."""

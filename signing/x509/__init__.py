"""Certificates, their chains and revocation lists (RFC 5280), SM2 included."""

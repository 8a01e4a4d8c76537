"""Key files of other programs: PEM, PKCS#8, SEC 1 and JWK, read strictly and written in one form."""

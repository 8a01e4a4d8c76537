"""What a home does with materials: admit, end, publish, erase, check. Use cases over ports."""

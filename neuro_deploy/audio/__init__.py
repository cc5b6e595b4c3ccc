"""From a recording to frames: read, mixed, resampled, filtered; whole or piece by piece, with the same result."""

LOWEST_RATE, HIGHEST_RATE = 1000, 384_000
"""Samples a second of what is taken for sound; a header that says less or more is wrong, and resampling would take all memory."""

"""From a recording to frames: read, mixed, resampled, filtered; whole or piece by piece, with the same result."""

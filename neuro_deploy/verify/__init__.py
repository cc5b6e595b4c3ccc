"""Run a network on backends and hold every spike against the reference."""

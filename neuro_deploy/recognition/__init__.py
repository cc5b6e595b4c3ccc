"""From a recording to a word: files on any backend, or a stream step by step."""

STREAM = "-"
"""What stands for a recording that comes on standard input."""

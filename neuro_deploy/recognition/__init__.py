"""From a recording to a word: files on any backend, or a stream step by step."""

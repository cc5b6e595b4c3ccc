"""Data sets: a catalogue, a folder that holds them, their download, and what lies where in them."""

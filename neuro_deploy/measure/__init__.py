"""Events of a run, and what they cost in joules and seconds."""

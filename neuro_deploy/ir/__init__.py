"""What is passed on: a network as plain data, what it computes, and what a run leaves. Needs NumPy and pydantic alone."""

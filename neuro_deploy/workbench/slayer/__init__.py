"""A SLAYER model held against its NetX file: where the two part, and why.

``module`` runs it, ``blocks`` matches its blocks with layers, ``compare`` finds the first divergence, ``causes`` names the reason.
Importing a part but this one imports torch.
"""

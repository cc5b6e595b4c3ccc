"""A network with its data and what can run it; beside the command line the only place that imports the training."""

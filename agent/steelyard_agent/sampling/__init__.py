"""When to sample, and how samples become batches."""

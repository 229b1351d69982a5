"""What runs inside a training process: see `path/`, which `steelyard-agent run` puts on the trainer's PYTHONPATH."""

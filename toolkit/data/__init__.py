"""What models are asked about: class sets and prompts, samples with ids, labels and groups, data sets on disk."""

"""Fine-tune: from a file to a run that is started, in five steps."""

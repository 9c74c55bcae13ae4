"""Fine-tune: from a file to a started run, in five steps."""

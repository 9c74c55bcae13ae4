"""What a test found, as HTML and plots."""

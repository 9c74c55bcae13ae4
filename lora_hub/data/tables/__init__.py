"""Tables, their cells as text, and findings about their rows."""

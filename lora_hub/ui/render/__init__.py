"""What is shown, as HTML: knows no gradio."""

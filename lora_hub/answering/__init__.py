"""One frozen base, a stack of adapters, and every answer they give: `questions` is the way in, in bulk; `visitors` for
many at once."""

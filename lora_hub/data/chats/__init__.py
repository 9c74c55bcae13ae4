"""Conversations: their turns, and what is learnt of them."""

"""Conversations: their turns, and which turns are learnt."""

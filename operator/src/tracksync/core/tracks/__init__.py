"""Tracks as values and the rules about them: what a listing and a dashboard are, how politely they may be fetched."""

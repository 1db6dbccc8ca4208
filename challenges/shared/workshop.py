"""What the scripts of all challenges import."""

"""The page on which a click is a seed: a local server, and one file without it."""

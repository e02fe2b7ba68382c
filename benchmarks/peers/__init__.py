"""The others, each on the same stream: hftbacktest in its own environment, and a plain Python loop."""

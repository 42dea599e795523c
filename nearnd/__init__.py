"""Near-distribution novelty detection on images."""

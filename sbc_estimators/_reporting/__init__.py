"""One page about a fitted estimator, methods for a paper, and files with BIDS names."""

"""What knows no fMRI: messages, checks, threads, cache, files and tables."""

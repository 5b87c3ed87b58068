"""The frame of all benchmarks: figures with targets, one run of several, the table and the plot."""

"""From a field file to a running stack: node graph, run directory, processes, command line."""

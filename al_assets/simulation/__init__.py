"""The simulation room: an oracle in place of the expert, and the experiment that compares strategies."""

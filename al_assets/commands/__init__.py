"""The command line, a module a family of commands. What they do lies elsewhere."""

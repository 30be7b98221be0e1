"""What the pages of the reports show, read from the archive. How a page or a plot is made is the reports room's."""

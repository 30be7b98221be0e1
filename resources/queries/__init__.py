"""Questions to the tables and small changes of them, one file a family. Bulk writes go through the SQL IO manager."""

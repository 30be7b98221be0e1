"""Labels and predictions as files for other tools: rows with names, and the writers of COCO, CSV and Parquet."""

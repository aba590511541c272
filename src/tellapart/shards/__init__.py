"""Features of many photos in a folder of parquet files, which any number of processes and machines may fill."""

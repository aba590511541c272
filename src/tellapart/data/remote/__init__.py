"""Photos and shards on storage elsewhere: `s3://`, `gs://`, `az://`, `hf://` and the web, by the libraries of each."""

"""What the files of photos are made of: their headers, containers, colours, and the libraries that read them."""

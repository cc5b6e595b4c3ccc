"""What is faster than stock, by how much, and how it scales: `make bench`."""

"""What a Loihi chip can hold and what it refuses."""

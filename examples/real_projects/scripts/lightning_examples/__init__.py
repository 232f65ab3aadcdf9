"""What Lightning's own examples show, written anew."""

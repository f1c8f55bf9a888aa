"""Orders to hold loads back: proved, journalled, carried out by one hand, and always given back."""

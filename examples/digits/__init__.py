"""A CNN on handwritten digits, tuned as a study."""

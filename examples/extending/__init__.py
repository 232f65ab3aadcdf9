"""What others can add to autolr, each in one file outside the package."""

"""Extensions of autolr from outside the package, each in one file."""

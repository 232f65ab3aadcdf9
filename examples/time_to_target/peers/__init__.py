"""Studies by other packages over the same space, the same runs and the same count of costs."""

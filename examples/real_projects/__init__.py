"""AutoLR attached to public projects, each as its users train with it."""

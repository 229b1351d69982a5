"""One job: what is read of it, and what there is to look at."""

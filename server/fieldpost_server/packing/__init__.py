"""Making small what browsers load: sources stripped, modules left out, what is made once kept."""

"""What stays on the server: Fieldpost never ships a package named ``server`` to a device."""

"""`gateway door`: the daily file for systems that cannot speak the contract."""

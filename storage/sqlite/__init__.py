"""SQLite: connections, transactions, and all use of its drivers' private names."""

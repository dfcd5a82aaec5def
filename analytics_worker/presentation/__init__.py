"""Write values for readers: numbers and small charts, the same in reports and alerts."""

"""`EditLab`: α and β re-run the edit live."""

"""Words about the toolkit: terms, glossary, what each panel shows and does not, the workbook."""

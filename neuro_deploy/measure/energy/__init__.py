"""What a run costs on a chip: counts times published costs, and what such costs leave out."""

"""What happens without some heads: direct and total effects, folding, LTC."""
